"""Every error the app raises on purpose: one class per remedy.

An error carries all the problems found, not the first one, and each problem says what was
found and where, what was expected, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, in the words of whoever has to mend it.

    What was found may be anything; characters that no terminal can show, or that would command
    it, are written as escapes.

    Parameters
    ----------
    file
        The file to look at, relative to the dataset where possible.
    field
        The metadata field, column or property of the file; '' for the file as a whole.
    found
        The value found, as text ('absent' when there is none).
    expected
        What would have been right.
    remedy
        What to do about it.
    """

    file: str
    field: str
    found: str
    expected: str
    remedy: str

    def __post_init__(self) -> None:
        for own in fields(self):
            object.__setattr__(self, own.name, _printable(getattr(self, own.name)))

    def __str__(self) -> str:
        where = f'{self.file}: {self.field}' if self.field else self.file
        return f'{where} is {self.found}; expected {self.expected}. {self.remedy}'


def _printable(text: str) -> str:
    """Escape control characters and what is no character at all (half a surrogate pair)."""
    if text.isprintable():
        return text
    return ''.join(c if c.isprintable() else c.encode('unicode_escape').decode() for c in text)


class AslprepError(Exception):
    """Something the user can act on; the root of the tree.

    Parameters
    ----------
    problems
        Everything that is wrong, at least one.
    """

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__(*self.problems)

    def __str__(self) -> str:
        return '\n'.join(str(problem) for problem in self.problems)


class UsageError(AslprepError):
    """The command line asks for something impossible: change the command."""


class MetadataError(AslprepError):
    """A sidecar or aslcontext.tsv is missing, incomplete or contradictory: mend the dataset."""


class ImageError(AslprepError):
    """An image cannot be read or holds nothing to process: convert or copy it again."""


class UnsupportedError(AslprepError):
    """The data are valid but no model here describes them: use another tool, or ask for it."""


class WeightsError(AslprepError):
    """The weights of a network cannot be used: get the file again, or another one."""


class OutputError(AslprepError):
    """A result cannot be written: make room, or choose another folder."""


class NothingToProcessError(AslprepError):
    """No ASL run matches: check the folder and the filters."""
