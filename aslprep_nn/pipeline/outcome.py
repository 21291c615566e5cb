"""What those who do the work tell those who hand it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from aslprep_nn.report.records import RunRecord


class Step(NamedTuple):
    """A step of a run that starts or ends.

    Parameters
    ----------
    run, name
        Whose, and which.
    status
        'start', 'end' or 'exception'.
    share
        Of all steps of the run [1].
    """

    run: str
    name: str
    status: str
    share: float


class Line(NamedTuple):
    """Something to say: a level of `logging`, and a sentence that starts with its run."""

    level: int
    text: str


#: Whoever wants to know how far the work is.
Listener = Callable[[Step], None]


class End(StrEnum):
    """How the work on a run ended."""

    DONE = 'done'
    #: Before, with the same input and options.
    DONE_BEFORE = 'done before'
    #: CBF made elsewhere was passed on.
    GIVEN = 'given'
    REFUSED = 'refused'
    FAILED = 'failed'
    #: Another process works on it.
    BUSY = 'busy'


@dataclass(frozen=True)
class Outcome:
    """What became of one run.

    Parameters
    ----------
    run, subject
        Its name; its subject without ``sub-``.
    end
        How it ended.
    record
        What was written down in this call; None where nothing was.
    work_bytes
        What its intermediate files took on disk [B].
    work_is_kept
        True where they are still there.
    memory
        The most that its process held [B].
    """

    run: str
    subject: str
    end: End
    record: RunRecord | None = None
    work_bytes: int = 0
    work_is_kept: bool = False
    memory: int = 0

    @property
    def is_failure(self) -> bool:
        """True where the run has no result that fits its input and options."""
        return self.end in (End.REFUSED, End.FAILED, End.BUSY)
