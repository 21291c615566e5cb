"""How far maps from half of the data lie from maps from all of it, and what that is worth.

Where the truth is known, it can be put to the same test as any estimator.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.estimation.benchmark.scenarios import Row, Table
from aslprep_nn.estimation.series import PerfusionSeries
from aslprep_nn.evaluation.conditions import Condition, measured
from aslprep_nn.evaluation.estimators import Family, Key, baselines, by_network, least_squares
from aslprep_nn.evaluation.phantoms import Phantoms
from aslprep_nn.evaluation.scores import Parameter
from aslprep_nn.evaluation.tables import UNITS
from aslprep_nn.maps import FitStatus
from aslprep_nn.network.model import AmplitudeAwareNetwork
from aslprep_nn.network.samples import series_of
from aslprep_nn.simulation.lesions import MOST_FLOW
from aslprep_nn.simulation.training import TrainingBatch

#: Sigma of the smoothed reference [voxel].
REFERENCE_SIGMA = 0.7
COMPARED = (
    Family.LEAST_SQUARES,
    Family.POSTERIOR,
    Family.SMOOTHED,
    Family.HYBRID_AS_SHIPPED,
    Family.LEAST_ERROR,
    Family.LEAST_BIAS,
)
TRUTH = 'the truth'
#: A protocol as short as those of many scanners.
PROTOCOL = 'PCASL, 6 delays'

#: Estimates ``(parameter, voxel)`` by the name of the estimator.
Maps = Mapping[str, Tensor]


class Halved(NamedTuple):
    """A series and the two independent parts of it."""

    whole: PerfusionSeries
    halves: tuple[PerfusionSeries, PerfusionSeries]


def is_told(series: PerfusionSeries) -> Tensor:
    """Say in which voxels least squares converges, ``(voxel,)``."""
    status = least_squares(series.measurements()).status
    return (status == FitStatus.CONVERGED) | (status == FitStatus.ON_KINK)


def estimates(
    series: PerfusionSeries, network: AmplitudeAwareNetwork | None, told: Tensor
) -> dict[str, Tensor]:
    """Estimate a series in the voxels that are told, ``(parameter, voxel)``."""
    found = dict(baselines(series))
    if network is not None:
        found.update(by_network(network, series))
    return {
        _name(key): one.values[:, series.inside][:, told]
        for key, one in found.items()
        if key.family in COMPARED and key.setting != (0.0,)
    }


def distance_rows(everything: Maps, halves: Sequence[Maps]) -> tuple[Row, ...]:
    """Compare maps from either half with least squares of all, and of the other half.

    Distances are root mean squares over voxels, averaged over both halves.
    """
    plain, smooth = str(Family.LEAST_SQUARES), _name(Key(Family.SMOOTHED, (REFERENCE_SIGMA,)))
    references = {
        'LSQ of all': (everything[plain], everything[plain]),
        'LSQ of the other half': (halves[1][plain], halves[0][plain]),
        f'{smooth} of all': (everything[smooth], everything[smooth]),
    }
    if TRUTH in everything:
        references[TRUTH] = (everything[TRUTH], everything[TRUTH])
    rows = []
    for name in halves[0]:
        row: Row = {'from half of the data': name}
        for reference, pair in references.items():
            moved = [distance(half[name], other) for half, other in zip(halves, pair, strict=True)]
            for parameter in Parameter:
                factor, unit = UNITS[parameter]
                mean = factor * sum(one[parameter] for one in moved) / len(moved)
                row[f'{parameter.name} to {reference} [{unit}]'] = f'{mean:.3g}'
        rows.append(row)
    return tuple(rows)


def distance(one: Tensor, other: Tensor) -> list[float]:
    """Compare two estimates, ``(parameter, voxel)``, where both exist; flow up to a limit."""
    limit = torch.tensor([MOST_FLOW, torch.inf]).to(one).unsqueeze(-1)
    change = torch.minimum(one, limit) - torch.minimum(other, limit)
    distances: list[float] = change.square().nanmean(1).sqrt().tolist()
    return distances


def simulated_table(
    title: str,
    scans: Sequence[tuple[Halved, Tensor]],
    network: AmplitudeAwareNetwork | None,
) -> Table:
    """Put the truth to the same test: a map without any error of its own.

    Parameters
    ----------
    title
        What the scans are.
    scans
        Of `simulated_halves`; all slices count.
    network
        The network, if there is one.
    """
    everything: dict[str, list[Tensor]] = defaultdict(list)
    halves: tuple[dict[str, list[Tensor]], ...] = (defaultdict(list), defaultdict(list))
    n_told = 0
    for scan, truth in scans:
        told = is_told(scan.whole)
        n_told += int(told.sum())
        for kept, series in zip((everything, *halves), (scan.whole, *scan.halves), strict=True):
            found = estimates(series, network, told) | {TRUTH: truth[:, told]}
            for estimator, values in found.items():
                kept[estimator].append(values)
    joined = [
        {estimator: torch.cat(parts, 1) for estimator, parts in kept.items()}
        for kept in (everything, *halves)
    ]
    question = (
        f'{title}, {PROTOCOL}: the same distances, {n_told} voxels where least squares converged '
        'on all data.'
    )
    return Table(f'stability, {title}', question, distance_rows(joined[0], joined[1:]))


def simulated_halves(phantoms: Phantoms, snr: float, seed: int) -> Iterator[tuple[Halved, Tensor]]:
    """Measure phantoms in two halves.

    Parameters
    ----------
    phantoms
        The brains.
    snr
        Of half of the data.
    seed
        Of the noise.

    Yields
    ------
    Each phantom's series, and its truth ``(parameter, voxel)``.
    """
    for batch in measured(phantoms, Condition(snr, PROTOCOL), seed):
        for phantom in range(len(batch.mask)):
            two = series_of(batch, 0, phantom), series_of(batch, 1, phantom)
            whole = _whole(*two)
            yield Halved(whole, two), _truth(batch, phantom, whole)


def _whole(one: PerfusionSeries, other: PerfusionSeries) -> PerfusionSeries:
    """Join two measurements of the same phantom by the same protocol."""
    weights = one.weights
    return replace(
        one,
        relative_delta_m=(one.relative_delta_m + other.relative_delta_m) / 2,
        noise=((one.noise.square() + other.noise.square()) / 2).sqrt(),
        weights=None if weights is None else 2 * weights,
    )


def _truth(batch: TrainingBatch, phantom: int, series: PerfusionSeries) -> Tensor:
    maps = torch.stack([batch.cbf[phantom], batch.att[phantom]])
    return maps[:, series.inside]


def _name(key: Key) -> str:
    if key.family is Family.SMOOTHED:
        return f'LSQ σ {key.setting[0]:g}'
    return str(key.family)
