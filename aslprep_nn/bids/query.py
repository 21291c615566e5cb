"""Finding the files of a dataset."""

from __future__ import annotations

import re
from pathlib import Path

from bids.layout import BIDSLayout, BIDSLayoutIndexer

from aslprep_nn.errors import NothingToProcessError, Problem

#: Folders that hold nothing this app reads. Indexing them is what makes pybids slow.
IGNORED = (
    r'^/(code|models|sourcedata|stimuli|derivatives|logs)',
    r'/\.',
    r'/(anat|beh|dwi|eeg|fmap|func|ieeg|meg|micr|motion|mrs|nirs|pet)(/|$)',
)


def open_dataset(
    bids_dir: Path, participants: tuple[str, ...] = (), sessions: tuple[str, ...] = ()
) -> BIDSLayout:
    """Index the perfusion files of a dataset.

    Parameters
    ----------
    bids_dir
        The dataset.
    participants, sessions
        Labels to look at; empty means all.
    """
    ignore = [re.compile(pattern) for pattern in IGNORED]
    ignore += [
        re.compile(rf'/{entity}-(?!(?:{"|".join(map(re.escape, labels))})(?:[_/]|$))[^/]*(?:/|$)')
        for entity, labels in (('sub', participants), ('ses', sessions))
        if labels
    ]
    indexer = BIDSLayoutIndexer(validate=False, index_metadata=False, ignore=ignore)
    return BIDSLayout(bids_dir, validate=False, indexer=indexer)


def find_series(
    layout: BIDSLayout, participants: tuple[str, ...] = (), sessions: tuple[str, ...] = ()
) -> tuple[Path, ...]:
    """List the ASL series, in the order of their names.

    Raises
    ------
    NothingToProcessError
        If there is none, or a participant or session asked for has none.
    """
    found = layout.get(suffix='asl', extension=['.nii', '.nii.gz'])
    paths = sorted(Path(file.path) for file in found)
    root = Path(layout.root)
    series = tuple(p for p in paths if p.relative_to(root).parts[0].startswith('sub-'))
    folder = Path(layout.root).name
    problems = [
        Problem(
            f'{folder}/{entity}-{label}',
            'perf/*_asl.nii[.gz]',
            'absent',
            'at least one ASL series',
            f'Check the spelling of {option}.',
        )
        for entity, option, labels in (
            ('sub', '--participant-label', participants),
            ('ses', '--session-label', sessions),
        )
        for label in labels
        if not any(f'{entity}-{label}' in path.parts for path in series)
    ]
    if not series and not problems:
        problems = [
            Problem(
                folder,
                'sub-*/[ses-*/]perf/*_asl.nii[.gz]',
                'absent',
                'at least one ASL series',
                'Check that the folder is a BIDS dataset.',
            )
        ]
    if problems:
        raise NothingToProcessError(problems)
    return series


def associated(layout: BIDSLayout, image: Path, suffix: str, extension: str) -> tuple[Path, ...]:
    """List the files that BIDS inheritance gives to an image, the nearest first.

    A file applies if it lies in the folder of the image or above it, and if the image has every
    entity that its name states. Among the files of one folder the more specific is nearer.
    """
    root = Path(layout.root)
    parts = set(image.name.split('.')[0].split('_')[:-1])
    found: list[Path] = []
    for folder in image.parents:
        stated = {
            path: path.name.removesuffix(extension).split('_')
            for path in folder.glob(f'*{suffix}{extension}')
        }
        found += sorted(
            (path for path, (*own, last) in stated.items() if last == suffix and parts >= set(own)),
            key=lambda path: (-len(stated[path]), path.name),
        )
        if folder == root:
            break
    return tuple(found)


def entities_of(path: Path) -> dict[str, str]:
    """Return the entities in a file's name, the subject and session by these words."""
    pairs = (part.partition('-') for part in path.name.split('.')[0].split('_'))
    long_names = {'sub': 'subject', 'ses': 'session'}
    return {long_names.get(name, name): label for name, dash, label in pairs if dash}
