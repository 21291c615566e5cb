"""Every test of a run in one call: what each voxel's repetitions say about noise and model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.estimation.voxel_groups import VoxelGroup, voxel_groups
from aslprep_nn.maps import FitStatus
from aslprep_nn.misspecification.arterial import arterial_scores, arterial_shapes
from aslprep_nn.misspecification.consistency import subset_consistency
from aslprep_nn.misspecification.directions import Assumption, assumption_directions
from aslprep_nn.misspecification.limits import limits_of
from aslprep_nn.misspecification.model_tests import N_PARAMETERS, lack_of_fit, score_t
from aslprep_nn.misspecification.multiplicity import classify
from aslprep_nn.misspecification.null import (
    p_of_kappa,
    p_of_largest_score,
    p_of_score,
    p_of_trace,
)
from aslprep_nn.misspecification.sandwich import ScoreCovariance, Spread
from aslprep_nn.misspecification.tangent import Tangent
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
#: The names of the maps of `Consistency`, in its order.
SUBSET_NAMES = ('hausman', 'phausman', 'subsetcbf', 'subsetatt')
NAMES = (
    *('kappa', 'lambdamax', 'lambdamin', 'trace', 'kl', 'pnoise', 'ptrace'),
    *('lackoffit', 'pmodel', *(name for pair in SCORE_NAMES.values() for name in pair)),
    *SUBSET_NAMES,
    *('stdcbf', 'stdatt'),
)


@dataclass(frozen=True)
class Assessment:
    """What the tests found.

    Parameters
    ----------
    statistics
        Each of `NAMES`, ``(voxel,)``, NaN where it cannot be computed. Names beginning with p
        are p-values. ``subsetcbf`` and ``subsetatt`` are relative differences between early and
        late delays [1]; ``stdcbf`` and ``stdatt`` are the standard deviations that the scatter
        of the repetitions implies, whatever the noise [mL/100 g/min, s].
    classes
        `VoxelClass` codes, ``(voxel,)``; 0 also where nothing could be tested.
    limits
        Sentences on what could not be computed, and why.
    """

    statistics: Mapping[str, Tensor]
    classes: Tensor
    limits: tuple[str, ...]


def assess(
    relative_delta_m: Tensor,
    acquisition: Acquisition | Sequence[Acquisition],
    fit: Fit,
    *,
    slice_delay: Tensor | None = None,
    t1_tissue: Tensor | None = None,
    kinetics: Sequence[Kinetics] | None = None,
    false_discovery_rate: float = 0.05,
    device: torch.device | str = 'cpu',
) -> Assessment:
    """Test noise, model and assumptions in every voxel of a fit.

    The tests are of the unweighted least-squares fit of CBF and ATT. Arithmetic is in float64:
    the directions of the score tests nearly coincide with those of CBF and ATT.

    Parameters
    ----------
    relative_delta_m
        delta M / M0 of tissue, ``(voxel, measurement)``; NaN marks a missing measurement.
    acquisition
        The protocol, or several whose measurements follow one another.
    fit
        What `fit_cbf_att` made of the same arguments.
    slice_delay, t1_tissue
        Of each voxel, ``(voxel,)`` [s]; as in the fit.
    kinetics
        The kinetic model of each acquisition; those their labelling calls for when absent.
    false_discovery_rate
        At which voxels are classified.
    device
        Of the arithmetic.
    """
    acquisitions = (acquisition,) if isinstance(acquisition, Acquisition) else tuple(acquisition)
    repetitions = Repetitions.of(acquisitions)
    n_voxels = len(relative_delta_m)
    statistics = {name: torch.full((n_voxels,), torch.nan, device=device) for name in NAMES}
    if repetitions.n_timings > 1:
        task = _Task(repetitions, kinetics, relative_delta_m, fit, t1_tissue, torch.device(device))
        for group in voxel_groups(n_voxels, slice_delay, t1_tissue):
            for voxels in group.chunks(task.chunk_size):
                for name, values in task.statistics(group, voxels).items():
                    statistics[name][voxels] = values.to(statistics[name])
    if len(acquisitions) == 1:
        agreement = subset_consistency(
            relative_delta_m,
            acquisitions[0],
            fit,
            slice_delay=slice_delay,
            t1_tissue=t1_tissue,
            kinetics=kinetics,
            device=device,
        )
        tested = torch.where(_with_arterial(fit), torch.nan, 1).to(device)
        for name, values in zip(SUBSET_NAMES, agreement or (), strict=False):
            statistics[name] = (values * tested).to(statistics[name])
    classes = _classes(statistics, false_discovery_rate)
    return Assessment(statistics, classes, limits_of(repetitions, fit))


@dataclass(frozen=True)
class _Task:
    """What all voxels of one call share."""

    repetitions: Repetitions
    kinetics: Sequence[Kinetics] | None
    data: Tensor
    fit: Fit
    t1_tissue: Tensor | None
    device: torch.device

    @property
    def chunk_size(self) -> int:
        """Number of voxels handled at once."""
        elements = CPU_CHUNK if self.device.type == 'cpu' else ACCELERATOR_CHUNK
        return max(256, elements // len(self.repetitions.timing))

    def statistics(self, group: VoxelGroup, voxels: Tensor | slice) -> dict[str, Tensor]:
        """Compute the statistics of some voxels that do not need another fit."""
        data = self._double(self.data[voxels])
        cbf, att = (self._double(self.fit.parameters[name][voxels]) for name in ('cbf', 'att'))
        model = SignalModel.of(
            self.repetitions.acquisitions,
            self.kinetics,
            slice_delay=group.slice_delay,
            t1_tissue=None if self.t1_tissue is None else self.t1_tissue[voxels],
            device=self.device,
        )
        here = model.linearize(cbf, att)
        tangent = Tangent.of(here.d_cbf, here.d_att)
        vectors = RepetitionVectors.of(data, self.repetitions)
        signal = torch.where(
            _with_arterial(self.fit)[voxels].to(self.device), torch.nan, here.delta_m
        )
        misfit = lack_of_fit(
            vectors.summary(data, self.repetitions), signal, self._n_parameters(voxels)
        )
        scores = score_t(vectors, tangent, assumption_directions(model, cbf, att, here), signal)
        shapes = arterial_shapes(model)
        arterial = None if shapes is None else arterial_scores(vectors, tangent, shapes, signal)
        return {
            **_noise_statistics(vectors, tangent),
            'lackoffit': misfit.ratio,
            'pmodel': misfit.p,
            **_score_statistics(scores, arterial, vectors.count),
        }

    def _n_parameters(self, voxels: Tensor | slice) -> Tensor:
        """Count the parameters that were adapted to the measurements of each voxel."""
        flat = self.fit.status[voxels] == FitStatus.ATT_NOT_IDENTIFIABLE
        return N_PARAMETERS - flat.to(device=self.device, dtype=torch.int64)

    def _double(self, values: Tensor) -> Tensor:
        return values.to(device=self.device, dtype=torch.float64)


def _with_arterial(fit: Fit) -> Tensor:
    """Find the voxels fitted with a third parameter, which these tests do not describe."""
    volume = fit.parameters.get('arterial_blood_volume')
    return torch.zeros_like(fit.status, dtype=torch.bool) if volume is None else volume.isfinite()


def _classes(statistics: Mapping[str, Tensor], rate: float) -> Tensor:
    p_assumptions = torch.stack([statistics[p] for _, p in SCORE_NAMES.values()])
    return classify(statistics['pnoise'], statistics['pmodel'], p_assumptions, rate=rate)


def _noise_statistics(vectors: RepetitionVectors, tangent: Tangent) -> dict[str, Tensor]:
    count = vectors.count
    scatter = ScoreCovariance.of(vectors, tangent)
    largest, smallest = scatter.spread(vectors.variance)
    # Two repetitions differ along one direction only: rounding must not hide that.
    spread = Spread(largest, torch.where(count == 2, 0 * smallest, smallest))
    covariance = scatter.covariance(tangent)
    enough = torch.where(count > 2, 1, torch.nan)
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


def _score_statistics(scores: Tensor, arterial: Tensor | None, count: Tensor) -> dict[str, Tensor]:
    p = p_of_score(scores, count)
    found = list(zip(scores, p, strict=True))
    if arterial is not None:
        found.append(p_of_largest_score(arterial, count))
    statistics: dict[str, Tensor] = {}
    for (t_name, p_name), (t, p_value) in zip(SCORE_NAMES.values(), found, strict=False):
        statistics[t_name] = torch.where(torch.isfinite(p_value), t, torch.nan)
        statistics[p_name] = p_value
    return statistics
