"""Gauss-Newton steps within one arrival interval, with the exact model."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.estimation.repetitions import Summary
from aslprep_nn.signal.kinetics import Linearization
from aslprep_nn.signal.model import SignalModel

#: Relative fall of the cost in a step after which another one is taken. Where the signal is
#: nearly linear in a step's coordinates, a smaller fall ends within a millionth of the least
#: cost; a model that bends between kinks needs the second number for that.
STILL_FALLING, STILL_FALLING_IF_BENT = 5e-4, 1e-6
MOST_STEPS = 8


class Solution(NamedTuple):
    """The best point found, ``(voxel,)``, and its weighted sum of squared residuals."""

    cbf: Tensor
    att: Tensor
    cost: Tensor


#: Takes the model, the data, where to start and the interval; see `gauss_newton_step`.
Step = Callable[
    [SignalModel, Summary, tuple[Tensor, Tensor], tuple[Tensor, Tensor]], tuple[Solution, Tensor]
]


@lru_cache(maxsize=1)
def compiled_step() -> Step:
    """Compile `gauss_newton_step` for any number of voxels; the first call takes seconds."""
    step: Step = torch.compile(gauss_newton_step, dynamic=True)
    return step


def descend(
    model: SignalModel,
    data: Summary,
    start: tuple[Tensor, Tensor],
    interval: tuple[Tensor, Tensor],
    *,
    take_step: Step | None = None,
    still_falling: float = STILL_FALLING,
) -> Solution:
    """Move to the least-squares optimum of an interval from a nearby point.

    One step is enough for most voxels, because the cones give a point whose cost is within a
    percent of the least; the others go on. Where a step leaves the interval ATT stops at its
    edge and CBF is solved again for that ATT.

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
    take_step
        `gauss_newton_step`, or the same compiled.
    still_falling
        Relative fall of the cost after which another step is taken.
    """
    low, high = interval
    take_step = take_step or gauss_newton_step
    solution, gain = take_step(model, data, start, interval)
    for _ in range(MOST_STEPS - 1):
        voxels = (gain > still_falling).nonzero().squeeze(-1)
        if not len(voxels):
            break
        again, gain[voxels] = take_step(
            model.at(voxels),
            data.at(voxels),
            (solution.cbf[voxels], solution.att[voxels]),
            (low[voxels], high[voxels]),
        )
        for values, new in zip(solution, again, strict=True):
            values[voxels] = new
    return solution


def gauss_newton_step(
    model: SignalModel,
    data: Summary,
    start: tuple[Tensor, Tensor],
    interval: tuple[Tensor, Tensor],
) -> tuple[Solution, Tensor]:
    """Take one step; give where it ends and how much it lowers the cost, relative to that.

    The signal is nearly linear in (CBF, CBF * ATT), so the step in ATT is taken in these
    coordinates: it is scaled by the old over the new CBF. The cost at its end follows from the
    same linearisation.
    """
    low, high = interval
    cbf, att = start[0], torch.minimum(torch.maximum(start[1], low), high)
    signal = model.linearize(cbf, att, (low + high) / 2)
    terms = _Terms.of(signal, data)
    tiny = torch.finfo(cbf.dtype).tiny
    change = (terms.toward_att - terms.coupling * terms.toward_cbf) / terms.att_alone
    free_cbf = cbf + (terms.toward_cbf - terms.cbf_att * change) / terms.cbf_cbf
    new_att = att + change * (cbf / free_cbf.clamp(min=tiny)).clamp(max=2)
    new_att = torch.minimum(torch.maximum(new_att, low), high)

    moved = new_att - att
    share = moved / cbf.clamp(min=tiny)
    att_att = terms.att_alone + terms.coupling * terms.cbf_att
    slope = terms.toward_cbf + share * terms.toward_att - moved * (terms.cbf_att + share * att_att)
    bend = (terms.cbf_cbf + share * (2 * terms.cbf_att + share * att_att)).clamp(min=tiny)
    more_cbf = torch.maximum(slope / bend, -cbf)
    fall = moved * (2 * terms.toward_att - moved * att_att) + more_cbf * (
        2 * slope - more_cbf * bend
    )
    cost = (terms.cost - fall).clamp(min=0)
    gain = fall.abs() / data.with_rounding(cost)
    return Solution(cbf + more_cbf, new_att, cost), gain


class _Terms(NamedTuple):
    """The normal equations of one step, ``(voxel,)`` each.

    ``toward_*`` is the gradient; ``att_alone`` is the curvature in ATT that CBF cannot mimic.
    """

    cost: Tensor
    toward_cbf: Tensor
    toward_att: Tensor
    cbf_cbf: Tensor
    cbf_att: Tensor
    coupling: Tensor
    att_alone: Tensor

    @classmethod
    def of(cls, signal: Linearization, data: Summary) -> _Terms:
        """Sum over measurements."""
        tiny = torch.finfo(data.mean.dtype).tiny
        misfit = data.mean - signal.delta_m
        weighted = data.weight * misfit
        weighted_d_cbf = data.weight * signal.d_cbf
        cbf_cbf = (weighted_d_cbf * signal.d_cbf).sum(0).clamp(min=tiny)
        cbf_att = (weighted_d_cbf * signal.d_att).sum(0)
        coupling = cbf_att / cbf_cbf
        across = signal.d_att - coupling * signal.d_cbf
        return cls(
            cost=(weighted * misfit).sum(0),
            toward_cbf=(weighted * signal.d_cbf).sum(0),
            toward_att=(weighted * signal.d_att).sum(0),
            cbf_cbf=cbf_cbf,
            cbf_att=cbf_att,
            coupling=coupling,
            att_alone=(data.weight * across.square()).sum(0).clamp(min=tiny),
        )
