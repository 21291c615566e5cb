"""Every test of a run in one call: what each voxel's repetitions say about noise and model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.errors import Problem, UsageError
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.estimation.voxel_groups import VoxelGroup, voxel_groups
from aslprep_nn.misspecification.absent import measured_part
from aslprep_nn.misspecification.limits import limits_of
from aslprep_nn.misspecification.multiplicity import classify
from aslprep_nn.misspecification.sandwich_forms import SandwichForm
from aslprep_nn.misspecification.voxel_tests import (
    COUNT,
    LENGTH,
    SCORE_NAMES,
    SUBSET_NAMES,
    VoxelTests,
)
from aslprep_nn.signal.response import Kinetics

#: Noise below this part of all measurements' length is that of single-precision numbers.
ROUNDING = 1e-6
NO_NOISE = (
    'In {} voxels repetitions do not differ by more than rounding: there is no noise to compare '
    'anything with, and no test.'
)
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
    n_repetitions
        Complete repetitions of each voxel, ``(voxel,)``; 0 with a single timing.
    """

    statistics: Mapping[str, Tensor]
    classes: Tensor
    limits: tuple[str, ...]
    n_repetitions: Tensor


def assess(
    relative_delta_m: Tensor,
    acquisition: Acquisition | Sequence[Acquisition],
    fit: Fit,
    *,
    slice_delay: Tensor | None = None,
    t1_tissue: Tensor | None = None,
    kinetics: Sequence[Kinetics] | None = None,
    noise: float | Tensor | None = None,
    form: SandwichForm = SandwichForm.REPETITIONS,
    false_discovery_rate: float = 0.05,
    device: torch.device | str = 'cpu',
) -> Assessment:
    """Test noise, model and assumptions in every voxel of a fit.

    The tests are of the unweighted least-squares fit of CBF and ATT, and of tissue T1 or arterial
    blood volume where the fit has them. Arithmetic is in float64: the directions of the score
    tests nearly coincide with those of the parameters.

    Parameters
    ----------
    relative_delta_m
        delta M / M0 of tissue, ``(voxel, measurement)``; NaN marks a missing measurement.
    acquisition
        The protocol, or several whose measurements follow one another.
    fit
        What `fit_cbf_att` or `fit_cbf_att_t1` made of the same arguments.
    slice_delay, t1_tissue
        Of each voxel, ``(voxel,)`` [s]; as in the fit.
    kinetics
        The kinetic model of each acquisition; those their labelling calls for when absent.
    noise
        Standard deviation of a measurement, where it is known, also ``(voxel,)``
        [delta M / M0]: gives a lack of fit where nothing was repeated.
    form
        Of the sandwich; the others reproduce other readings of the paper, in voxels with two
        parameters.
    false_discovery_rate
        At which voxels are classified.
    device
        Of the arithmetic.

    Raises
    ------
    UsageError
        If the noise is not above 0 or the rate not between 0 and 1.
    """
    _require_options(noise, false_discovery_rate)
    acquisitions = (acquisition,) if isinstance(acquisition, Acquisition) else tuple(acquisition)
    relative_delta_m, acquisitions, absent = measured_part(relative_delta_m, acquisitions)
    repetitions = Repetitions.of(acquisitions)
    n_voxels = len(relative_delta_m)
    names = (*NAMES, COUNT, LENGTH)
    statistics = {name: torch.full((n_voxels,), torch.nan, device=device) for name in names}
    if repetitions.n_timings > 1 and n_voxels:
        tests = VoxelTests(
            repetitions,
            kinetics,
            relative_delta_m,
            fit,
            t1_tissue,
            None if noise is None else torch.as_tensor(noise).expand(n_voxels),
            form,
            torch.device(device),
        )
        _fill(statistics, tests, voxel_groups(n_voxels, slice_delay, t1_tissue))
    complete = statistics.pop(COUNT).nan_to_num(0).int()
    limits = (*absent, *limits_of(repetitions, fit, complete, noise_is_known=noise is not None))
    silent = fit.noise.to(device) <= ROUNDING * statistics.pop(LENGTH)
    if noise is None and bool(silent.any()):
        statistics = {name: s.masked_fill(silent, torch.nan) for name, s in statistics.items()}
        limits = (*limits, NO_NOISE.format(int(silent.sum())))
    classes = _classes(statistics, false_discovery_rate)
    return Assessment(statistics, classes, limits, complete)


@torch.inference_mode()
def _fill(
    statistics: Mapping[str, Tensor], tests: VoxelTests, groups: Iterable[VoxelGroup]
) -> None:
    """Write down what the tests find; without the bookkeeping that derivatives would need."""
    for group in groups:
        for voxels, found in tests.of(group):
            for name, values in found.items():
                statistics[name][voxels] = values.to(statistics[name])


def _require_options(noise: float | Tensor | None, rate: float) -> None:
    """Refuse a noise or a rate that cannot be one, naming both."""
    problems = []
    if noise is not None and bool((torch.as_tensor(noise) <= 0).any()):
        found = f'{float(torch.as_tensor(noise).amin()):g} at the least'
        problems.append(Problem('assess', 'noise', found, 'above 0', 'Leave it out if unknown.'))
    if not 0 < rate < 1:
        remedy = 'Give the share of claims that may be false.'
        expected = 'between 0 and 1'
        problems.append(Problem('assess', 'false_discovery_rate', f'{rate:g}', expected, remedy))
    if problems:
        raise UsageError(problems)


def _classes(statistics: Mapping[str, Tensor], rate: float) -> Tensor:
    p_assumptions = torch.stack([statistics[p] for _, p in SCORE_NAMES.values()])
    return classify(statistics['pnoise'], statistics['pmodel'], p_assumptions, rate=rate)
