"""Tabulated tails against the functions they stand for."""

import numpy as np
import pytest
import torch
from scipy import special

from aslprep_nn.misspecification import tails
from aslprep_nn.misspecification.tails import upper_tail

DEGREES = [(1, 3), (1, 7), (1, 49), (2, 100), (3, 40), (14, 133), (19, 147), (100, 5000), (6, 2)]


def degrees(*values: int) -> tuple[torch.Tensor, ...]:
    return tuple(torch.tensor(value) for value in values)


def ratios(n: int = 20000) -> torch.Tensor:
    return torch.logspace(-4, 2, n, dtype=torch.float64)


@pytest.mark.parametrize(('above', 'below'), DEGREES)
def test_the_logarithm_of_p_is_exact_to_a_millionth(above, below):
    p = upper_tail(ratios(), *degrees(above, below)).numpy()
    exact = special.fdtrc(above, below, ratios().numpy())
    worth = (exact < 0.999) & (exact > 1e-250)
    np.testing.assert_allclose(np.log(p[worth]), np.log(exact[worth]), rtol=1e-6)
    np.testing.assert_allclose(p, exact, atol=1e-8)


def test_beyond_the_table_the_exact_function_is_used():
    far = torch.full((tails.FEWEST_VALUES,), 1e9, dtype=torch.float64)
    p = upper_tail(far, *degrees(1, 3))
    np.testing.assert_allclose(p.numpy(), special.fdtrc(1, 3, 1e9), rtol=1e-12)


def test_few_values_and_a_table_agree():
    few = ratios(100)
    many = few.repeat(10)
    arguments = degrees(4, 42)
    torch.testing.assert_close(
        upper_tail(few, *arguments).repeat(10), upper_tail(many, *arguments), rtol=1e-6, atol=1e-8
    )


@pytest.mark.parametrize('n_kinds', [2, tails.MOST_KINDS + 1])
def test_each_value_has_its_own_degrees_of_freedom(n_kinds):
    ratio = ratios(600).reshape(2, 300)
    above = torch.arange(300) % n_kinds + 1
    p = upper_tail(ratio, above, torch.tensor(12)).numpy()
    exact = special.fdtrc(above.numpy(), 12, ratio.numpy())
    np.testing.assert_allclose(p, exact, rtol=1e-6, atol=1e-8)


def test_what_is_not_a_number_has_no_p():
    ratio = torch.ones(1000, dtype=torch.float64)
    ratio[3] = torch.nan
    assert upper_tail(ratio, *degrees(2, 9)).isnan().nonzero().flatten().tolist() == [3]
