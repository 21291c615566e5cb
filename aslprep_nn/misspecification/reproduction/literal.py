"""Other ways to read the paper, and what they would give."""

from __future__ import annotations

import math
from collections.abc import Iterator
from enum import StrEnum
from functools import partial
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import least_squares
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.benchmark.evidence import Finding, error_of_median
from aslprep_nn.estimation.benchmark.scenarios import Row, Table
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.misspecification.reproduction import reference
from aslprep_nn.misspecification.reproduction.convergence import N_REPETITIONS
from aslprep_nn.misspecification.reproduction.magnitudes import Magnitude
from aslprep_nn.misspecification.reproduction.scenarios import (
    BRAIN,
    ORGANS,
    Organ,
    Scenario,
    Truth,
    generator_of,
    measure,
    repeat,
    signal_of,
)
from aslprep_nn.misspecification.sandwich import Spread, eigenvalues
from aslprep_nn.misspecification.sandwich_forms import sample_spread
from aslprep_nn.misspecification.vectors import RepetitionVectors
from aslprep_nn.signal.kinetics import delta_m
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.protocol import Protocol
from aslprep_nn.signal.response import ML_PER_100G_MIN_PER_ML_G_S

#: A wrong mean in two sizes, and repetitions that differ.
READ_SCENARIOS = (Scenario.CORRECT, Scenario.T1, Scenario.OUTFLOW, Scenario.FLOW)


class Reading(StrEnum):
    """What one observation is, of which B averages the outer products of the scores."""

    #: The vector of all delays of a repetition, scores about their mean: what `assess` does.
    REPETITION = 'repetition, scores about their mean'
    #: The same with scores about zero and M in the denominator.
    UNCENTERED = 'repetition, scores about zero'
    #: Each sample (the HC0 form of White 1980).
    SAMPLE = 'each sample'


def spread_of(reading: Reading, data: Tensor, protocol: Acquisition) -> Spread:
    """Compute the eigenvalues of P as a reading of the paper has it.

    Those of one score per repetition are computed from the definition, (J'J)^-1 B / sigma^2 with
    sigma pooled over repetitions, in as many lines as equations 5 to 9 of the paper: this also
    checks `assess`, which computes the same in coordinates in which nothing has to be inverted.

    Parameters
    ----------
    reading
        What one observation is.
    data
        ``(voxel, measurement)``, repetition after repetition.
    protocol
        One repetition.
    """
    count = data.shape[1] // protocol.n_measurements
    acquisition = repeat(protocol, count)
    fit = fit_cbf_att(data, acquisition)
    cbf, att = (fit.parameters[name].double() for name in ('cbf', 'att'))
    here = SignalModel.of([protocol]).linearize(cbf, att)
    residuals = RepetitionVectors.of(data, Repetitions.of([acquisition])).less(here.delta_m)
    if reading is Reading.SAMPLE:
        return sample_spread(residuals, here, residuals.variance)
    jacobian = torch.stack([here.d_cbf, here.d_att]).permute(2, 1, 0)
    score = residuals.values.movedim(-1, 0) @ jacobian
    if reading is Reading.REPETITION:
        score = (score - score.mean(1, keepdim=True)) * math.sqrt(count / (count - 1))
    information = jacobian.mT @ jacobian
    told = torch.isfinite(information).all(-1).all(-1) & (torch.linalg.det(information) > 0)
    ratio = torch.full_like(information, torch.nan)
    ratio[told] = torch.linalg.solve(information[told], (score.mT @ score / count)[told])
    ratio = ratio / residuals.variance[:, None, None]
    trace = ratio.diagonal(dim1=-2, dim2=-1).sum(-1)
    return eigenvalues(trace, torch.linalg.det(ratio))


def readings_table(n_voxels: int, seed: int) -> tuple[Table, tuple[Finding, ...]]:
    """Ask of each reading whether it can see a wrong mean, given its own simulated null."""
    rows: list[Row] = []
    findings: list[Finding] = []
    cases = [(organ, organ.n_repetitions) for organ in ORGANS] + [(BRAIN, N_REPETITIONS[-1])]
    for (place, case), reading in product(enumerate(cases), Reading):
        organ, count = case
        null_seed, own_seed = (seed + 10 * place + part for part in (0, 5))
        null = _simulated(reading, Scenario.CORRECT, case, n_voxels=n_voxels, seed=null_seed)
        limit = float(null.kappa[torch.isfinite(null.kappa)].quantile(0.95))
        for scenario in READ_SCENARIOS:
            found = _simulated(reading, scenario, case, n_voxels=n_voxels, seed=own_seed)
            rows.append(
                {
                    'one observation is': str(reading),
                    'organ': f'{organ.name}, M = {count}',
                    'truth': str(scenario),
                    'median lambda max': round(float(found.largest.nanmedian()), 3),
                    'median kappa': round(float(found.kappa.nanmedian()), 3),
                    'kappa above its null': _share_above(found.kappa, limit),
                }
            )
            if reading is Reading.SAMPLE and count == N_REPETITIONS[-1]:
                findings += _per_sample_findings(organ, scenario, found.largest)
    question = (
        'What do other readings of the score covariance see? Last column: share of voxels with '
        'kappa above the 95th percentile of a simulated correct model.'
    )
    return Table('readings', question, tuple(rows)), tuple(findings)


def rician_findings(n_voxels: int, seed: int) -> Iterator[Finding]:
    """Measure the error that remains when delta M itself is taken as a magnitude."""
    generator = generator_of(seed, 800)
    truth = Truth.draw(BRAIN.population, n_voxels, generator)
    count = N_REPETITIONS[-1]
    signal = signal_of(Scenario.CORRECT, truth, BRAIN.protocol, count, generator)
    data = Magnitude.DIFFERENCE.of(signal, BRAIN.population.noise, generator).flatten(1)
    fit = fit_cbf_att(data, repeat(BRAIN.protocol, count))
    for name, true, unit, expected, tolerance in (
        ('cbf', truth.cbf, 'mL/100 g/min', reference.RICIAN_BIAS[0], 0.3),
        ('att', truth.att, 's', reference.RICIAN_BIAS[1], 0.01),
    ):
        error = (fit.parameters[name].double() - true).abs()
        quantity = f'Rician noise on delta M: median |error| of {name.upper()} at M = 50 [{unit}]'
        yield Finding(
            'literal', quantity, float(error.nanmedian()), error_of_median(error),
            expected, tolerance,
        )  # fmt: skip


def equation_4_findings() -> Iterator[Finding]:
    """Fit the paper's equation 4 to the signal that PCASL would give at CBF 60."""
    for att, expected in reference.CBF_BY_EQUATION_4.items():
        cbf, moment = (torch.tensor(value, dtype=torch.float64) for value in (60.0, att))
        signal = delta_m(cbf, moment, Protocol.of(BRAIN.protocol)).numpy()
        ours = fit_equation_4(signal, BRAIN.protocol)[0]
        quantity = f'equation 4 fitted to PCASL, CBF 60, ATT {att:g} s: CBF [mL/100 g/min]'
        yield Finding('literal', quantity, ours, math.nan, expected, 1.0)


def equation_4(cbf: float, att: float, protocol: Acquisition) -> NDArray[np.float64]:
    """Predict delta M / M0 by the paper's equations 2 to 4 as they are printed.

    The label decays with blood T1 from when it arrives on, but does not decay on its way, so
    this is neither pulsed nor continuous labelling: the arterial input of a PASL bolus without
    its transit decay.
    """
    readout = np.array(protocol.pld) + np.array(protocol.labeling_duration)
    flow = cbf / (ML_PER_100G_MIN_PER_ML_G_S * protocol.partition_coefficient)
    tissue = 1 / protocol.t1_tissue + flow
    excess = 1 / protocol.t1_blood - tissue
    age = np.maximum(readout - att, 0)
    entered = np.minimum(age, np.array(protocol.labeling_duration))
    bolus = -np.expm1(-excess * entered) / excess
    signal: NDArray[np.float64] = (
        2 * protocol.labeling_efficiency * flow * np.exp(-tissue * age) * bolus
    )
    return signal


def fit_equation_4(signal: NDArray[np.float64], protocol: Acquisition) -> tuple[float, float]:
    """Fit CBF and ATT by equation 4, from several starts because ATT has kinks."""

    def misfit(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1e3 * (equation_4(float(parameters[0]), float(parameters[1]), protocol) - signal)

    fit = partial(least_squares, misfit, bounds=([0, 0], [1000, 4]), x_scale=[50, 1])
    best = min((fit([50.0, start]) for start in (0.3, 0.9, 1.5, 2.1)), key=lambda one: one.cost)
    return float(best.x[0]), float(best.x[1])


def _simulated(
    reading: Reading,
    scenario: Scenario,
    case: tuple[Organ, int],
    *,
    n_voxels: int,
    seed: int,
) -> Spread:
    organ, count = case
    generator = generator_of(seed, 820 + list(Scenario).index(scenario))
    truth = Truth.draw(organ.population, n_voxels, generator)
    data = measure(scenario, truth, organ, count, generator)
    return spread_of(reading, data, organ.protocol)


def _share_above(values: Tensor, limit: float) -> str:
    tested = values[torch.isfinite(values)]
    return f'{float((tested > limit).double().mean()):.3f}'


def _per_sample_findings(organ: Organ, scenario: Scenario, largest: Tensor) -> Iterator[Finding]:
    expected = reference.PER_SAMPLE_EIGENVALUE.get(scenario)
    if expected is None:
        return
    recorded = scenario in reference.COMPARABLE
    yield Finding(
        'literal',
        f'{organ.name}, {scenario}: per-sample median lambda max at M = 50',
        float(largest.nanmedian()),
        error_of_median(largest),
        expected,
        0.03 if recorded else None,
        note='' if recorded else 'the reference does not record its parameters',
    )
