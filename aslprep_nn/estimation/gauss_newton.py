"""Gauss-Newton steps within one arrival interval, with the exact model."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.estimation.repetitions import Summary
from aslprep_nn.signal.kinetics import Linearization
from aslprep_nn.signal.model import SignalModel

#: The cones already solve the problem up to the dependence of the decay on flow.
STEPS = 2


class Solution(NamedTuple):
    """The best point found, ``(voxel,)``, and its weighted sum of squared residuals."""

    cbf: Tensor
    att: Tensor
    cost: Tensor

    def better_of(self, other: Solution) -> Solution:
        """Keep whichever costs less, voxel by voxel."""
        wins = other.cost < self.cost
        return Solution(*(torch.where(wins, b, a) for a, b in zip(self, other, strict=True)))


def descend(
    model: SignalModel,
    data: Summary,
    start: tuple[Tensor, Tensor],
    interval: tuple[Tensor, Tensor],
    *,
    steps: int = STEPS,
) -> Solution:
    """Move to the least-squares optimum of an interval from a nearby point.

    Where a step leaves the interval ATT stops at its edge and CBF is solved again for that
    ATT. The best point met is returned, so a step never makes a voxel worse.

    Parameters
    ----------
    model
        The exact model of these voxels.
    data
        Their measurements.
    start
        CBF and ATT to start from, ``(voxel,)`` each.
    interval
        The edges of each voxel's interval, ``(voxel,)`` each [s].
    steps
        Number of steps.
    """
    cbf, att = start
    regime = (interval[0] + interval[1]) / 2
    best = Solution(cbf, att, torch.full_like(cbf, torch.inf))
    for step in range(steps + 1):
        signal = model.linearize(cbf, att, regime)
        misfit = data.mean - signal.delta_m
        weighted = data.weight * misfit
        best = best.better_of(Solution(cbf, att, (weighted * misfit).sum(0)))
        if step < steps:
            cbf, att = _step((cbf, att), signal, weighted, data.weight, interval)
    return best


def _step(
    point: tuple[Tensor, Tensor],
    signal: Linearization,
    weighted: Tensor,
    weight: Tensor,
    interval: tuple[Tensor, Tensor],
) -> tuple[Tensor, Tensor]:
    """Take one step; ``weighted`` is the misfit times the weight."""
    cbf, att = point
    tiny = torch.finfo(cbf.dtype).tiny
    weighted_d_cbf = weight * signal.d_cbf
    along = (weighted_d_cbf * signal.d_cbf).sum(0).clamp(min=tiny)
    coupling = (weighted_d_cbf * signal.d_att).sum(0) / along
    toward_cbf = (weighted * signal.d_cbf).sum(0) / along
    across = signal.d_att - coupling * signal.d_cbf
    curvature = (weight * across.square()).sum(0).clamp(min=tiny)
    new_att = att + (weighted * across).sum(0) / curvature
    new_att = torch.minimum(torch.maximum(new_att, interval[0]), interval[1])
    return (cbf + toward_cbf - coupling * (new_att - att)).clamp(min=0), new_att
