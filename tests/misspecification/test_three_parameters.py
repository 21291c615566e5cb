"""Three parameters against textbook formulas, and their simulated null against another draw."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from aslprep_nn.misspecification.projections import Projections
from aslprep_nn.misspecification.sandwich import Spread
from aslprep_nn.misspecification.three_parameters import (
    covariance_of_three,
    p_of_kappa_of_three,
    simulated_null,
    spread_of_three,
)
from aslprep_nn.misspecification.vectors import RepetitionVectors

N_REPETITIONS, N_TIMINGS = 7, 6


def normal(*shape: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.fixture
def basis() -> Projections:
    values = normal(1, N_REPETITIONS, N_TIMINGS, seed=0).movedim(0, -1)
    vectors = RepetitionVectors(values, torch.ones(N_REPETITIONS, 1, dtype=torch.bool))
    directions, signal = normal(3, N_TIMINGS, 1, seed=1), torch.zeros(N_TIMINGS, 1).double()
    return Projections.of(vectors, directions, signal, n_parameters=3).orthogonalized()


@pytest.fixture
def textbook() -> tuple[np.ndarray, np.ndarray]:
    """Compute C_M for one repetition, and the eigenvalues of P, for noise of variance 1."""
    values = normal(1, N_REPETITIONS, N_TIMINGS, seed=0)[0].numpy()
    jacobian = normal(3, N_TIMINGS, 1, seed=1)[..., 0].numpy().T
    inverse = np.linalg.inv(jacobian.T @ jacobian)
    b = np.cov((values @ jacobian).T)
    return inverse @ b @ inverse, np.sort(np.linalg.eigvals(inverse @ b).real)


def test_the_eigenvalues_are_those_of_the_crb_compared_with_the_sandwich(basis, textbook):
    spread = spread_of_three(basis, torch.ones(1).double())
    found = [float(part) for part in (spread.smallest, spread.middle, spread.largest)]
    assert found == pytest.approx(textbook[1].tolist())
    assert float(spread.trace) == pytest.approx(textbook[1].sum())
    expected = (textbook[1].sum() - np.log(textbook[1]).sum() - 3) / 2
    assert float(spread.divergence) == pytest.approx(expected)


def test_the_covariance_is_the_sandwich(basis, textbook):
    found = [float(part) for part in covariance_of_three(basis)]
    expected = textbook[0]
    assert found == pytest.approx([expected[0, 0], expected[0, 1], expected[1, 1]])


def test_a_parameter_that_cannot_be_told_has_no_eigenvalues(basis):
    blind = replace(basis, along=basis.along * torch.nan)
    assert spread_of_three(blind, torch.ones(1).double()).kappa.isnan().all()


def wishart_spread(n_repetitions: int, n_voxels: int) -> Spread:
    draws = normal(n_voxels, n_repetitions, 3, seed=n_repetitions)
    draws = draws - draws.mean(1, keepdim=True)
    smallest, middle, largest = torch.linalg.eigvalsh(draws.mT @ draws).unbind(-1)
    return Spread(largest, smallest, middle)


@pytest.mark.parametrize('n_repetitions', [4, 5, 8, 50])
def test_p_of_kappa_is_uniform_under_the_wishart_null(n_repetitions):
    """To within what 400,000 draws in the table and 200,000 here leave, 1.36 / sqrt(n) each."""
    n_voxels = 200_000
    count = torch.full((n_voxels,), n_repetitions)
    p = p_of_kappa_of_three(wishart_spread(n_repetitions, n_voxels), count)
    assert stats.kstest(p.numpy(), 'uniform').statistic < 0.005


@pytest.mark.parametrize('n_repetitions', [4, 8])
def test_the_tail_goes_on_as_the_distribution_does(n_repetitions):
    """A million other draws: p of their kappa at which one in 20,000 is exceeded."""
    spread = wishart_spread(n_repetitions, 10**6)
    far = spread.kappa.quantile(torch.tensor(1 - 5e-5, dtype=torch.float64))
    one = Spread(far.reshape(1), torch.ones(1).double(), torch.ones(1).double())
    p = p_of_kappa_of_three(one, torch.tensor([n_repetitions]))
    assert float(p) == pytest.approx(5e-5, rel=0.4)


def test_each_voxel_is_compared_with_its_own_number_of_repetitions():
    kappa = torch.full((3,), 50.0).double()
    spread = Spread(kappa, torch.ones(3).double(), torch.ones(3).double())
    p = p_of_kappa_of_three(spread, torch.tensor([3, 4, 8])).tolist()
    assert np.isnan(p[0])
    assert p[1] == pytest.approx(0.5, abs=0.02)
    assert p[2] < 0.01


def test_the_null_is_simulated_once():
    assert simulated_null(6) is simulated_null(6)
