"""The two statistics against scipy, on numbers without any signal model."""

import pytest
import torch
from scipy import stats
from voxels import pcasl

from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.misspecification.model_tests import lack_of_fit, score_t
from aslprep_nn.misspecification.tangent import Tangent
from aslprep_nn.misspecification.vectors import RepetitionVectors

N_TIMINGS, N_REPETITIONS = 6, 5
DELAYS = (0.25, 0.5, 1.0, 1.5, 2.0, 2.5)


@pytest.fixture
def noise() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = 4, N_REPETITIONS * N_TIMINGS
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.fixture
def repetitions() -> Repetitions:
    return Repetitions.of([pcasl(delays=DELAYS, repetitions=N_REPETITIONS)])


@pytest.fixture
def tangent() -> Tangent:
    generator = torch.Generator().manual_seed(1)
    return Tangent.of(*torch.randn(2, N_TIMINGS, 4, generator=generator, dtype=torch.float64))


def test_with_no_parameter_but_the_mean_lack_of_fit_is_the_analysis_of_variance(noise, repetitions):
    mean = noise.mean(-1).expand(N_TIMINGS, 4)
    found = lack_of_fit(repetitions.summarize(noise), mean, torch.ones(4, dtype=torch.int64))
    for voxel in range(4):
        groups = noise[voxel].reshape(N_REPETITIONS, N_TIMINGS).T.numpy()
        expected = stats.f_oneway(*groups)
        assert float(found.ratio[voxel]) == pytest.approx(expected.statistic)
        assert float(found.p[voxel]) == pytest.approx(expected.pvalue)


def test_without_repetitions_there_is_no_lack_of_fit():
    once = Repetitions.of([pcasl(delays=DELAYS, repetitions=1)])
    data = torch.ones(2, N_TIMINGS, dtype=torch.float64)
    found = lack_of_fit(once.summarize(data), data.mT, torch.full((2,), 2))
    assert found.ratio.isnan().all()
    assert found.p.isnan().all()


def test_a_score_is_students_t_of_the_deviations(noise, repetitions, tangent):
    generator = torch.Generator().manual_seed(2)
    direction = torch.randn(1, N_TIMINGS, 4, generator=generator, dtype=torch.float64)
    signal = torch.randn(N_TIMINGS, 4, generator=generator, dtype=torch.float64)
    vectors = RepetitionVectors.of(noise, repetitions)
    found = score_t(vectors, tangent, direction, signal)
    across = tangent.orthogonalize(direction)[0]
    for voxel in range(4):
        residual = noise[voxel].reshape(N_REPETITIONS, N_TIMINGS) - signal[:, voxel]
        expected = stats.ttest_1samp((residual @ across[:, voxel]).numpy(), 0)
        assert float(found[0, voxel]) == pytest.approx(expected.statistic)
