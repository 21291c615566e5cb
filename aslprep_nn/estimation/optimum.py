"""The global least-squares optimum of every voxel: the best cone, refined, rivals compared."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.estimation.fan import Fan, Start
from aslprep_nn.estimation.gauss_newton import Solution, descend
from aslprep_nn.estimation.repetitions import Summary
from aslprep_nn.maps import FitStatus
from aslprep_nn.signal.model import SignalModel

#: Another interval is solved too where its cone leaves at most this much more unexplained ...
NEAR_TIE = 0.05
#: ... or where the optimum is this close to it, relative to its own interval.
NEAR_KINK = 0.1


class Optimum(NamedTuple):
    """The best point of each voxel, ``(voxel,)``, its cost and its `FitStatus`."""

    cbf: Tensor
    att: Tensor
    cost: Tensor
    status: Tensor


def find_optimum(fan: Fan, model: SignalModel, data: Summary) -> Optimum:
    """Find the global optimum of some voxels.

    The best cone at the fan's decay rate is refined with the exact model. Because the decay
    depends on flow, the best interval may be another one where two are nearly as good: the
    runner-up is refined too where its cone is within `NEAR_TIE` of the residual, and so is the
    neighbour of an optimum on or near a kink.
    """
    projection = fan.project(data)
    explained, cone = projection.energy.max(0)
    start = fan.start(projection, cone)
    best = descend(model, data, (start.cbf, start.att), fan.bounds(start.interval))
    interval = start.interval

    rival_energy, rival_cone = fan.without(projection.energy, interval).max(0)
    total = (data.weight * data.mean.square()).sum(0)
    near_tie = explained - rival_energy <= NEAR_TIE * (total - explained)
    runner_up = fan.start(projection, rival_cone)
    beside = fan.beside(interval, best.att, NEAR_KINK)
    neighbor = Start(best.cbf, best.att, beside)
    for rival, worth_it in ((runner_up, near_tie), (neighbor, beside != interval)):
        voxels = worth_it.nonzero().squeeze(-1)
        challenger = Start(*(part[voxels] for part in rival))
        solved = descend(
            model.at(voxels),
            data.at(voxels),
            (challenger.cbf, challenger.att),
            fan.bounds(challenger.interval),
        )
        wins = solved.cost < best.cost[voxels]
        voxels = voxels[wins]
        best = Solution(
            *(a.index_put((voxels,), b[wins]) for a, b in zip(best, solved, strict=True))
        )
        interval = interval.index_put((voxels,), challenger.interval[wins])
    return Optimum(*best, _status(fan, best, interval, data))


def _status(fan: Fan, best: Solution, interval: Tensor, data: Summary) -> Tensor:
    """Say what kind of optimum each voxel has; later rules overrule earlier ones."""
    low, high = fan.bounds(interval)
    at_low, at_high = best.att <= low, best.att >= high
    first = at_low & (interval == 0)
    last = at_high & (interval == len(fan.flat) - 1)
    flat = fan.flat[interval] | (first & fan.open_ends[0]) | (last & fan.open_ends[1])
    status = torch.full_like(interval, FitStatus.CONVERGED, dtype=torch.uint8)
    status[at_low | at_high] = FitStatus.ON_KINK
    status[first | last] = FitStatus.AT_BOUND
    status[flat] = FitStatus.ATT_NOT_IDENTIFIABLE
    status[best.cbf <= 0] = FitStatus.AT_BOUND
    status[(data.n_timings < 2) | ~torch.isfinite(best.cost)] = FitStatus.FAILED
    return status
