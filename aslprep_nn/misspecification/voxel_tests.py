"""The tests of some voxels that need no other fit: of the noise, of the model, of assumptions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.estimation.voxel_groups import VoxelGroup
from aslprep_nn.maps import FitStatus
from aslprep_nn.misspecification.arterial import LEAST_ENERGY, arterial_shapes
from aslprep_nn.misspecification.directions import Assumption, assumption_directions
from aslprep_nn.misspecification.model_tests import N_PARAMETERS, Misfit, lack_of_fit
from aslprep_nn.misspecification.null import (
    p_of_kappa,
    p_of_largest_score,
    p_of_score,
    p_of_trace,
)
from aslprep_nn.misspecification.projections import COLLINEAR, Projections
from aslprep_nn.misspecification.sandwich import (
    FEWEST_FOR_SANDWICH,
    ScoreCovariance,
    Spread,
    Triangle,
)
from aslprep_nn.misspecification.vectors import RepetitionVectors
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.response import Kinetics

#: Measurements of the voxels handled at once: what a processor's cache or an accelerator holds.
CPU_CHUNK, ACCELERATOR_CHUNK = 2**18, 2**26
#: The names of the score tests' maps, t and p, in the order of `Assumption`.
SCORE_NAMES = {
    Assumption.TISSUE_DECAY: ('tdecay', 'pdecay'),
    Assumption.LABELING_DURATION: ('ttau', 'ptau'),
    Assumption.SHARP_ARRIVAL: ('tdispersion', 'pdispersion'),
    Assumption.NO_ARTERIAL_BLOOD: ('tarterial', 'parterial'),
}


@dataclass(frozen=True)
class VoxelTests:
    """What all voxels of one call of `assess` share; parameters are explained there."""

    repetitions: Repetitions
    kinetics: Sequence[Kinetics] | None
    data: Tensor
    fit: Fit
    t1_tissue: Tensor | None
    device: torch.device

    def of(self, group: VoxelGroup) -> Iterator[tuple[Tensor | slice, dict[str, Tensor]]]:
        """Yield voxels of a group and their statistics by name, few voxels at a time."""
        shapes = arterial_shapes(self._model(group, None))
        elements = CPU_CHUNK if self.device.type == 'cpu' else ACCELERATOR_CHUNK
        for voxels in group.chunks(max(256, elements // len(self.repetitions.timing))):
            yield voxels, self._statistics(voxels, self._model(group, voxels), shapes)

    def _statistics(
        self, voxels: Tensor | slice, model: SignalModel, shapes: Tensor | None
    ) -> dict[str, Tensor]:
        data = self._double(self.data[voxels])
        cbf, att = (self._double(self.fit.parameters[name][voxels]) for name in ('cbf', 'att'))
        here = model.linearize(cbf, att)
        vectors = RepetitionVectors.of(data, self.repetitions)
        assumed = assumption_directions(model, cbf, att, here)
        raw = Projections.of(
            vectors,
            torch.stack([here.d_cbf, here.d_att, *assumed]),
            here.delta_m,
            n_parameters=N_PARAMETERS,
            shapes=shapes,
        )
        along = raw.orthogonalized()
        scores = torch.where(_told_apart(raw, along, len(assumed)), along.student_t, torch.nan)
        misfit = lack_of_fit(
            self._misfit(data, raw.vectors, here.delta_m), self._n_parameters(voxels)
        )
        tested = torch.where(with_arterial(self.fit)[voxels].to(self.device), torch.nan, 1)
        of_model = {
            'lackoffit': misfit.ratio,
            'pmodel': misfit.p,
            **_score_statistics(scores[N_PARAMETERS:], len(assumed), vectors.count),
        }
        return {
            **_noise_statistics(along[:N_PARAMETERS]),
            **{name: values * tested for name, values in of_model.items()},
        }

    def _model(self, group: VoxelGroup, voxels: Tensor | slice | None) -> SignalModel:
        """Build the model of some voxels of a group, or of the whole group without T1."""
        t1 = self.t1_tissue
        return SignalModel.of(
            self.repetitions.acquisitions,
            self.kinetics,
            slice_delay=group.slice_delay,
            t1_tissue=None if t1 is None or voxels is None else t1[voxels],
            device=self.device,
        )

    def _misfit(self, data: Tensor, residuals: RepetitionVectors, signal: Tensor) -> Misfit:
        """Compare all measurements with the fit, also those in no complete repetition."""
        if residuals.hold(data):
            return Misfit.of_residuals(residuals)
        return Misfit.of_summary(self.repetitions.summarize(data), signal)

    def _n_parameters(self, voxels: Tensor | slice) -> Tensor:
        """Count the parameters that were adapted to the measurements of each voxel."""
        flat = self.fit.status[voxels] == FitStatus.ATT_NOT_IDENTIFIABLE
        return N_PARAMETERS - flat.to(device=self.device, dtype=torch.int64)

    def _double(self, values: Tensor) -> Tensor:
        return values.to(device=self.device, dtype=torch.float64)


def with_arterial(fit: Fit) -> Tensor:
    """Find the voxels fitted with a third parameter, which these tests do not describe."""
    volume = fit.parameters.get('arterial_blood_volume')
    return torch.zeros_like(fit.status, dtype=torch.bool) if volume is None else volume.isfinite()


def _told_apart(raw: Projections, along: Projections, n_assumptions: int) -> Tensor:
    """Find directions of which enough is left that CBF and ATT cannot explain."""
    least = torch.full_like(raw.energy[:, :1], LEAST_ENERGY)
    least[: N_PARAMETERS + n_assumptions] = COLLINEAR**2
    return along.energy > least * raw.energy


def _noise_statistics(basis: Projections) -> dict[str, Tensor]:
    vectors, count = basis.vectors, basis.vectors.count
    scatter = ScoreCovariance.along(basis)
    largest, smallest = scatter.spread(vectors.variance)
    # Two repetitions differ along one direction only: rounding must not hide that.
    spread = Spread(largest, torch.where(count == 2, 0 * smallest, smallest))
    covariance = scatter.covariance(Triangle.of(basis))
    enough = torch.where(count >= FEWEST_FOR_SANDWICH, 1, torch.nan)
    return {
        'kappa': spread.kappa,
        'lambdamax': spread.largest,
        'lambdamin': spread.smallest,
        'trace': spread.trace,
        'kl': spread.divergence,
        'pnoise': p_of_kappa(spread, count),
        'ptrace': p_of_trace(spread, count, vectors.n_timings),
        'stdcbf': (covariance.cbf / count).sqrt() * enough,
        'stdatt': (covariance.att / count).sqrt() * enough,
    }


def _score_statistics(scores: Tensor, n_assumptions: int, count: Tensor) -> dict[str, Tensor]:
    """Name the scores of the assumptions, and the largest of those of arterial blood after them."""
    found = list(zip(scores, p_of_score(scores[:n_assumptions], count), strict=False))
    if len(scores) > n_assumptions:
        found.append(p_of_largest_score(scores[n_assumptions:], count))
    statistics: dict[str, Tensor] = {}
    for (t_name, p_name), (t, p_value) in zip(SCORE_NAMES.values(), found, strict=False):
        statistics[t_name] = torch.where(torch.isfinite(p_value), t, torch.nan)
        statistics[p_name] = p_value
    return statistics
