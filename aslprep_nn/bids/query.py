"""Finding the files of a dataset."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from aslprep_nn.errors import ImageError, NothingToProcessError, Problem

SERIES = re.compile(r'.*_asl\.nii(\.gz)?')


@dataclass(frozen=True)
class Dataset:
    """The perfusion images of a BIDS dataset.

    Looking into the folders of the subjects takes a fraction of a second for a thousand of
    them; an index of all files (pybids) took 18 s, and .4 s more for every question.

    Parameters
    ----------
    root
        The dataset.
    series
        Its ``_asl`` images, in the order of their names.
    problems
        Folders that may not be read: what is in them would be missed without a word.
    """

    root: Path
    series: tuple[Path, ...]
    problems: tuple[Problem, ...] = ()

    @cached_property
    def top(self) -> tuple[Path, ...]:
        """What lies beside the subjects: looked at once, for there may be a thousand of them."""
        return tuple(path for path in self.root.glob('*') if not path.name.startswith('sub-'))


def open_dataset(
    bids_dir: Path, participants: tuple[str, ...] = (), sessions: tuple[str, ...] = ()
) -> Dataset:
    """Find the ASL series of a dataset.

    Parameters
    ----------
    bids_dir
        The dataset.
    participants, sessions
        Labels to look at; empty means all.
    """
    problems: list[Problem] = []
    look = partial(content_of, root=bids_dir, problems=problems)
    named = {bids_dir / f'sub-{label}' for label in participants}
    found: list[Path] = []
    for subject in sorted(named or bids_dir.glob('sub-*')):
        content = look(subject)
        visits = [path for path in content if path.name.startswith('ses-')]
        for folder in (subject, *visits) if content else ():
            found += [path for path in look(folder / 'perf') if SERIES.fullmatch(path.name)]
    wanted = {f'ses-{label}' for label in sessions}
    series = (path for path in found if not wanted or wanted & set(path.parts))
    return Dataset(bids_dir, tuple(sorted(series)), tuple(problems))


def content_of(folder: Path, *, root: Path, problems: list[Problem]) -> list[Path]:
    """List what is in a folder, nothing if there is none; note if it may not be read.

    Parameters
    ----------
    folder
        Where to look.
    root
        The dataset, which its name is shown relative to.
    problems
        Where the note goes.
    """
    try:
        return list(folder.iterdir()) if folder.is_dir() else []
    except PermissionError:
        remedy = 'Change its permissions, or leave the participant out by --participant-label.'
        file, expected = str(folder.relative_to(root)), 'a folder that may be read'
        problems.append(Problem(file, '', 'not readable', expected, remedy))
        return []


def find_series(
    dataset: Dataset, participants: tuple[str, ...] = (), sessions: tuple[str, ...] = ()
) -> tuple[Path, ...]:
    """List the ASL series, and complain where one that was asked for is not there.

    Raises
    ------
    NothingToProcessError
        If there is none, or a participant or session asked for has none.
    ImageError
        If there is none in the folders that may be read.
    """
    if dataset.problems and not dataset.series:
        raise ImageError(dataset.problems)
    seen = [*dataset.series, *(dataset.root / problem.file for problem in dataset.problems)]
    folder = dataset.root.name
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
        if not any(f'{entity}-{label}' in path.parts for path in seen)
    ]
    if not dataset.series and not problems:
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
    return dataset.series


def associated(dataset: Dataset, image: Path, suffix: str, extension: str) -> tuple[Path, ...]:
    """List the files that BIDS inheritance gives to an image, the nearest first.

    A file applies if it lies in the folder of the image or above it, and if the image has every
    entity that its name states. Among the files of one folder the more specific is nearer.
    """
    parts = set(image.name.split('.')[0].split('_')[:-1])
    found: list[Path] = []
    for folder in image.parents:
        beside = dataset.top if folder == dataset.root else folder.glob('*')
        stated = {
            path: path.name.removesuffix(extension).split('_')
            for path in beside
            if path.name.endswith(f'{suffix}{extension}')
        }
        found += sorted(
            (path for path, (*own, last) in stated.items() if last == suffix and parts >= set(own)),
            key=lambda path: (-len(stated[path]), path.name),
        )
        if folder == dataset.root:
            break
    return tuple(found)


def entities_of(path: Path) -> dict[str, str]:
    """Return the entities in a file's name, the subject and session by these words."""
    pairs = (part.partition('-') for part in path.name.split('.')[0].split('_'))
    long_names = {'sub': 'subject', 'ses': 'session'}
    return {long_names.get(name, name): label for name, dash, label in pairs if dash}
