"""Which T1-weighted image belongs to a series."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from aslprep_nn.bids.image import check_image
from aslprep_nn.bids.query import Dataset, content_of
from aslprep_nn.errors import ImageError, Problem
from aslprep_nn.run import Anatomy

IMAGE = re.compile(r'sub-.*_T1w\.nii(\.gz)?')
SIDECAR = re.compile(r'sub-.*_T1w\.json')


def choose_t1w(dataset: Dataset, series: Path) -> Anatomy:
    """Choose the T1w of a subject: of the session of the series, else of another one.

    Of several in one folder the first by name is taken, as are the sessions in the order of
    their names. One that cannot be read is left out and named: CBF does not need it.

    Parameters
    ----------
    dataset
        The dataset.
    series
        An ``_asl`` image of it.
    """
    problems: list[Problem] = []
    own = f'{series.relative_to(dataset.root).parts[0]}_'
    for folder in _folders(dataset, series, problems):
        names = content_of(folder, root=dataset.root, problems=problems)
        found = sorted(path for path in names if IMAGE.fullmatch(path.name))
        images = [path for path in found if path.name.startswith(own)]
        problems += [_of_another(path, dataset.root) for path in found if path not in images]
        for path in images:
            try:
                check_image(path, dataset.root, dimensions=(3, 4))
            except ImageError as error:
                problems += error.problems
            else:
                return Anatomy(path, tuple(problems))
        if not images:
            problems += [
                _without_image(path, dataset.root)
                for path in sorted(names)
                if SIDECAR.fullmatch(path.name)
            ]
    return Anatomy(None, tuple(problems))


def _folders(dataset: Dataset, series: Path, problems: list[Problem]) -> Iterator[Path]:
    """Yield where a T1w may lie, the nearest place first."""
    own = series.parent.parent
    subject = dataset.root / series.relative_to(dataset.root).parts[0]
    look = partial(content_of, root=dataset.root, problems=problems)
    yield own / 'anat'
    visits = (path for path in look(subject) if path.name.startswith('ses-'))
    for place in sorted({subject, *visits} - {own}):
        yield place / 'anat'


def _of_another(path: Path, root: Path) -> Problem:
    return Problem(
        str(path.relative_to(root)),
        '',
        'named after another subject',
        'a T1w of the subject of its folder',
        'Move it to its subject, or rename it.',
    )


def _without_image(sidecar: Path, root: Path) -> Problem:
    return Problem(
        str(sidecar.relative_to(root)),
        '',
        'alone',
        'an image of the same name beside it',
        'Copy the image, too, or remove the sidecar.',
    )
