"""Figure 1: how kappa, the eigenvalues and the estimates settle with more repetitions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.information import Covariance, fisher_information
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.misspecification.reproduction import reference
from aslprep_nn.misspecification.reproduction.evidence import Finding, error_of_median
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
from aslprep_nn.signal.model import SignalModel

#: The paper simulates up to 50 repetitions (section 3.2).
N_REPETITIONS = (2, 3, 4, 6, 8, 10, 16, 24, 32, 50)
#: A voxel takes part in bias and variance where the bound on its standard deviations, with the
#: organ's own number of repetitions, is below these: CBF relative, ATT [s].
IDENTIFIED_CBF, IDENTIFIED_ATT = 0.3, 0.25
#: Median of the square of a standard normal variable, and the standard error of the median of
#: many, relative and times the root of their number.
MEDIAN_SQUARE, ERROR_OF_MEDIAN_SQUARE = 0.4549, 2.33


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
class Settling:
    """Bias and scatter of the estimates of a correct model, one per number of repetitions.

    ``bias`` is the absolute mean error over identified voxels, ``std`` the root of the median
    squared error over that of a standard normal variable, ``bound`` the root of the median
    Cramér-Rao bound, and ``ratio`` the median of squared error over bound, over that of a
    standard normal variable: 1 for an efficient estimator. CBF [mL/100 g/min], ATT [s].
    ``n_voxels`` are identified.
    """

    bias_cbf: tuple[float, ...]
    bias_att: tuple[float, ...]
    std_cbf: tuple[float, ...]
    std_att: tuple[float, ...]
    bound_cbf: tuple[float, ...]
    bound_att: tuple[float, ...]
    ratio_cbf: tuple[float, ...]
    ratio_att: tuple[float, ...]
    n_voxels: int


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
    settling
        Of the correct model with magnitude noise.
    """

    organ: Organ
    n_repetitions: tuple[int, ...]
    spectra: dict[Scenario, Spectrum]
    resampled: Spectrum
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
        settling=settling(organ, truth, data),
    )


def convergence_findings(found: Sequence[OrganConvergence]) -> Iterator[Finding]:
    """Compare with the independent implementation."""
    for one in found:
        correct, place = one.spectra[Scenario.CORRECT], one.n_repetitions.index
        yield from _kappa_findings(one)
        yield from _resampled_findings(one)
        for count, expected_pair in reference.MEDIAN_EIGENVALUES.items():
            pair = correct.lambda_max[place(count)], correct.lambda_min[place(count)]
            for name, ours, value in zip(('largest', 'smallest'), pair, expected_pair, strict=True):
                quantity = f'median {name} eigenvalue, M in the denominator, M = {count}'
                yield _finding(one, quantity, ours * (count - 1) / count, value, 0.03)
        yield from _settling_findings(one)


def settling(organ: Organ, truth: Truth, data: Tensor) -> Settling:
    """Measure bias and scatter of the fits to the first M repetitions for each M."""
    bound = bound_of(organ.protocol, truth, organ.population.noise)
    kept = identified(truth, bound, organ.n_repetitions)
    n_timings = organ.protocol.n_measurements
    columns: list[tuple[float, ...]] = []
    for count in N_REPETITIONS:
        fit = fit_cbf_att(data[:, : count * n_timings], repeat(organ.protocol, count))
        row = []
        for name, true, one in (('cbf', truth.cbf, bound.cbf), ('att', truth.att, bound.att)):
            error = (fit.parameters[name] - true)[kept]
            promised = one[kept] / count
            row += [
                abs(float(error.nanmean())),
                float((error.square().nanmedian() / MEDIAN_SQUARE).sqrt()),
                float(promised.median().sqrt()),
                float((error.square() / promised).nanmedian() / MEDIAN_SQUARE),
            ]
        columns.append(tuple(row))
    bias_cbf, std_cbf, bound_cbf, ratio_cbf, bias_att, std_att, bound_att, ratio_att = zip(
        *columns, strict=True
    )
    return Settling(
        bias_cbf, bias_att, std_cbf, std_att, bound_cbf, bound_att, ratio_cbf, ratio_att,
        n_voxels=int(kept.sum()),
    )  # fmt: skip


def bound_of(protocol: Acquisition, truth: Truth, noise: float) -> Covariance:
    """Compute the Cramér-Rao bound of one repetition at the truth."""
    one = torch.ones(protocol.n_measurements, 1, dtype=torch.float64)
    information = fisher_information(SignalModel.of([protocol]), truth.cbf, truth.att, one)
    return information.covariance(torch.full_like(truth.cbf, noise))


def identified(truth: Truth, bound: Covariance, n_repetitions: int) -> Tensor:
    """Find the voxels whose CBF and ATT so many repetitions determine, ``(voxel,)``."""
    sure_of_att = (bound.att / n_repetitions).sqrt() < IDENTIFIED_ATT
    return sure_of_att & ((bound.cbf / n_repetitions).sqrt() < IDENTIFIED_CBF * truth.cbf)


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
        finding = _finding(
            one, f'median kappa, M = {count}', correct.kappa[place], value, 0.02 * value
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
