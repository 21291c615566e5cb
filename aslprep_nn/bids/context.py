"""What each volume of a series shows: ``aslcontext.tsv``."""

from __future__ import annotations

from pathlib import Path

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.errors import MetadataError, Problem

HOW_TO_WRITE = (
    f'Write a TSV with the header "volume_type" and one row per volume: {", ".join(VolumeType)}.'
)


def read_context(
    path: Path | None, expected: Path, n_volumes: int, root: Path
) -> tuple[VolumeType, ...]:
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
        If it is absent, has no ``volume_type`` column, an unknown word, or another number of
        rows than the image has volumes.
    """
    if path is None:
        name = str(expected.relative_to(root))
        raise MetadataError(
            Problem(name, '', 'absent', f'{n_volumes} rows, one per volume', HOW_TO_WRITE)
        )
    name = str(path.relative_to(root))
    lines = path.read_text(encoding='utf-8-sig').split('\n')
    rows = [line.rstrip('\r').split('\t') for line in lines if line.strip()]
    header = rows[0] if rows else []
    if 'volume_type' not in header:
        found = f'absent from the header {header}'
        raise MetadataError(Problem(name, 'volume_type', found, 'a column', HOW_TO_WRITE))
    column = header.index('volume_type')
    words = [row[column] if column < len(row) else '' for row in rows[1:]]
    problems = [
        Problem(
            name,
            f'volume_type, row {number}',
            repr(word),
            f'one of {", ".join(VolumeType)}',
            HOW_TO_WRITE,
        )
        for number, word in enumerate(words, start=1)
        if word not in set(VolumeType)
    ]
    if len(words) != n_volumes:
        problems.append(
            Problem(
                name,
                'volume_type',
                f'{len(words)} rows',
                f'{n_volumes}, one per volume of the image',
                HOW_TO_WRITE,
            )
        )
    if problems:
        raise MetadataError(problems)
    return tuple(VolumeType(word) for word in words)
