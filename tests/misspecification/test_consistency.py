"""Early against late delays: exact on straight lines, and what it finds in simulated voxels."""

import numpy as np
import pytest
import torch
from scipy import stats
from voxels import SHORT_DELAYS, Population, measure, pcasl, rejected

from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.repetitions import Summary
from aslprep_nn.misspecification.assessment import assess
from aslprep_nn.misspecification.consistency import Consistency, Point, compare_halves
from aslprep_nn.misspecification.subsets import split
from aslprep_nn.signal.kinetics import Linearization

N_VOXELS, N_TIMINGS = 2000, 6
#: A straight line whose two parameters both halves tell well, and what is true.
DESIGN, TRUTH = np.stack([np.ones(N_TIMINGS), 100 * np.arange(N_TIMINGS)], -1), (300, 0.5)
EARLY, LATE = slice(0, N_TIMINGS // 2), slice(N_TIMINGS // 2, None)


def draw(repetitions: int, change: float = 0.0) -> np.ndarray:
    """Measure a straight line, of which the later half may have another slope."""
    generator = np.random.default_rng(1)
    noise = generator.normal(size=(N_VOXELS, repetitions, N_TIMINGS))
    values = noise + DESIGN @ TRUTH
    values[:, :, LATE] += change * np.arange(N_TIMINGS)[LATE]
    return values


def compared(values: np.ndarray) -> Consistency:
    """Compare two halves of a straight line, ``(voxel, repetition, timing)``."""
    count = values.shape[1]
    means = values.mean(1).T
    fit = np.linalg.lstsq(DESIGN, means)[0]
    misfit = Summary.of(
        mean=torch.from_numpy(means - DESIGN @ fit),
        weight=torch.full((N_TIMINGS, 1), float(count), dtype=torch.float64),
        scatter=torch.from_numpy(((values - values.mean(1, keepdims=True)) ** 2).sum((1, 2))),
        n_measurements=torch.full((1,), count * N_TIMINGS),
    )
    d_cbf, d_att = (torch.from_numpy(column)[:, None] for column in DESIGN.T)
    nothing = torch.zeros_like(misfit.mean)
    signal = Linearization(nothing, d_cbf + nothing, d_att + nothing, nothing)
    halves = torch.eye(2, dtype=torch.float64).repeat_interleave(N_TIMINGS // 2, 1)
    point = Point(*torch.from_numpy(fit))
    return compare_halves(signal, misfit, halves, point, torch.ones(N_VOXELS).double())


def squares_of(values: np.ndarray, design: np.ndarray) -> float:
    return float(np.sum((values - design @ np.linalg.lstsq(design, values)[0]) ** 2))


def test_without_repetitions_it_is_the_test_of_chow():
    values = draw(repetitions=1)
    found = compared(values)
    for voxel in range(3):
        y = values[voxel, 0]
        apart = sum(squares_of(y[half], DESIGN[half]) for half in (EARLY, LATE))
        ratio = (squares_of(y, DESIGN) - apart) / 2 / (apart / (N_TIMINGS - 4))
        assert float(found.hausman[voxel]) == pytest.approx(2 * ratio)
        assert float(found.p[voxel]) == pytest.approx(stats.f.sf(ratio, 2, N_TIMINGS - 4))


def test_with_repetitions_the_variance_is_theirs():
    values = draw(repetitions=5)
    found = compared(values)
    for voxel in range(3):
        y = values[voxel]
        means, within = y.mean(0), ((y - y.mean(0)) ** 2).sum() / (4 * N_TIMINGS)
        apart = sum(squares_of(means[half], DESIGN[half]) for half in (EARLY, LATE))
        ratio = 5 * (squares_of(means, DESIGN) - apart) / 2 / within
        assert float(found.p[voxel]) == pytest.approx(stats.f.sf(ratio, 2, 4 * N_TIMINGS))


def test_the_squared_distance_is_in_units_of_its_covariance():
    values = draw(repetitions=5)
    found = compared(values)
    y = values[0]
    within = ((y - y.mean(0)) ** 2).sum() / (4 * N_TIMINGS)
    early, late = (np.linalg.lstsq(DESIGN[h], y.mean(0)[h])[0] for h in (EARLY, LATE))
    spread = sum(np.linalg.inv(DESIGN[h].T @ DESIGN[h]) for h in (EARLY, LATE)) * within / 5
    distance = (early - late) @ np.linalg.inv(spread) @ (early - late)
    assert float(found.hausman[0]) == pytest.approx(distance)
    whole = np.linalg.lstsq(DESIGN, y.mean(0))[0]
    errors = float(found.cbf_error[0]), float(found.att_error[0])
    assert errors == pytest.approx(abs(early - late) / whole)


@pytest.mark.parametrize('repetitions', [1, 2, 8])
def test_a_linear_model_is_rejected_at_exactly_the_nominal_rate(repetitions):
    p = compared(draw(repetitions)).p
    assert stats.kstest(p.numpy(), 'uniform').pvalue > 0.01


def test_halves_with_another_slope_are_told_apart():
    assert rejected(compared(draw(repetitions=8, change=1.0)).p) > 0.9


def statistics(acquisition, data) -> Consistency:
    found = assess(data, acquisition, fit_cbf_att(data, acquisition)).statistics
    return Consistency(*(found[n] for n in ('hausman', 'phausman', 'subsetcbf', 'subsetatt')))


def test_relative_differences_are_nearly_those_of_two_fits():
    acquisition = pcasl(repetitions=8)
    data = measure(acquisition, Population((50, 70), (1.22, 1.28), 0.001), n_voxels=500)
    whole = fit_cbf_att(data, acquisition)
    found = statistics(acquisition, data)
    early, late = (
        fit_cbf_att(data[:, half.measurements], half.acquisition) for half in split(acquisition)
    )
    for name, error in (('cbf', found.cbf_error), ('att', found.att_error)):
        values = (fit.parameters[name] for fit in (early, late, whole))
        expected = (next(values) - next(values)).abs() / next(values)
        assert float(error.median()) == pytest.approx(float(expected.median()), rel=0.1)
        together = torch.stack([error.to(expected), expected])
        assert float(torch.corrcoef(together)[0, 1]) > 0.9


@pytest.mark.parametrize(('cbf', 'n_compared'), [((0, 150), 20_000), ((10, 30), 3000)])
def test_the_smallest_p_values_of_correct_voxels_are_as_rare_as_they_say(cbf, n_compared):
    acquisition = pcasl(repetitions=4)
    data = measure(acquisition, Population(cbf, (0, 2)), n_voxels=50_000)
    p = statistics(acquisition, data).p
    assert int(torch.isfinite(p).sum()) > n_compared
    assert 0.04 <= rejected(p) <= 0.065
    assert rejected(p, 0.001) < 0.0025


def test_voxels_that_one_half_cannot_identify_are_not_compared():
    acquisition = pcasl(delays=SHORT_DELAYS, repetitions=8)
    data = measure(acquisition, Population((50, 70), (0.05, 0.2), 0.001), n_voxels=50)
    found = statistics(acquisition, data)
    assert found.p.isnan().all()
    assert found.cbf_error.isnan().all()


def test_a_missing_measurement_weakens_the_comparison_of_its_own_voxel_only():
    acquisition = pcasl(repetitions=4)
    data = measure(acquisition, Population((60, 60), (1.25, 1.25)), n_voxels=20)
    before = statistics(acquisition, data)
    data[3, 30:40] = torch.nan
    after = statistics(acquisition, data)
    others = torch.arange(20) != 3
    torch.testing.assert_close(after.hausman[others], before.hausman[others], rtol=1e-3, atol=1e-3)
    assert after.hausman[3] != before.hausman[3]


def test_a_wrong_labelling_duration_makes_early_and_late_delays_disagree():
    acquisition = pcasl(repetitions=10)
    truth = Population((60.0, 150.0), (0.9, 2.0))
    data = measure(pcasl(repetitions=10, duration=1.8), truth)
    assert rejected(statistics(acquisition, data).p) > 0.55
