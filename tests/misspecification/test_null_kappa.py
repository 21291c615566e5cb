"""How large kappa is where the noise is as assumed."""

import math

import pytest

from aslprep_nn.misspecification.bootstrap import null_kappa


@pytest.mark.parametrize(
    ('n_repetitions', 'quantiles'),
    [
        (4, (5.8, 38, 78, 398)),
        (6, (3.4, 10.6, 15.8, 38)),
        (8, (2.66, 6.46, 8.74, 16.5)),
        (10, (2.33, 4.91, 6.30, 10.6)),
        (16, (1.89, 3.25, 3.88, 5.5)),
        (50, (1.41, 1.87, 2.04, 2.4)),
    ],
)
def test_quantiles_are_those_of_simulated_voxels(n_repetitions, quantiles):
    found = [null_kappa(p, n_repetitions) for p in (0.5, 0.1, 0.05, 0.01)]
    assert found == pytest.approx(quantiles, rel=0.02)


def test_kappa_is_at_least_one():
    assert null_kappa(1.0, 8) == pytest.approx(1)


def test_two_repetitions_have_no_distribution():
    assert null_kappa(0.5, 2) == math.inf
