"""A subset of a protocol in voxels of a group: what it can tell, and what it tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.estimation.fan import Fan
from aslprep_nn.estimation.information import Covariance, fisher_information
from aslprep_nn.estimation.least_squares import ATT_RANGE
from aslprep_nn.estimation.optimum import find_optimum
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.estimation.voxel_groups import VoxelGroup
from aslprep_nn.maps import FitStatus
from aslprep_nn.misspecification.model_tests import Misfit
from aslprep_nn.misspecification.subsets import Subset
from aslprep_nn.misspecification.vectors import RepetitionVectors
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.response import Kinetics

#: A subset identifies a voxel where its standard deviations are below these: ATT [s], and CBF
#: relative to CBF itself.
IDENTIFIED_ATT, IDENTIFIED_CBF = 0.25, 0.30
#: ... and stay so when ATT moves by this many of its standard deviations.
LIKELY_RANGE = 2.0


class Point(NamedTuple):
    """CBF and ATT, ``(voxel,)`` [mL/100 g/min, s]."""

    cbf: Tensor
    att: Tensor


@dataclass(frozen=True)
class SubsetFit:
    """The subset's models in one group of voxels.

    Parameters
    ----------
    subset
        Of the protocol's measurements.
    group
        Voxels that share tables.
    kinetics
        As in `assess`.
    device
        Of the arithmetic.
    """

    subset: Subset
    group: VoxelGroup
    kinetics: Sequence[Kinetics] | None
    device: torch.device | str

    @cached_property
    def repetitions(self) -> Repetitions:
        """Which of the subset's measurements share a timing."""
        return Repetitions.of([self.subset.acquisition])

    @cached_property
    def fan(self) -> Fan:
        """The cones of the subset."""
        return Fan.of(
            self._model(self.group.t1_tissue, torch.float64, 'cpu'),
            self.repetitions.shared_weight(),
            att_range=ATT_RANGE,
            dtype=torch.float32,
        ).to(self.device)

    def stays_identified(
        self,
        point: Point,
        noise: Tensor,
        weight: Tensor,
        *,
        t1_tissue: Tensor | None,
        std_att: Tensor,
    ) -> Tensor:
        """Find voxels that the subset identifies wherever ATT is likely to lie.

        The bound jumps where ATT crosses a delay. A voxel counts only if it stays identified
        when ATT moves by twice its own standard deviation: estimates would else fall on the
        far side of a kink, where the bound at hand does not describe their scatter.

        Parameters
        ----------
        point, noise
            The fit and the standard deviation of a measurement, ``(voxel,)``.
        weight
            Measurements of each timing, ``(timing, voxel)`` or ``(timing, 1)``.
        t1_tissue
            ``(voxel,)`` [s]; None for the acquisition's.
        std_att
            ``(voxel,)`` [s].
        """
        cbf, att, noise, std_att = (v.float() for v in (*point, noise, std_att))
        model = self._model(t1_tissue, torch.float32, self.device)
        stays = torch.ones_like(att, dtype=torch.bool)
        for shift in (-LIKELY_RANGE, LIKELY_RANGE):
            there = (att + shift * std_att).clamp(min=0)
            moved = fisher_information(model, cbf, there, weight.float())
            stays &= identified(moved.covariance(noise), cbf)
        return stays

    def fit(self, data: Tensor, t1_tissue: Tensor | None) -> tuple[Point, Misfit]:
        """Fit voxels to the subset's measurements.

        Parameters
        ----------
        data
            All measurements of the protocol, ``(voxel, measurement)``.
        t1_tissue
            ``(voxel,)`` [s]; None for the acquisition's.

        Returns
        -------
        The estimate, NaN where there is none, and how far measurements lie from it.
        """
        values = data.index_select(1, self.subset.measurements.to(data.device))
        values = values.to(device=self.device, dtype=torch.float32)
        vectors = RepetitionVectors.of(values, self.repetitions)
        summary = vectors.summary if vectors.hold(values) else self.repetitions.summarize(values)
        model = self._model(t1_tissue, torch.float32, self.device)
        found = find_optimum(self.fan, model, summary)
        failed = found.status == FitStatus.FAILED
        point = Point(
            found.cbf.masked_fill(failed, torch.nan),
            found.att.masked_fill(failed | (found.cbf <= 0), torch.nan),
        )
        cost = found.cost.masked_fill(failed, torch.nan)
        return point, Misfit(cost, summary.scatter, summary.n_measurements, summary.n_timings)

    def _model(
        self, t1_tissue: Tensor | None, dtype: torch.dtype, device: torch.device | str
    ) -> SignalModel:
        return SignalModel.of(
            self.repetitions.acquisitions,
            self.kinetics,
            slice_delay=self.group.slice_delay,
            t1_tissue=t1_tissue,
            dtype=dtype,
            device=device,
        )


def identified(bound: Covariance, cbf: Tensor) -> Tensor:
    """Find voxels in which a bound is small enough to compare estimates."""
    return (bound.att < IDENTIFIED_ATT**2) & (bound.cbf.sqrt() < IDENTIFIED_CBF * cbf)
