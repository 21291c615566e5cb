"""Other ways to read the paper."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from aslprep_nn.estimation.benchmark.evidence import Verdict
from aslprep_nn.misspecification.reproduction.literal import (
    Reading,
    equation_4,
    equation_4_findings,
    fit_equation_4,
    readings_table,
    rician_findings,
    spread_of,
)
from aslprep_nn.misspecification.reproduction.scenarios import (
    BRAIN,
    KIDNEY,
    Scenario,
    Truth,
    fit_and_assess,
    generator_of,
    measure,
    repeat,
)


@pytest.fixture(scope='module')
def data() -> torch.Tensor:
    truth = Truth.draw(BRAIN.population, 300, generator_of(0, 1))
    return measure(Scenario.CORRECT, truth, BRAIN, 8, generator_of(0, 2))


def test_the_definition_gives_the_eigenvalues_that_assess_computes_otherwise(data):
    found = fit_and_assess(data, repeat(BRAIN.protocol, 8))[1].statistics
    direct = spread_of(Reading.REPETITION, data, BRAIN.protocol)
    for ours, theirs in ((direct.largest, 'lambdamax'), (direct.smallest, 'lambdamin')):
        torch.testing.assert_close(
            ours, found[theirs].double(), rtol=1e-5, atol=1e-7, equal_nan=True
        )


def test_scores_about_zero_and_about_their_mean_agree_at_an_interior_optimum(data):
    centered, plain = (
        spread_of(reading, data, BRAIN.protocol).largest
        for reading in (Reading.REPETITION, Reading.UNCENTERED)
    )
    assert float((plain / centered).nanmedian()) == pytest.approx(7 / 8, rel=1e-3)


def test_the_per_sample_reading_sees_outflow_and_the_other_does_not():
    truth = Truth.draw(KIDNEY.population, 400, generator_of(0, 3))
    wrong = measure(Scenario.OUTFLOW, truth, KIDNEY, 8, generator_of(0, 4))
    medians = {
        reading: float(spread_of(reading, wrong, KIDNEY.protocol).kappa.nanmedian())
        for reading in Reading
    }
    assert medians[Reading.SAMPLE] > 1.5
    assert medians[Reading.REPETITION] == pytest.approx(2.66, abs=0.4)


def test_equation_4_is_the_convolution_it_stands_for():
    protocol, cbf, att = BRAIN.protocol, 80.0, 0.93
    flow = cbf / 6000
    rate = 1 / protocol.t1_tissue + flow / protocol.partition_coefficient
    signal = equation_4(cbf, att, protocol)
    for index in (0, 7, 20):
        time = protocol.pld[index] + 1.5
        end = min(time, att + 1.5)
        integral = quad(
            lambda s: math.exp(-(s - att) / 1.65 - (time - s) * rate),  # noqa: B023
            att, max(end, att),
        )[0]  # fmt: skip
        expected = 2 * 0.85 * flow / 0.9 * integral
        assert signal[index] == pytest.approx(expected, rel=1e-9)


def test_its_fit_recovers_its_own_truth():
    signal = equation_4(55.0, 1.13, BRAIN.protocol)
    assert np.allclose(fit_equation_4(signal, BRAIN.protocol), (55.0, 1.13), rtol=1e-3)


def test_its_cbf_of_a_pcasl_signal_falls_with_transit_time_as_the_reference_says():
    found = list(equation_4_findings())
    assert [finding.ours for finding in found] == sorted((f.ours for f in found), reverse=True)
    assert all(finding.verdict is Verdict.AGREES for finding in found)


def test_rician_noise_on_the_difference_leaves_an_error_that_repetitions_do_not_remove():
    cbf, att = rician_findings(400, 0)
    assert cbf.ours > 2
    assert att.ours > 0.02


def test_every_reading_is_compared_with_its_own_null():
    table, findings = readings_table(150, 0)
    assert len(table.rows) == 3 * 3 * 4
    assert len(findings) == 3
