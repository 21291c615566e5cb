"""Early and late delays, fitted apart: where they disagree, one of them is described wrongly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.information import Covariance, Information
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.estimation.voxel_groups import VoxelGroup, voxel_groups
from aslprep_nn.misspecification.common_fit import p_of_common_fit
from aslprep_nn.misspecification.subset_fit import Point, SubsetFit, identified
from aslprep_nn.misspecification.subsets import Subset, split, together
from aslprep_nn.signal.kinetics import Linearization
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.response import Kinetics

#: Voxels whose bounds are computed, and voxels that are fitted, at once.
BOUND_CHUNK, FIT_CHUNK = 2**11, 2**14


class Consistency(NamedTuple):
    """How far two subsets agree, ``(voxel,)`` each.

    ``hausman`` is the squared distance of the two estimates in units of their covariance;
    ``p`` that of `p_of_common_fit`, which asks the same of their sums of squares;
    ``cbf_error`` and ``att_error`` are the distances relative to the estimate from everything.
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
    both = together(acquisition, halves)
    task = _Task(acquisition, halves, both, relative_delta_m, fit, t1_tissue, kinetics, device)
    shape = 4, len(relative_delta_m)
    found = torch.full(shape, torch.nan, dtype=torch.float64, device=device)
    for group in voxel_groups(len(relative_delta_m), slice_delay, t1_tissue):
        for voxels, part in task.compare(group):
            found[:, voxels] = torch.stack(part)
    return Consistency(*found)


def hausman(estimates: tuple[Point, Point], bounds: tuple[Covariance, Covariance]) -> Tensor:
    """Compare the estimates of two disjoint subsets (Hausman 1978).

    H = (a - b)' [C_a + C_b]^-1 (a - b), which is about chi-squared with 2 degrees of freedom. Its
    tail is heavier, because the covariance is that of the model made linear at an estimate.

    Parameters
    ----------
    estimates
        From the subsets.
    bounds
        On the covariance of these.
    """
    both = Covariance(*(a + b for a, b in zip(*bounds, strict=True)))
    cbf, att = ((a - b).to(both.cbf) for a, b in zip(*estimates, strict=True))
    determinant = both.cbf * both.att - both.both.square()
    distance = both.att * cbf.square() - 2 * both.both * cbf * att + both.cbf * att.square()
    return distance / determinant


@dataclass(frozen=True)
class _Task:
    """What all voxels of one call share."""

    acquisition: Acquisition
    halves: tuple[Subset, Subset]
    both: Subset
    data: Tensor
    whole: Fit
    t1_tissue: Tensor | None
    kinetics: Sequence[Kinetics] | None
    device: torch.device | str

    def compare(self, group: VoxelGroup) -> Iterator[tuple[Tensor, Consistency]]:
        """Yield voxels of a group that both halves identify, and how far these agree."""
        early, late, both = (
            SubsetFit(subset, group, self.kinetics, self.device)
            for subset in (*self.halves, self.both)
        )
        parts = [self._bounds((early, late), group, voxels) for voxels in group.chunks(BOUND_CHUNK)]
        told, bounds = torch.cat([t for t, _ in parts]), torch.cat([b for _, b in parts], 1)
        for begin in range(0, len(told), FIT_CHUNK):
            here = slice(begin, begin + FIT_CHUNK)
            voxels, part = told[here], bounds[:, here]
            measured = self.data[voxels.to(self.data.device)], self._t1(voxels)
            (one, misfit_of_one), (other, misfit_of_other) = (
                half.fit(*measured) for half in (early, late)
            )
            distance = hausman((one, other), (Covariance(*part[:3]), Covariance(*part[3:])))
            compared = torch.where(torch.isfinite(distance), 1, torch.nan)
            p = p_of_common_fit(both.fit(*measured)[1], (misfit_of_one, misfit_of_other))
            errors = (
                (a - b).abs() / whole
                for a, b, whole in zip(one, other, self._point(voxels), strict=True)
            )
            yield voxels, Consistency(distance, *(each * compared for each in (p, *errors)))

    def _bounds(
        self, halves: tuple[SubsetFit, SubsetFit], group: VoxelGroup, voxels: Tensor | slice
    ) -> tuple[Tensor, Tensor]:
        """Compute the bounds of both halves for those of some voxels that both identify.

        Returns
        -------
        Their indices, ``(identified,)``, and the bounds' CBF, both, ATT of early and late,
        ``(6, identified)``.
        """
        weight = self._n_repetitions(voxels)
        point, noise = self._point(voxels), self.whole.noise[voxels].to(weight)
        signal = SignalModel.of(
            Repetitions.of([self.acquisition]).acquisitions,
            self.kinetics,
            slice_delay=group.slice_delay,
            t1_tissue=self._t1(voxels),
            device=self.device,
        ).linearize(*point)
        bounds = [
            _information(signal, weight, half.subset.timings.to(weight.device)).covariance(noise)
            for half in halves
        ]
        kept = torch.stack([identified(bound, point.cbf) for bound in bounds]).all(0)
        for half, bound in zip(halves, bounds, strict=True):
            kept[kept.clone()] = half.stays_identified(
                Point(*(values[kept] for values in point)),
                noise[kept],
                _at(weight, kept)[half.subset.timings.to(weight.device)],
                t1_tissue=None if self.t1_tissue is None else self.t1_tissue[voxels][kept],
                std_att=bound.att[kept].sqrt(),
            )
        told = torch.arange(len(self.data), device=kept.device)[voxels][kept]
        return told, torch.stack([part[kept] for bound in bounds for part in bound])

    def _t1(self, voxels: Tensor | slice) -> Tensor | None:
        return None if self.t1_tissue is None else self.t1_tissue[voxels]

    def _point(self, voxels: Tensor | slice) -> Point:
        names = 'cbf', 'att'
        return Point(*(self.whole.parameters[n][voxels].to(self.device).double() for n in names))

    def _n_repetitions(self, voxels: Tensor | slice) -> Tensor:
        """Count the measurements of each timing, ``(timing, voxel)`` or, where all agree, 1."""
        repetitions = Repetitions.of([self.acquisition])
        data = self.data[voxels]
        if bool(torch.isfinite(data.sum())):
            return repetitions.shared_weight().to(self.device).unsqueeze(-1)
        present = torch.where(torch.isfinite(data), 1.0, torch.nan).to(self.device)
        return repetitions.summarize(present.double()).weight


def _information(signal: Linearization, weight: Tensor, timings: Tensor) -> Information:
    """Sum over some timings what they say about CBF and ATT."""
    d_cbf, d_att, weight = signal.d_cbf[timings], signal.d_att[timings], weight[timings]
    weighted = weight * d_cbf
    return Information(
        (weighted * d_cbf).sum(0), (weighted * d_att).sum(0), (weight * d_att.square()).sum(0)
    )


def _at(weight: Tensor, kept: Tensor) -> Tensor:
    """Keep the weights of some voxels; those that all share have one column."""
    return weight if weight.shape[-1] == 1 else weight[:, kept]
