"""How much single voxels really differ: what both halves of the data agree on.

Noise of one half is not that of the other, so that the covariance of their maps is that of the
truth, of a voxel with itself and with its neighbours. It says whether simulated brains are as
rough as real ones.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from aslprep_nn.estimation.benchmark.scenarios import Row
from aslprep_nn.estimation.series import PerfusionSeries
from aslprep_nn.evaluation.estimators import Estimates, least_squares, of_fit
from aslprep_nn.evaluation.halving import Halved
from aslprep_nn.evaluation.scores import Parameter
from aslprep_nn.evaluation.tables import UNITS

#: Voxels compared: standard deviation of ATT from all data at most [s], and CBF within
#: [mL/100 g/min].
MOST_ATT_STD, FLOWS = 0.15, (15.0, 120.0)
#: Flow from half of the data beyond which least squares has lost its way.
MOST_FLOW_OF_HALF = 150.0
#: Distances along x and y [voxel].
LAGS = (0, 1, 2, 3)


def texture_row(name: str, scans: Iterable[Halved]) -> Row:
    """Measure what both halves agree on.

    Returns
    -------
    By parameter the standard deviation that voxels reproduce, and its correlation with the
    voxels one to three further along x or y.
    """
    pairs: dict[int, list[Tensor]] = {lag: [] for lag in LAGS}
    for scan in scans:
        first, second = (_maps(half) for half in scan.halves)
        usable = _is_usable(_maps(scan.whole), (first, second))
        for lag in LAGS:
            pairs[lag].append(_pairs_at(first.values, second.values, usable, lag))
    row: Row = {'brain': name}
    covariance = {lag: _covariance(torch.cat(parts, -1)) for lag, parts in pairs.items()}
    for parameter in Parameter:
        factor, unit = UNITS[parameter]
        variance = covariance[0][parameter].item()
        row[f'{parameter.name}, sd [{unit}]'] = f'{factor * max(variance, 0.0) ** 0.5:.3g}'
        for lag in LAGS[1:]:
            share = covariance[lag][parameter].item() / variance
            row[f'{parameter.name}, {lag} apart'] = f'{share:.2f}'
    return row


def _maps(series: PerfusionSeries) -> Estimates:
    return of_fit(series, least_squares(series.measurements()))


def _is_usable(whole: Estimates, halves: tuple[Estimates, Estimates]) -> Tensor:
    """Say where all three fits are worth comparing, ``(slice, x, y)``."""
    cbf = whole.values[Parameter.CBF]
    usable: Tensor = (
        (whole.std[Parameter.ATT] <= MOST_ATT_STD) & (cbf >= FLOWS[0]) & (cbf <= FLOWS[1])
    )
    for half in halves:
        usable &= half.values.isfinite().all(0) & (half.values[0] <= MOST_FLOW_OF_HALF)
    return usable


def _pairs_at(one: Tensor, other: Tensor, usable: Tensor, lag: int) -> Tensor:
    """Pair voxels of two maps that lie so far apart, ``(map, parameter, pair)``."""
    found = []
    for axis in (-2, -1) if lag else (-1,):
        length = usable.shape[axis] - lag
        here, there = usable.narrow(axis, lag, length), usable.narrow(axis, 0, length)
        both = here & there
        pair = one.narrow(axis, lag, length)[:, both], other.narrow(axis, 0, length)[:, both]
        found.append(torch.stack(pair))
    return torch.cat(found, -1)


def _covariance(pairs: Tensor) -> Tensor:
    """Reduce ``(map, parameter, pair)`` to ``(parameter,)``."""
    centred = pairs - pairs.mean(-1, keepdim=True)
    return centred.prod(0).mean(-1)
