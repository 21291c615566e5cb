"""Figure 1: how kappa, the eigenvalues and the estimates settle with more repetitions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.benchmark.evidence import Finding, error_of_median
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.misspecification.bootstrap import convergence
from aslprep_nn.misspecification.reproduction import reference
from aslprep_nn.misspecification.reproduction.magnitudes import Magnitude
from aslprep_nn.misspecification.reproduction.scenarios import (
    ORGANS,
    Organ,
    Scenario,
    Truth,
    fit_and_assess,
    generator_of,
    measure,
    repeat,
    signal_of,
)
from aslprep_nn.misspecification.reproduction.settling import (
    ERROR_OF_MEDIAN_SQUARE,
    Settling,
    settling,
)
from aslprep_nn.misspecification.summary import Convergence

#: Subsets drawn without replacement for each number of repetitions.
N_DRAWS = 10
#: Standard error of the median kappa of many voxels at 8 to 10 repetitions, relative and times
#: the root of their number.
ERROR_OF_MEDIAN_KAPPA = 0.85
#: The paper simulates up to 50 repetitions (section 3.2).
N_REPETITIONS = (2, 3, 4, 6, 8, 10, 16, 24, 32, 50)


@dataclass(frozen=True)
class Spectrum:
    """Medians over voxels of kappa and the eigenvalues, one per number of repetitions.

    ``kappa_error`` is the standard error of the median. The eigenvalues are those of P with
    M - 1 in the denominator, which is the identity on average.
    """

    kappa: tuple[float, ...]
    kappa_error: tuple[float, ...]
    lambda_max: tuple[float, ...]
    lambda_min: tuple[float, ...]


@dataclass(frozen=True)
class OrganConvergence:
    """What Figure 1 shows of one organ.

    Parameters
    ----------
    organ
        Which.
    n_repetitions
        The numbers of repetitions.
    spectra
        By scenario.
    resampled
        Of the correct model, from repetitions drawn with replacement as in the paper.
    subsets
        Of the correct model, from repetitions drawn without replacement as in the app.
    settling
        Of the correct model with magnitude noise.
    """

    organ: Organ
    n_repetitions: tuple[int, ...]
    spectra: dict[Scenario, Spectrum]
    resampled: Spectrum
    subsets: Convergence
    settling: Settling


def organ_convergence(organ: Organ, n_voxels: int, n_wrong: int, seed: int) -> OrganConvergence:
    """Simulate Figure 1 for one organ.

    Parameters
    ----------
    organ
        Which.
    n_voxels, n_wrong
        Voxels of the correct model, and of each of the others.
    seed
        Of everything random.
    """
    spectra: dict[Scenario, Spectrum] = {}
    for place, scenario in enumerate(Scenario):
        if scenario is not Scenario.CORRECT:
            generator = generator_of(seed, ORGANS.index(organ), place)
            truth = Truth.draw(organ.population, n_wrong, generator)
            data = measure(scenario, truth, organ, N_REPETITIONS[-1], generator)
            spectra[scenario] = _spectrum(organ.protocol, _first_of(data))
    generator = generator_of(seed, ORGANS.index(organ), 99)
    truth = Truth.draw(organ.population, n_voxels, generator)
    signal = signal_of(Scenario.CORRECT, truth, organ.protocol, N_REPETITIONS[-1], generator)
    data = Magnitude.CONTROL_AND_LABEL.of(signal, organ.population.noise, generator).flatten(1)
    return OrganConvergence(
        organ=organ,
        n_repetitions=N_REPETITIONS,
        spectra={Scenario.CORRECT: _spectrum(organ.protocol, _first_of(data)), **spectra},
        resampled=_spectrum(organ.protocol, _resampled(data, generator)),
        subsets=_subsets(organ, data, seed),
        settling=settling(organ, truth, data, N_REPETITIONS),
    )


def convergence_findings(found: Sequence[OrganConvergence]) -> Iterator[Finding]:
    """Compare with the independent implementation."""
    for one in found:
        correct, place = one.spectra[Scenario.CORRECT], one.n_repetitions.index
        yield from _kappa_findings(one)
        yield from _resampled_findings(one)
        yield from _subset_findings(one)
        for count, expected_pair in reference.MEDIAN_EIGENVALUES.items():
            pair = correct.lambda_max[place(count)], correct.lambda_min[place(count)]
            for name, ours, value in zip(('largest', 'smallest'), pair, expected_pair, strict=True):
                quantity = f'median {name} eigenvalue, M in the denominator, M = {count}'
                yield _finding(one, quantity, ours * (count - 1) / count, value, 0.03)
        yield from _settling_findings(one)


def resample(data: Tensor, n_repetitions: int, generator: torch.Generator) -> Tensor:
    """Draw as many repetitions as there are, with replacement, for each voxel on its own."""
    shape = len(data), n_repetitions, 1
    drawn = torch.randint(n_repetitions, shape, generator=generator)
    repetitions = data.reshape(len(data), n_repetitions, -1)
    return torch.take_along_dim(repetitions, drawn, 1).flatten(1)


def _first_of(data: Tensor) -> Iterator[Tensor]:
    """Yield the first M repetitions for each M."""
    n_timings = data.shape[1] // N_REPETITIONS[-1]
    for count in N_REPETITIONS:
        yield data[:, : count * n_timings]


def _resampled(data: Tensor, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield a resample of the first M repetitions for each M."""
    for count, first in zip(N_REPETITIONS, _first_of(data), strict=True):
        yield resample(first, count, generator)


def _subsets(organ: Organ, data: Tensor, seed: int) -> Convergence:
    """Follow kappa over subsets of as many repetitions as were scanned."""
    acquisition = repeat(organ.protocol, organ.n_repetitions)
    scanned = data[:, : acquisition.n_measurements]
    fit = fit_cbf_att(scanned, acquisition)
    found = convergence(scanned, acquisition, fit, n_draws=N_DRAWS, seed=seed)
    return cast(Convergence, found)  # there are enough repetitions and voxels


def _spectrum(protocol: Acquisition, samples: Iterator[Tensor]) -> Spectrum:
    rows = []
    for count, data in zip(N_REPETITIONS, samples, strict=True):
        found = fit_and_assess(data, repeat(protocol, count))[1].statistics
        kappa = found['kappa'].double()
        rows.append(
            (
                float(kappa.nanmedian()),
                error_of_median(kappa),
                float(found['lambdamax'].nanmedian()),
                float(found['lambdamin'].nanmedian()),
            )
        )
    return Spectrum(*zip(*rows, strict=True))


def _kappa_findings(one: OrganConvergence) -> Iterator[Finding]:
    """Allow the reference a simulation error of 2 %."""
    correct = one.spectra[Scenario.CORRECT]
    for count, value in reference.MEDIAN_KAPPA.items():
        place = one.n_repetitions.index(count)
        tolerance = 0.02 * value if math.isfinite(value) else 0.0
        finding = _finding(
            one, f'median kappa, M = {count}', correct.kappa[place], value, tolerance
        )
        yield replace(finding, error=correct.kappa_error[place])


def _resampled_findings(one: OrganConvergence) -> Iterator[Finding]:
    for count, value in reference.RESAMPLED_KAPPA.items():
        place = one.n_repetitions.index(count)
        quantity = f'median kappa, resampled with replacement, M = {count}'
        scatter = 2 * reference.RESAMPLED_SCATTER[count]
        finding = _finding(one, quantity, one.resampled.kappa[place], value, scatter)
        yield replace(
            finding,
            error=one.resampled.kappa_error[place],
            note='the reference has ten draws common to all voxels; ours are of each voxel',
        )


def _subset_findings(one: OrganConvergence) -> Iterator[Finding]:
    for count, kappa in zip(one.subsets.n_repetitions, one.subsets.kappa, strict=True):
        if count in reference.MEDIAN_KAPPA and math.isfinite(kappa):
            value = reference.MEDIAN_KAPPA[count]
            quantity = f'median kappa, subsets without replacement, M = {count}'
            # All subsets come from the same thousand voxels, so that one such sample's error stays.
            error = ERROR_OF_MEDIAN_KAPPA * value / one.subsets.n_voxels**0.5
            yield replace(_finding(one, quantity, kappa, value, 0.02 * value), error=error)


def _settling_findings(one: OrganConvergence) -> Iterator[Finding]:
    settled, last = one.settling, len(one.n_repetitions) - 1
    for name, ratio in (('CBF', settled.ratio_cbf), ('ATT', settled.ratio_att)):
        quantity = f'variance of {name} over its bound, M = 50'
        finding = _finding(one, quantity, ratio[last], reference.VARIANCE_RATIO, 0.1)
        yield replace(finding, error=ERROR_OF_MEDIAN_SQUARE / settled.n_voxels**0.5)
    for name, unit, bias, std in (
        ('CBF', 'mL/100 g/min', settled.bias_cbf, settled.std_cbf),
        ('ATT', 's', settled.bias_att, settled.std_att),
    ):
        finding = _finding(
            one, f'|bias| of {name} at M = 50 [{unit}]', bias[last], 0.0, 0.1 * std[last]
        )
        error = std[last] / settled.n_voxels**0.5
        yield replace(finding, error=error, note='allowed: a tenth of the standard deviation')


def _finding(
    one: OrganConvergence, quantity: str, ours: float, expected: float, tolerance: float
) -> Finding:
    quantity = f'{one.organ.name}: {quantity}'
    return Finding('Figure 1', quantity, ours, math.nan, expected, tolerance)
