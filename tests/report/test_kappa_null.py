"""The distribution of kappa under correct noise."""

import math

import pytest
import torch

from aslprep_nn.misspecification.null import p_of_kappa
from aslprep_nn.misspecification.sandwich import Spread
from aslprep_nn.report.kappa_null import kappa_quantile


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
    found = [kappa_quantile(share, n_repetitions) for share in (0.5, 0.9, 0.95, 0.99)]
    assert found == pytest.approx(quantiles, rel=0.02)


@pytest.mark.parametrize('n_repetitions', [3, 8, 50])
def test_the_quantile_is_the_inverse_of_the_p_value(n_repetitions):
    shares = (0.05, 0.5, 0.95)
    kappa = torch.tensor([kappa_quantile(share, n_repetitions) for share in shares])
    p = p_of_kappa(Spread(kappa, torch.ones(3)), torch.tensor(n_repetitions))
    assert (1 - p).tolist() == pytest.approx(shares, abs=1e-4)


def test_kappa_reaches_from_one_to_infinity():
    assert kappa_quantile(0.0, 8) == pytest.approx(1)
    assert kappa_quantile(1.0, 8) == math.inf


def test_two_repetitions_have_no_distribution():
    assert math.isnan(kappa_quantile(0.5, 2))
