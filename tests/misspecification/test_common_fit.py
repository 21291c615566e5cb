"""Chow's test against ordinary least squares, on numbers without any signal model."""

import numpy as np
import pytest
import torch
from scipy import stats

from aslprep_nn.misspecification.common_fit import p_of_common_fit
from aslprep_nn.misspecification.model_tests import Misfit

N_VOXELS, N_TIMINGS = 2000, 6
EARLY, LATE = slice(0, N_TIMINGS // 2), slice(N_TIMINGS // 2, None)


def regressed(values: np.ndarray, design: np.ndarray) -> Misfit:
    """Regress the means of repetitions, ``(voxel, repetition, timing)``."""
    count = values.shape[1]
    means = values.mean(1).T
    residual = means - design @ np.linalg.lstsq(design, means)[0]
    scatter = ((values - values.mean(1, keepdims=True)) ** 2).sum((1, 2))
    sums = torch.from_numpy(count * (residual**2).sum(0)), torch.from_numpy(scatter)
    counts = count * values.shape[2], values.shape[2]
    return Misfit(*sums, *(torch.full((1,), number) for number in counts))


def compared(repetitions: int, change: float = 0.0) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """Compare two halves of a straight line, of which one may have another slope."""
    generator = np.random.default_rng(1)
    design = np.stack([np.ones(N_TIMINGS), np.arange(N_TIMINGS)], -1)
    values = generator.normal(size=(N_VOXELS, repetitions, N_TIMINGS)) + design @ [3, 0.5]
    values[:, :, LATE] += change * np.arange(N_TIMINGS)[LATE]
    halves = [regressed(values[:, :, half], design[half]) for half in (EARLY, LATE)]
    return p_of_common_fit(regressed(values, design), (halves[0], halves[1])), values, design


def squares_of(values: np.ndarray, design: np.ndarray) -> float:
    return float(np.sum((values - design @ np.linalg.lstsq(design, values)[0]) ** 2))


def test_without_repetitions_it_is_the_test_of_chow():
    p, values, design = compared(repetitions=1)
    for voxel in range(3):
        y = values[voxel, 0]
        apart = sum(squares_of(y[half], design[half]) for half in (EARLY, LATE))
        ratio = (squares_of(y, design) - apart) / 2 / (apart / (N_TIMINGS - 4))
        assert float(p[voxel]) == pytest.approx(stats.f.sf(ratio, 2, N_TIMINGS - 4))


def test_with_repetitions_the_variance_is_theirs():
    p, values, design = compared(repetitions=5)
    for voxel in range(3):
        y = values[voxel]
        means, within = y.mean(0), ((y - y.mean(0)) ** 2).sum() / (4 * N_TIMINGS)
        apart = sum(squares_of(means[half], design[half]) for half in (EARLY, LATE))
        ratio = 5 * (squares_of(means, design) - apart) / 2 / within
        assert float(p[voxel]) == pytest.approx(stats.f.sf(ratio, 2, 4 * N_TIMINGS))


@pytest.mark.parametrize('repetitions', [1, 2, 8])
def test_a_linear_model_is_rejected_at_exactly_the_nominal_rate(repetitions):
    p, *_ = compared(repetitions)
    assert stats.kstest(p.numpy(), 'uniform').pvalue > 0.01


def test_halves_with_another_slope_are_told_apart():
    p, *_ = compared(repetitions=8, change=1.0)
    assert float((p < 0.05).double().mean()) > 0.9


def test_two_timings_in_each_half_leave_no_residuals_to_compare_with():
    one = Misfit(torch.zeros(3), torch.zeros(3), torch.tensor([2]), torch.tensor([2]))
    both = Misfit(torch.ones(3), torch.zeros(3), torch.tensor([4]), torch.tensor([4]))
    assert p_of_common_fit(both, (one, one)).isnan().all()
