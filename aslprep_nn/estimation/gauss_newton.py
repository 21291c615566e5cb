"""Gauss-Newton steps within one arrival interval, with the exact model."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.estimation.repetitions import Summary
from aslprep_nn.signal.kinetics import Linearization
from aslprep_nn.signal.model import SignalModel

#: Steps from the point a cone gives: the second ends within a millionth of the least cost.
STEPS = 2
#: Relative fall of the cost in the last step after which another is worth taking.
STILL_FALLING = 1e-3


class Solution(NamedTuple):
    """The best point found, ``(voxel,)``, and its weighted sum of squared residuals.

    ``gain`` is how much the last step was to lower the cost, relative to it.
    """

    cbf: Tensor
    att: Tensor
    cost: Tensor
    gain: Tensor

    @property
    def unfinished(self) -> Tensor:
        """Where another step may still lower the cost."""
        return self.gain > STILL_FALLING


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
    ATT. The best point met is returned.

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
    low, high = interval
    regime = (low + high) / 2
    point = start[0], torch.minimum(torch.maximum(start[1], low), high)
    signal, weighted, cost = _evaluate(model, data, point, regime)
    best = latest = Solution(*point, cost, torch.zeros_like(cost))
    for _ in range(steps):
        cbf, att, decrease = _step(latest[:2], signal, weighted, data.weight, interval)
        signal, weighted, cost = _evaluate(model, data, (cbf, att), regime)
        latest = Solution(cbf, att, cost, decrease / cost)
        kept = cost <= data.with_rounding(best.cost)
        best = Solution(*(torch.where(kept, b, a) for a, b in zip(best, latest, strict=True)))
    return best


def _evaluate(
    model: SignalModel, data: Summary, point: tuple[Tensor, Tensor], regime: Tensor
) -> tuple[Linearization, Tensor, Tensor]:
    """Linearise at a point; give the misfit times the weight, and the cost."""
    signal = model.linearize(*point, regime)
    misfit = data.mean - signal.delta_m
    weighted = data.weight * misfit
    return signal, weighted, (weighted * misfit).sum(0)


def _step(
    point: tuple[Tensor, Tensor],
    signal: Linearization,
    weighted: Tensor,
    weight: Tensor,
    interval: tuple[Tensor, Tensor],
) -> tuple[Tensor, Tensor, Tensor]:
    """Take one step from a point; give the new one and how much the cost should fall.

    The signal is nearly linear in (CBF, CBF * ATT), so the step in ATT is taken in these
    coordinates: it is scaled by the old over the new CBF. ``weighted`` is the misfit times the
    weight.
    """
    cbf, att = point
    d_cbf, d_att = signal.d_cbf, signal.d_att
    tiny = torch.finfo(cbf.dtype).tiny
    weighted_d_cbf = weight * d_cbf
    cbf_cbf = (weighted_d_cbf * d_cbf).sum(0).clamp(min=tiny)
    cbf_att = (weighted_d_cbf * d_att).sum(0)
    toward_cbf = (weighted * d_cbf).sum(0)
    toward_att = (weighted * d_att).sum(0)
    coupling = cbf_att / cbf_cbf
    across = d_att - coupling * d_cbf
    att_alone = (weight * across.square()).sum(0).clamp(min=tiny)
    change = (toward_att - coupling * toward_cbf) / att_alone
    new_cbf = cbf + (toward_cbf - cbf_att * change) / cbf_cbf
    new_att = att + change * (cbf / new_cbf.clamp(min=tiny)).clamp(max=2)
    new_att = torch.minimum(torch.maximum(new_att, interval[0]), interval[1])

    moved = new_att - att
    share = moved / cbf.clamp(min=tiny)
    att_att = att_alone + coupling * cbf_att
    slope = toward_cbf + share * toward_att - moved * (cbf_att + share * att_att)
    bend = cbf_cbf + share * (2 * cbf_att + share * att_att)
    new_cbf = (cbf + slope / bend.clamp(min=tiny)).clamp(min=0)
    return new_cbf, new_att, toward_cbf * (new_cbf - cbf) + toward_att * moved
