"""What each volume of a series shows: ``aslcontext.tsv``."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.bids.sidecar import abbreviated, read_text
from aslprep_nn.errors import MetadataError, Problem
from aslprep_nn.preprocessing.pairs import Pair, pair_volumes

HOW_TO_WRITE = (
    f'Write a TSV with the header "volume_type" and one row per volume: {", ".join(VolumeType)}.'
)
#: More rows or words than this tell nobody more.
MOST_SHOWN = 10


@dataclass(frozen=True)
class Context:
    """What the volumes of a series show, and the file that says so.

    Parameters
    ----------
    file
        As people should see it.
    volume_types
        One per volume, at least one.
    """

    file: str
    volume_types: tuple[VolumeType, ...]


def read_context(path: Path | None, expected: Path, n_volumes: int, root: Path) -> Context:
    """Read the type of every volume.

    Parameters
    ----------
    path
        The file, None if there is none.
    expected
        Where it should be.
    n_volumes
        Of the image.
    root
        The dataset, which file names are shown relative to.

    Raises
    ------
    MetadataError
        If it is absent or unreadable, has no ``volume_type`` column, an unknown word, or
        another number of rows than the image has volumes.
    """
    if path is None:
        name = str(expected.relative_to(root))
        raise MetadataError(
            Problem(name, '', 'absent', f'{n_volumes} rows, one per volume', HOW_TO_WRITE)
        )
    name = str(path.relative_to(root))
    words = _words(path, name)
    problems = _unknown_words(words, name)
    if len(words) != n_volumes:
        expectation = f'{n_volumes}, one per volume of the image'
        problems.append(
            Problem(name, 'volume_type', f'{len(words)} rows', expectation, HOW_TO_WRITE)
        )
    if problems:
        raise MetadataError(problems)
    return Context(name, tuple(VolumeType(word) for word in words))


def read_pairs(context: Context, timings: Sequence[tuple[float, float]]) -> tuple[Pair, ...]:
    """Match labels with controls; () where differences are given instead.

    Parameters
    ----------
    context
        What each volume shows.
    timings
        Delay and labelling duration of each volume [s].

    Raises
    ------
    MetadataError
        If the volumes are no measurement of delta M, or one lacks its partner.
    """
    volume_types = context.volume_types
    _check_partners(context, timings)
    has_differences = VolumeType.DELTAM in volume_types
    if has_differences == (VolumeType.LABEL in volume_types):
        found = 'both kinds' if has_differences else 'neither kind'
        expected = 'either control/label pairs or deltam volumes'
        raise _unusable(context, found, expected, 'Correct aslcontext.tsv.')
    return pair_volumes(volume_types, timings)


def _words(path: Path, name: str) -> list[str]:
    """Return the column of types; blanks around a word are no part of it."""
    text = read_text(path, name, 'a TSV in UTF-8')
    lines = [line for line in text.split('\n') if line.strip()]
    rows = [[word.strip() for word in line.split('\t')] for line in lines]
    header = rows[0] if rows else []
    if 'volume_type' not in header:
        shown = abbreviated(repr(lines[0])) if lines else 'nothing'
        found = f'absent from the first line, {shown}'
        raise MetadataError(Problem(name, 'volume_type', found, 'a column', HOW_TO_WRITE))
    column = header.index('volume_type')
    return [row[column] if column < len(row) else '' for row in rows[1:]]


def _unknown_words(words: Sequence[str], name: str) -> list[Problem]:
    """Name each unknown word once, with its rows."""
    rows = defaultdict(list)
    for number, word in enumerate(words, start=1):
        if word not in set(VolumeType):
            rows[word].append(str(number))
    expected = f'one of {", ".join(VolumeType)}'
    problems = [
        Problem(
            name,
            f'volume_type, row{"s" if len(numbers) > 1 else ""} {_some(numbers)}',
            abbreviated(repr(word)),
            expected,
            _spelling(word) or HOW_TO_WRITE,
        )
        for word, numbers in rows.items()
    ]
    return problems[:MOST_SHOWN]


def _some(numbers: Sequence[str]) -> str:
    """List the first rows, and say how many more there are."""
    rest = len(numbers) - MOST_SHOWN
    return ', '.join(numbers[:MOST_SHOWN]) + (f' and {rest} more' if rest > 0 else '')


def _spelling(word: str) -> str:
    """Suggest the word that was meant."""
    meant = [known for known in VolumeType if known.lower() == word.strip('"\'').lower()]
    return f'Write {meant[0]}: capitals matter, and there are no quotes.' if meant else ''


def _check_partners(context: Context, timings: Sequence[tuple[float, float]]) -> None:
    controls, labels = (
        Counter(
            when for when, found in zip(timings, context.volume_types, strict=True) if found is kind
        )
        for kind in (VolumeType.CONTROL, VolumeType.LABEL)
    )
    wrong = sorted(when for when in controls | labels if controls[when] != labels[when])
    if wrong:
        several = len({duration for _, duration in timings}) > 1
        found = '; '.join(
            f'{controls[when]} control and {labels[when]} label at PLD {when[0]:g} s'
            + (f' after {when[1]:g} s of labelling' if several else '')
            for when in wrong
        )
        raise _unusable(
            context,
            found,
            'as many controls as labels at every delay',
            'Correct aslcontext.tsv, or remove the volume without a partner and its entries.',
            field='volume_type and PostLabelingDelay',
        )


def _unusable(
    context: Context, found: str, expected: str, remedy: str, *, field: str = 'volume_type'
) -> MetadataError:
    return MetadataError(Problem(context.file, field, found, expected, remedy))
