"""Which M0 image belongs to a series."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import NamedTuple

from aslprep_nn.bids.query import Dataset, associated, entities_of
from aslprep_nn.bids.sidecar import Json, read_sidecar
from aslprep_nn.errors import MetadataError


class M0Choice(NamedTuple):
    """The M0 image of a series, and those that fit as well and were not taken."""

    path: Path
    rivals: tuple[Path, ...]


class _Rank(NamedTuple):
    """How well an image fits; compared from left to right, the greatest wins."""

    is_intended: bool
    n_shared_entities: int


def choose_m0scan(dataset: Dataset, series: Path) -> M0Choice | None:
    """Choose the M0 image of a series; None where none belongs to it.

    Only images in the folder of the series are looked at: an ``m0scan`` in ``fmap`` is there
    to correct distortion. One whose ``IntendedFor`` names the series comes first, and one
    whose ``IntendedFor`` names other files only is left out. One without ``IntendedFor`` is
    left out if an entity that both names have differs, as in run-1 and run-2. Among the rest
    more shared entities win; among equals the one with the fewest entities is taken, then the
    first by name, and the others are returned as its rivals.

    Parameters
    ----------
    dataset
        The dataset.
    series
        An ``_asl`` image of it.
    """
    paths = [*series.parent.glob('*_m0scan.nii'), *series.parent.glob('*_m0scan.nii.gz')]
    ranks = {
        path: rank
        for path in paths
        if (rank := _rank(dataset, path=path, series=series)) is not None
    }
    if not ranks:
        return None
    highest = max(ranks.values())
    best = [path for path, rank in ranks.items() if rank == highest]
    best.sort(key=lambda path: (len(entities_of(path)), path.name))
    return M0Choice(best[0], tuple(best[1:]))


def _rank(dataset: Dataset, *, path: Path, series: Path) -> _Rank | None:
    """Rank an image; None if it belongs to another series."""
    ours, its = entities_of(series), entities_of(path)
    n_shared = len(ours.items() & its.items())
    targets = _intended_for(dataset, path)
    if targets:
        is_intended = not targets.isdisjoint(_spellings(series, dataset.root))
        return _Rank(True, n_shared) if is_intended else None
    contradicts = n_shared < len(ours.keys() & its.keys())
    return None if contradicts else _Rank(False, n_shared)


def _intended_for(dataset: Dataset, path: Path) -> set[str]:
    """Return what the sidecar names, without extension; nothing where it cannot be read.

    An unreadable sidecar is complained about when the image is taken.
    """
    root = dataset.root
    try:
        own = read_sidecar(associated(dataset, path, 'm0scan', '.json'), root, path.name)
    except MetadataError:
        return set()
    stated: Json = own.values.get('IntendedFor')
    names = stated if isinstance(stated, list) else [stated]
    return {_without_extension(name) for name in names if isinstance(name, str) and name}


def _spellings(series: Path, root: Path) -> set[str]:
    """Return the ways to name a series: a URI, or a path from the subject or the dataset."""
    relative = _without_extension(series.relative_to(root).as_posix())
    return {f'bids::{relative}', relative.partition('/')[2], relative}


def _without_extension(name: str) -> str:
    return str(PurePosixPath(name)).removesuffix('.gz').removesuffix('.nii')
