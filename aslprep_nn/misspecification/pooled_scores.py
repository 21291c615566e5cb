"""Score tests of many voxels as one: do the repetitions of a region agree on a deviation?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.estimation.voxel_groups import VoxelGroup, voxel_groups
from aslprep_nn.misspecification.arterial import MOST_PASSAGES, arterial_shapes
from aslprep_nn.misspecification.directions import Assumption, assumption_directions
from aslprep_nn.misspecification.distinct import told_from_parameters
from aslprep_nn.misspecification.null import (
    p_of_largest_score,
    p_of_score,
)
from aslprep_nn.misspecification.projections import Projections
from aslprep_nn.misspecification.vectors import RepetitionVectors, complete_sets
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.response import Kinetics
from aslprep_nn.testability import FEWEST_FOR_SCORE, N_PARAMETERS

#: Pairs of simulated means, with opposite noise, from which the bias of a score is taken.
N_PAIRS = 2
#: Voxels handled at once.
CHUNK = 2**13
#: Assumptions with one direction; arterial blood, the last, has one per passage.
N_ASSUMED = len(Assumption) - 1


def pooled_scores(
    relative_delta_m: Tensor,
    acquisition: Acquisition | Sequence[Acquisition],
    fit: Fit,
    regions: Tensor,
    *,
    slice_delay: Tensor | None = None,
    t1_tissue: Tensor | None = None,
    kinetics: Sequence[Kinetics] | None = None,
    seed: int = 0,
    device: torch.device | str = 'cpu',
) -> Tensor:
    """Test each `Assumption` in regions instead of voxels.

    Each repetition gives one number, the sum over voxels of its deviations along a direction
    that CBF and ATT cannot explain, in units of each voxel's noise. Their mean over their own
    standard error is Student's t with M - 1 degrees of freedom, however voxels and delays are
    correlated, because repetitions are independent.

    Adding up voxels shrinks noise but no bias, and scores have one of the order of the squared
    noise because the signal bends between the truth and the fit (Cook, Tsai & Wei 1986,
    Biometrika 73:615). It is what the same scores of simulated data amount to on average, and is
    subtracted: the fitted signal plus the deviations of the repetitions from their mean with
    random signs (wild bootstrap; Wu 1986, Ann Stat 14:1261). Every draw of signs is used with
    its opposite, which cancels what is odd in the noise.

    Parameters
    ----------
    relative_delta_m, acquisition, fit, slice_delay, t1_tissue, kinetics, device
        As in `assess`.
    regions
        Which voxels are tested in each, ``(region, voxel)``. A repetition that most voxels lack
        is left out, and then any voxel that lacks another.
    seed
        Of the signs.

    Returns
    -------
    p-values, ``(assumption, region)``; NaN with fewer than four repetitions or without voxels
    that can tell.
    """
    acquisitions = (acquisition,) if isinstance(acquisition, Acquisition) else tuple(acquisition)
    pool = _Pool(
        Repetitions.of(acquisitions), kinetics, relative_delta_m, fit, seed, torch.device(device)
    )
    if pool.shape[0] < FEWEST_FOR_SCORE:
        return torch.full((len(Assumption), len(regions)), torch.nan, device=device)
    regions = regions.to(device=device, dtype=torch.float64)
    total = regions.new_zeros(*pool.shape, len(regions))
    for group in voxel_groups(len(relative_delta_m), slice_delay, t1_tissue):
        for voxels in group.chunks(CHUNK):
            t1 = None if t1_tissue is None else t1_tissue[voxels]
            total = total + pool.scores(group, voxels, t1) @ regions[:, voxels].mT
    score = total.mean(0) / (total.std(0) / pool.shape[0] ** 0.5)
    count = torch.full_like(score[0], pool.shape[0])
    arterial = p_of_largest_score(score[N_ASSUMED:], count)[1]
    return torch.cat([p_of_score(score[:N_ASSUMED], count), arterial.unsqueeze(0)])


def common_repetitions(data: Tensor, repetitions: Repetitions) -> Tensor:
    """Find the repetitions that are complete in most voxels that have any, ``(repetition,)``."""
    measured = torch.isfinite(data)[:, complete_sets(repetitions).to(data.device)]
    share = measured.all(1).double().mean(0)
    return (share >= share.max() / 2).nonzero().squeeze(-1)


@dataclass(frozen=True)
class _Pool:
    """What all voxels of one call share."""

    repetitions: Repetitions
    kinetics: Sequence[Kinetics] | None
    data: Tensor
    fit: Fit
    seed: int
    device: torch.device

    @cached_property
    def common(self) -> Tensor:
        """The repetitions used."""
        return common_repetitions(self.data, self.repetitions).to(self.device)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of repetitions and of directions."""
        return len(self.common), N_ASSUMED + MOST_PASSAGES

    def scores(self, group: VoxelGroup, voxels: Tensor | slice, t1: Tensor | None) -> Tensor:
        """Give the unbiased scores of some voxels, ``(repetition, direction, voxel)``.

        They are 0 where a direction, or a repetition, is missing.
        """
        data, cbf, att = (
            values[voxels].to(device=self.device, dtype=torch.float64)
            for values in (self.data, self.fit.parameters['cbf'], self.fit.parameters['att'])
        )
        model, shapes = self._model(group, t1), arterial_shapes(self._model(group, None))
        vectors = RepetitionVectors.of(data, self.repetitions).at(self.common)
        found = self._along(vectors, model, shapes, (cbf, att))
        signal = model.linearize(cbf, att).delta_m
        centered = vectors.values - vectors.values.mean(0)
        bias = torch.zeros_like(found[:1])
        for sign in self._signs:
            mean = signal + torch.tensordot(sign, centered, 1)
            alone = RepetitionVectors(mean.unsqueeze(0), vectors.complete[:1])
            refit = self._refit(mean.mT, group, t1)
            bias = bias + self._along(alone, model, shapes, refit) / len(self._signs)
        scores = (found - bias) / vectors.variance.sqrt()
        usable = torch.isfinite(scores).all(0) & vectors.complete.all(0)
        return torch.where(usable, scores, 0)

    def _model(self, group: VoxelGroup, t1: Tensor | None) -> SignalModel:
        return SignalModel.of(
            self.repetitions.acquisitions,
            self.kinetics,
            slice_delay=group.slice_delay,
            t1_tissue=t1,
            device=self.device,
        )

    def _refit(self, mean: Tensor, group: VoxelGroup, t1: Tensor | None) -> tuple[Tensor, Tensor]:
        """Fit CBF and ATT to means over repetitions, ``(voxel, timing)``."""
        delay = None if group.slice_delay is None else group.slice_delay.expand(len(mean))
        fit = fit_cbf_att(
            mean,
            self.repetitions.acquisitions,
            slice_delay=delay,
            t1_tissue=t1,
            kinetics=self.kinetics,
            dtype=torch.float64,
            device=self.device,
        )
        return fit.parameters['cbf'], fit.parameters['att']

    def _along(
        self,
        vectors: RepetitionVectors,
        model: SignalModel,
        shapes: Tensor | None,
        fitted: tuple[Tensor, Tensor],
    ) -> Tensor:
        """Project repetitions on what CBF and ATT cannot explain; NaN where nothing is left."""
        here = model.linearize(*fitted)
        assumed = assumption_directions(model, *fitted, here)
        directions = [here.d_cbf, here.d_att, *assumed]
        raw = Projections.of(
            vectors, directions, here.delta_m, n_parameters=N_PARAMETERS, shapes=shapes
        )
        rest = raw.orthogonalized()
        told = told_from_parameters(raw, rest, N_PARAMETERS + N_ASSUMED)
        length = torch.where(told, rest.energy, torch.nan).sqrt()
        found = (rest.along / length)[:, N_PARAMETERS:]
        missing = self.shape[1] - found.shape[1]
        return torch.nn.functional.pad(found, (0, 0, 0, missing), value=torch.nan)

    @cached_property
    def _signs(self) -> Tensor:
        """Draw weights that turn deviations into noise of a mean, ``(draw, repetition)``.

        As many signs are positive as negative, give or take one; since the deviations add up to
        0, sum s_m d_m then has the variance M - (sum s)^2 / M of a measurement.
        """
        count = self.shape[0]
        generator = torch.Generator().manual_seed(self.seed)
        alternating = (-1.0) ** torch.arange(count, dtype=torch.float64)
        weight = alternating / (count**2 - float(alternating.sum()) ** 2) ** 0.5
        drawn = torch.stack(
            [weight[torch.randperm(count, generator=generator)] for _ in range(N_PAIRS)]
        )
        return torch.cat([drawn, -drawn]).to(self.device)
