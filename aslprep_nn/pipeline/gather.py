"""The step where the estimates of all estimators meet: which is primary, how they differ."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from aslprep_nn.bids.kinds import of_estimator
from aslprep_nn.errors import Problem
from aslprep_nn.pipeline.images import load, save
from aslprep_nn.run import Estimation, NotOffered
from aslprep_nn.settings import Estimator

#: What every estimator makes where it can.
QUANTITIES = ('cbf', 'att', 'std_cbf', 'std_att', 'fitstatus')


class Gathered(NamedTuple):
    """Maps by their names in `bids.kinds.KINDS`, and which estimators made them."""

    maps: tuple[Path, ...]
    estimation: Estimation


def gather_estimates(
    *,
    estimation: Estimation,
    least_squares: tuple[Path, ...],
    folder: Path,
    trust_maps: tuple[Path, ...] = (),
    hybrid: tuple[Path, ...] = (),
    hybrid_problems: Path | None = None,
    network: tuple[Path, ...] = (),
    network_problems: Path | None = None,
) -> Gathered:
    """Name the maps of all estimators, and compare the network with least squares.

    An estimator whose step found problems is left out. What only least squares and the tests
    make (arterial blood, statistics) keeps its names; standard deviations that the tests found
    replace those of the fit.
    """
    tested = _by_name(trust_maps)
    made = {
        Estimator.LEAST_SQUARES: _by_name(least_squares) | tested,
        Estimator.HYBRID: _by_name(hybrid),
        Estimator.NETWORK: _by_name(network),
    }
    problems = {Estimator.HYBRID: hybrid_problems, Estimator.NETWORK: network_problems}
    for estimator, path in problems.items():
        if path is not None and (found := _read(path)):
            estimation = estimation.without(NotOffered(estimator, found))
    named = {
        of_estimator(quantity, estimator, primary=estimation.primary): made[estimator][quantity]
        for estimator in estimation.estimators
        for quantity in QUANTITIES
        if quantity in made[estimator]
    }
    own = made[Estimator.LEAST_SQUARES] if Estimator.LEAST_SQUARES in estimation.estimators else {}
    named |= {name: path for name, path in (own | tested).items() if name not in QUANTITIES}
    maps = [Path(shutil.copyfile(path, folder / f'{n}.nii.gz')) for n, path in named.items()]
    if {Estimator.LEAST_SQUARES, Estimator.NETWORK} <= set(estimation.estimators):
        maps.append(_difference(made, folder))
    return Gathered(tuple(maps), estimation)


def _difference(made: Mapping[Estimator, Mapping[str, Path]], folder: Path) -> Path:
    """Subtract CBF of least squares from that of the network."""
    network, affine = load(made[Estimator.NETWORK]['cbf'])
    fitted = load(made[Estimator.LEAST_SQUARES]['cbf']).data
    return save(folder / 'difference_cbf.nii.gz', network - fitted, affine)


def _by_name(paths: tuple[Path, ...]) -> dict[str, Path]:
    return {path.name.removesuffix('.nii.gz'): path for path in paths}


def _read(path: Path) -> tuple[Problem, ...]:
    return tuple(Problem(**facts) for facts in json.loads(path.read_text(encoding='utf-8')))
