"""Early and late delays, fitted apart: where they disagree, one of them is described wrongly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.information import (
    FEWEST_DEGREES_OF_FREEDOM,
    Covariance,
    Information,
    fisher_information,
)
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.estimation.voxel_groups import VoxelGroup, voxel_groups
from aslprep_nn.misspecification.model_tests import N_PARAMETERS
from aslprep_nn.misspecification.null import p_of_ratio
from aslprep_nn.misspecification.subsets import Subset, split
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.response import Kinetics

#: A subset identifies a voxel where its standard deviations are below these: ATT [s], and CBF
#: relative to CBF itself.
IDENTIFIED_ATT, IDENTIFIED_CBF = 0.25, 0.30
#: ... and stay so when ATT moves by this many of its standard deviations.
LIKELY_RANGE = 2.0
#: Voxels whose bounds are computed at once.
CHUNK = 2**11

Estimates = Mapping[str, Tensor]


class Consistency(NamedTuple):
    """How far two subsets agree, ``(voxel,)`` each.

    ``hausman`` is the squared distance of the two estimates in units of their covariance,
    ``p`` its upper tail; ``cbf_error`` and ``att_error`` are the distances relative to the
    estimate from everything.
    """

    hausman: Tensor
    p: Tensor
    cbf_error: Tensor
    att_error: Tensor


def subset_consistency(
    relative_delta_m: Tensor,
    acquisition: Acquisition,
    fit: Fit,
    *,
    slice_delay: Tensor | None,
    t1_tissue: Tensor | None,
    kinetics: Sequence[Kinetics] | None,
    device: torch.device | str,
) -> Consistency | None:
    """Fit early and late delays apart and compare; None where the protocol cannot be split.

    Only voxels that both identify are fitted; the others are NaN. Parameters are those of
    `assess`.
    """
    halves = split(acquisition)
    if halves is None:
        return None
    task = _Task(acquisition, halves, relative_delta_m, fit, t1_tissue, kinetics, device)
    told, bounds = task.bounds_where_identified(slice_delay)
    data = relative_delta_m[told.to(relative_delta_m.device)]
    estimates = [
        fit_cbf_att(
            data.index_select(1, half.measurements.to(data.device)),
            half.acquisition,
            slice_delay=_at(slice_delay, told),
            t1_tissue=_at(t1_tissue, told),
            kinetics=kinetics,
            device=device,
        ).parameters
        for half in halves
    ]
    whole = {name: fit.parameters[name].to(device)[told] for name in ('cbf', 'att')}
    degrees = _noise_degrees(data, acquisition).to(told.device)
    found = hausman((estimates[0], estimates[1]), bounds, whole, degrees)
    everywhere = torch.full((4, len(relative_delta_m)), torch.nan, dtype=torch.float64).to(device)
    everywhere[:, told] = torch.stack(found)
    return Consistency(*everywhere)


def hausman(
    estimates: tuple[Estimates, Estimates],
    bounds: tuple[Covariance, Covariance],
    whole: Estimates,
    degrees: Tensor,
) -> Consistency:
    """Compare the estimates of two disjoint subsets (Hausman 1978).

    H = (a - b)' [C_a + C_b]^-1 (a - b). The noise of both is estimated together, so H / 2 is
    compared with F(2, degrees of freedom of the noise), which is chi-squared for many.

    Parameters
    ----------
    estimates
        ``cbf`` and ``att`` from the subsets, ``(voxel,)`` each.
    bounds
        On the covariance of these.
    whole
        The same from all measurements.
    degrees
        Of freedom of the noise level, ``(voxel,)``.
    """
    both = Covariance(*(a + b for a, b in zip(*bounds, strict=True)))
    names = 'cbf', 'att'
    cbf, att = ((estimates[0][name] - estimates[1][name]).to(both.cbf) for name in names)
    determinant = both.cbf * both.att - both.both.square()
    distance = both.att * cbf.square() - 2 * both.both * cbf * att + both.cbf * att.square()
    statistic = distance / determinant
    tested = torch.where(torch.isfinite(statistic), 1, torch.nan)
    return Consistency(
        statistic,
        p_of_ratio(statistic / 2, torch.full_like(degrees, 2), degrees),
        tested * cbf.abs() / whole['cbf'].to(cbf),
        tested * att.abs() / whole['att'].to(att),
    )


@dataclass(frozen=True)
class _Task:
    """What all voxels of one call share."""

    acquisition: Acquisition
    halves: tuple[Subset, Subset]
    data: Tensor
    whole: Fit
    t1_tissue: Tensor | None
    kinetics: Sequence[Kinetics] | None
    device: torch.device | str

    def bounds_where_identified(
        self, slice_delay: Tensor | None
    ) -> tuple[Tensor, tuple[Covariance, Covariance]]:
        """Find the voxels that both halves identify, and the bounds of either half there."""
        told, bounds = [torch.zeros(0, dtype=torch.long)], [torch.zeros(6, 0).double()]
        for group in voxel_groups(len(self.data), slice_delay, self.t1_tissue):
            for voxels in group.chunks(CHUNK):
                kept, found = self._bounds(group, voxels)
                told.append(torch.arange(len(self.data))[voxels][kept.cpu()])
                bounds.append(found)
        found = torch.cat([part.to(self.device) for part in bounds], 1)
        return torch.cat(told).to(self.device), (Covariance(*found[:3]), Covariance(*found[3:]))

    def _bounds(self, group: VoxelGroup, voxels: Tensor | slice) -> tuple[Tensor, Tensor]:
        """Compute the bounds of both halves for those of some voxels that both identify.

        Returns
        -------
        Which they are, ``(identified,)``, and the bounds' CBF, both, ATT of early and late,
        ``(6, identified)``.
        """
        weight = self._n_repetitions(voxels)
        cbf, att, noise = (
            values[voxels].to(weight)
            for values in (*(self.whole.parameters[n] for n in ('cbf', 'att')), self.whole.noise)
        )
        here = self._model(self.acquisition, group, voxels).linearize(cbf, att)
        products = here.d_cbf.square(), here.d_cbf * here.d_att, here.d_att.square()
        weighted = torch.stack([weight * product for product in products])
        timings = [half.timings.to(weight.device) for half in self.halves]
        bounds = [Information(*weighted[:, subset].sum(1)).covariance(noise) for subset in timings]
        kept = torch.stack([_certain(bound, cbf) for bound in bounds]).all(0).nonzero().squeeze(-1)
        for half, subset, bound in zip(self.halves, timings, bounds, strict=True):
            model = self._model(half.acquisition, group, voxels)
            kept = _stays_certain(
                kept, model, weight[subset], point=(cbf, att, noise), spread=bound.att.sqrt()
            )
        return kept, torch.stack([part[kept] for bound in bounds for part in bound])

    def _model(
        self, acquisition: Acquisition, group: VoxelGroup, voxels: Tensor | slice
    ) -> SignalModel:
        return SignalModel.of(
            Repetitions.of([acquisition]).acquisitions,
            self.kinetics,
            slice_delay=group.slice_delay,
            t1_tissue=None if self.t1_tissue is None else self.t1_tissue[voxels],
            device=self.device,
        )

    def _n_repetitions(self, voxels: Tensor | slice) -> Tensor:
        """Count the measurements of each timing, ``(timing, voxel)`` or, where all agree, 1."""
        repetitions = Repetitions.of([self.acquisition])
        data = self.data[voxels]
        if bool(torch.isfinite(data.sum())):
            return repetitions.shared_weight().to(self.device).unsqueeze(-1)
        present = torch.where(torch.isfinite(data), 1.0, torch.nan).to(self.device)
        return repetitions.summarize(present.double()).weight


def _certain(bound: Covariance, cbf: Tensor) -> Tensor:
    return (bound.att.sqrt() < IDENTIFIED_ATT) & (bound.cbf.sqrt() < IDENTIFIED_CBF * cbf)


def _stays_certain(
    kept: Tensor,
    model: SignalModel,
    weight: Tensor,
    *,
    point: tuple[Tensor, Tensor, Tensor],
    spread: Tensor,
) -> Tensor:
    """Keep voxels that stay identified when ATT moves by twice its own standard deviation.

    The bound jumps where ATT crosses a delay: estimates would else fall on the far side of a
    kink, where the bound at hand does not describe their scatter.
    """
    for shift in (-LIKELY_RANGE, LIKELY_RANGE):
        cbf, att, noise = (values[kept] for values in point)
        there = (att + shift * spread[kept]).clamp(min=0)
        here = weight if weight.shape[-1] == 1 else weight[:, kept]
        moved = fisher_information(model.at(kept), cbf, there, here).covariance(noise)
        kept = kept[_certain(moved, cbf)]
    return kept


def _at(values: Tensor | None, voxels: Tensor) -> Tensor | None:
    return None if values is None else values[voxels.to(values.device)]


def _noise_degrees(data: Tensor, acquisition: Acquisition) -> Tensor:
    """Count the degrees of freedom of `Fit.noise`, which has two sources; see `noise_level`."""
    present = torch.full_like(data[:, 0], data.shape[-1])
    some_missing = ~torch.isfinite(data.sum(-1))
    present[some_missing] = torch.isfinite(data[some_missing]).sum(-1).to(present)
    repeated = present - Repetitions.of([acquisition]).n_timings
    enough = repeated >= FEWEST_DEGREES_OF_FREEDOM
    return torch.where(enough, repeated, present - N_PARAMETERS)
