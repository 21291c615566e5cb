"""All tests of some voxels: of the noise, of the model, of assumptions, of early against late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.repetitions import Repetitions, Summary
from aslprep_nn.estimation.voxel_groups import VoxelGroup
from aslprep_nn.maps import FitStatus
from aslprep_nn.misspecification.arterial import arterial_shapes
from aslprep_nn.misspecification.consistency import Point, compare_halves
from aslprep_nn.misspecification.directions import Assumption, assumption_directions
from aslprep_nn.misspecification.distinct import distinct
from aslprep_nn.misspecification.model_tests import lack_of_fit, residual_chi_squared
from aslprep_nn.misspecification.noise_tests import noise_statistics, spread_statistics
from aslprep_nn.misspecification.null import p_of_largest_score, p_of_score
from aslprep_nn.misspecification.perfused import is_perfused
from aslprep_nn.misspecification.projections import Projections
from aslprep_nn.misspecification.sandwich_forms import (
    SandwichForm,
    bend_of,
    observed_spread,
    p_of_sample_kappa,
    sample_spread,
)
from aslprep_nn.misspecification.subsets import split
from aslprep_nn.misspecification.third_parameter import (
    Extension,
    Third,
    extend_by_arterial_blood,
    extend_by_t1,
    voxels_by_third,
)
from aslprep_nn.misspecification.unequal import covariance_of_all
from aslprep_nn.misspecification.vectors import RepetitionVectors
from aslprep_nn.signal.kinetics import Linearization
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.response import Kinetics
from aslprep_nn.testability import FEWEST_FOR_SANDWICH

#: Measurements of the voxels handled at once: what a processor's cache or an accelerator holds.
CPU_CHUNK, ACCELERATOR_CHUNK = 3 * 2**18, 2**26
#: The names of the score tests' maps, t and p, in the order of `Assumption`.
SCORE_NAMES = {
    Assumption.TISSUE_DECAY: ('tdecay', 'pdecay'),
    Assumption.LABELING_DURATION: ('ttau', 'ptau'),
    Assumption.SHARP_ARRIVAL: ('tdispersion', 'pdispersion'),
    Assumption.NO_ARTERIAL_BLOOD: ('tarterial', 'parterial'),
}
#: The name of how many complete repetitions a voxel has.
COUNT = 'repetitions'
#: The name of the length of its measurements.
LENGTH = 'length'
#: The names of the maps of `Consistency`, in its order.
SUBSET_NAMES = ('hausman', 'phausman', 'subsetcbf', 'subsetatt')


@dataclass(frozen=True)
class VoxelTests:
    """What all voxels of one call of `assess` share; parameters are explained there."""

    repetitions: Repetitions
    kinetics: Sequence[Kinetics] | None
    data: Tensor
    fit: Fit
    t1_tissue: Tensor | None
    noise: Tensor | None
    form: SandwichForm
    device: torch.device

    def of(self, group: VoxelGroup) -> Iterator[tuple[Tensor | slice, dict[str, Tensor]]]:
        """Yield voxels of a group and their statistics by name, few voxels at a time."""
        reference = self._model(group, None)
        shapes = arterial_shapes(reference)
        elements = CPU_CHUNK if self.device.type == 'cpu' else ACCELERATOR_CHUNK
        for chunk in group.chunks(max(256, elements // len(self.repetitions.timing))):
            for third, voxels in self._by_third(chunk):
                yield voxels, self._statistics(voxels, group, third, shapes)

    def _by_third(self, chunk: Tensor | slice) -> Iterator[tuple[Third, Tensor | slice]]:
        """Yield the voxels of a chunk that have the same parameters."""
        for third, voxels in self._thirds.items():
            here = voxels[chunk]
            if bool(here.all()):
                yield third, chunk
            elif bool(here.any()):
                yield third, torch.arange(len(voxels), device=here.device)[chunk][here]

    @cached_property
    def _perfused(self) -> Tensor:
        return is_perfused(self.fit).to(self.device)

    @cached_property
    def _thirds(self) -> dict[Third, Tensor]:
        return voxels_by_third(self.fit)

    def _statistics(
        self, voxels: Tensor | slice, group: VoxelGroup, third: Third, shapes: Tensor | None
    ) -> dict[str, Tensor]:
        data, (cbf, att) = self.data[voxels].to(self.device), self._fitted(voxels, 'cbf', 'att')
        model = self._model(group, self._t1(voxels, third))
        here = model.linearize(cbf, att)
        fitted, signal = [here.d_cbf, here.d_att], here.delta_m
        if third is not Third.NONE:
            extension = self._extension(voxels, third, model, here)
            fitted, signal = [*fitted, extension.direction], signal + extension.signal
            shapes = None if third is Third.ARTERIAL_BLOOD_VOLUME else shapes
        assumed = assumption_directions(model, cbf, att, here)
        raw = Projections.of(
            RepetitionVectors.of(data, self.repetitions),
            [*fitted, *assumed],
            signal,
            n_parameters=len(fitted),
            shapes=shapes,
        )
        along = raw.orthogonalized()
        basis, others = along[: len(fitted)], along[len(fitted) :]
        own = distinct(raw, along, len(fitted) + len(assumed))[len(fitted) :]
        scores = torch.where(own & self._perfused[voxels], others.student_t, torch.nan)
        misfit = self._misfit(data, raw.vectors, signal)
        return {
            **noise_statistics(basis),
            **self._standard_deviations(data, raw.vectors, third=third, here=here),
            **self._other_form(basis, group, voxels, third=third, model=model, here=here),
            **self._lack_of_fit(misfit, voxels, len(fitted)),
            **self._consistency(misfit, voxels, third=third, here=here),
            **_score_statistics(scores, len(assumed), raw.vectors.count),
            COUNT: raw.vectors.count,
            LENGTH: _length_of(data),
        }

    def _other_form(
        self,
        basis: Projections,
        group: VoxelGroup,
        voxels: Tensor | slice,
        *,
        third: Third,
        model: SignalModel,
        here: Linearization,
    ) -> dict[str, Tensor]:
        """Replace the statistics of P by those of the form asked for, for two parameters."""
        if self.form is SandwichForm.REPETITIONS or third is not Third.NONE:
            return {}
        residuals, (cbf, att) = basis.vectors, self._fitted(voxels, 'cbf', 'att')
        nothing = torch.full_like(cbf, torch.nan)
        if self.form is SandwichForm.SAMPLES:
            spread = sample_spread(residuals, here, residuals.variance)
            p = p_of_sample_kappa(
                spread,
                residuals.count,
                att,
                acquisitions=self.repetitions.acquisitions,
                kinetics=None if self.kinetics is None else tuple(self.kinetics),
                slice_delay=None if group.slice_delay is None else float(group.slice_delay),
            )
            return {**spread_statistics(spread), 'pnoise': p, 'ptrace': nothing}
        bend = bend_of(
            self.repetitions.acquisitions,
            model,
            cbf,
            att,
            slice_delay=group.slice_delay,
            t1_tissue=self._t1(voxels, third),
        )
        misfit = residuals.total / residuals.count
        spread = observed_spread(basis, misfit, bend, residuals.variance)
        return {**spread_statistics(spread), 'pnoise': nothing, 'ptrace': nothing}

    def _extension(
        self, voxels: Tensor | slice, third: Third, model: SignalModel, here: Linearization
    ) -> Extension:
        """Describe what the third parameter adds to the signal of CBF and ATT."""
        if third is Third.TISSUE_T1:
            return extend_by_t1(model, here)
        data = self.repetitions.summarize(self._double(self.data[voxels]))
        return extend_by_arterial_blood(model, here, data, *self._fitted(voxels, third.value))

    def _model(self, group: VoxelGroup, t1_tissue: Tensor | None) -> SignalModel:
        return SignalModel.of(
            self.repetitions.acquisitions,
            self.kinetics,
            slice_delay=group.slice_delay,
            t1_tissue=t1_tissue,
            device=self.device,
        )

    def _t1(self, voxels: Tensor | slice, third: Third) -> Tensor | None:
        """Give the tissue T1 of voxels: fitted, mapped or None for the acquisition's."""
        if third is Third.TISSUE_T1:
            return self.fit.parameters[third.value][voxels]
        return None if self.t1_tissue is None else self.t1_tissue[voxels]

    def _misfit(self, data: Tensor, residuals: RepetitionVectors, signal: Tensor) -> Summary:
        """Summarize all measurements less the fit, also those in no complete repetition."""
        if residuals.hold(data):
            return residuals.summary
        all_of_them = self.repetitions.summarize(self._double(data))
        mean = all_of_them.mean - signal
        return Summary.of(mean, all_of_them.weight, all_of_them.scatter, all_of_them.n_measurements)

    def _standard_deviations(
        self, data: Tensor, residuals: RepetitionVectors, *, third: Third, here: Linearization
    ) -> dict[str, Tensor]:
        """Take the sandwich from all measurements where some are in no complete repetition."""
        if residuals.hold(data) or third is not Third.NONE:
            return {}
        covariance = covariance_of_all(self._double(data), self.repetitions, here)
        enough = torch.where(residuals.count >= FEWEST_FOR_SANDWICH, 1, torch.nan)
        return {
            'stdcbf': covariance.cbf.sqrt() * enough,
            'stdatt': covariance.att.sqrt() * enough,
        }

    def _consistency(
        self, misfit: Summary, voxels: Tensor | slice, *, third: Third, here: Linearization
    ) -> dict[str, Tensor]:
        """Compare early with late delays where there are both, for two parameters."""
        if self._halves is None or third is not Third.NONE:
            return {}
        point = Point(*self._fitted(voxels, 'cbf', 'att'))
        noise = self._double(self.fit.noise[voxels])
        found = compare_halves(here, misfit, self._halves, point, noise)
        return dict(zip(SUBSET_NAMES, found, strict=True))

    @cached_property
    def _halves(self) -> Tensor | None:
        """Which timings are early and which late, ``(half, timing)``; None without halves."""
        if len(self.repetitions.acquisitions) > 1:
            return None
        halves = split(self.repetitions.acquisitions[0])
        if halves is None:
            return None
        members = torch.zeros(2, self.repetitions.n_timings)
        for row, half in zip(members, halves, strict=True):
            row[half.timings] = 1
        return self._double(members)

    def _lack_of_fit(
        self, misfit: Summary, voxels: Tensor | slice, n_parameters: int
    ) -> dict[str, Tensor]:
        """Test the fit by the repetitions, or by a known noise where nothing is repeated.

        A parameter that measurements cannot tell was not adapted to them; but as many timings as
        parameters leave nothing to test.
        """
        flat = self.fit.status[voxels] == FitStatus.ATT_NOT_IDENTIFIABLE
        adapted = n_parameters - flat.to(device=self.device, dtype=torch.int64)
        n_timings = misfit.n_timings
        adapted = torch.where(n_timings > n_parameters, adapted, n_timings)
        found = lack_of_fit(misfit, adapted)
        if self.noise is None:
            return {'lackoffit': found.ratio, 'pmodel': found.p}
        known = residual_chi_squared(misfit, self._double(self.noise[voxels]), adapted)
        alone = found.below == 0
        return {
            'lackoffit': torch.where(alone, known.ratio, found.ratio),
            'pmodel': torch.where(alone, known.p, found.p),
        }

    def _fitted(self, voxels: Tensor | slice, *names: str) -> tuple[Tensor, ...]:
        return tuple(self._double(self.fit.parameters[name][voxels]) for name in names)

    def _double(self, values: Tensor) -> Tensor:
        return values.to(device=self.device, dtype=torch.float64)


def _length_of(data: Tensor) -> Tensor:
    """Measure how long the vector of all measurements of a voxel is, ``(voxel,)``; NaN is none."""
    length: Tensor = torch.linalg.vector_norm(data, dim=-1)
    if not bool(torch.isfinite(length).all()):
        length = torch.linalg.vector_norm(data.nan_to_num(0, 0, 0), dim=-1)
    return length


def with_arterial(fit: Fit) -> Tensor:
    """Find the voxels in which arterial blood was fitted, too."""
    volume = fit.parameters.get('arterial_blood_volume')
    return torch.zeros_like(fit.status, dtype=torch.bool) if volume is None else volume.isfinite()


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
