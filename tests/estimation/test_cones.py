import math

import torch

from aslprep_nn.estimation.cones import highest


def test_the_highest_of_each_column_is_found_with_its_row():
    generator = torch.Generator().manual_seed(3)
    values = torch.randn(17, 500, generator=generator)
    most, row = highest(values)
    assert torch.equal(most, values.max(0).values)
    assert torch.equal(row, values.max(0).indices)


def test_of_equal_values_the_first_row_is_taken():
    assert highest(torch.tensor([[0.0, 2.0], [1.0, 2.0], [1.0, 0.0]]))[1].tolist() == [1, 0]


def test_a_column_that_is_not_finite_still_names_a_row():
    values = torch.tensor([[math.nan, math.inf, -1.0], [1.0, 0.0, -2.0]])
    row = highest(values)[1]
    assert bool(((row >= 0) & (row < 2)).all())
    assert row[2] == 0
