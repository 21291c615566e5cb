"""The lack of fit against scipy, on numbers without any signal model."""

import pytest
import torch
from scipy import stats
from voxels import pcasl

from aslprep_nn.estimation.repetitions import Repetitions, Summary
from aslprep_nn.misspecification.model_tests import lack_of_fit

N_TIMINGS, N_REPETITIONS = 6, 5
DELAYS = (0.25, 0.5, 1.0, 1.5, 2.0, 2.5)


@pytest.fixture
def noise() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = 4, N_REPETITIONS * N_TIMINGS
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def repetitions(count: int = N_REPETITIONS) -> Repetitions:
    return Repetitions.of([pcasl(delays=DELAYS, repetitions=count)])


def misfit_of(data: torch.Tensor, signal: torch.Tensor, count: int = N_REPETITIONS) -> Summary:
    whole = repetitions(count).summarize(data)
    return Summary.of(whole.mean - signal, whole.weight, whole.scatter, whole.n_measurements)


def test_with_no_parameter_but_the_mean_lack_of_fit_is_the_analysis_of_variance(noise):
    misfit = misfit_of(noise, noise.mean(-1).expand(N_TIMINGS, 4))
    found = lack_of_fit(misfit, torch.ones(4, dtype=torch.int64))
    for voxel in range(4):
        groups = noise[voxel].reshape(N_REPETITIONS, N_TIMINGS).T.numpy()
        expected = stats.f_oneway(*groups)
        assert float(found.ratio[voxel]) == pytest.approx(expected.statistic)
        assert float(found.p[voxel]) == pytest.approx(expected.pvalue)


def test_without_repetitions_there_is_no_lack_of_fit():
    data = torch.ones(2, N_TIMINGS, dtype=torch.float64)
    found = lack_of_fit(misfit_of(data, data.mT, 1), torch.full((2,), 2))
    assert found.ratio.isnan().all()
    assert found.p.isnan().all()
