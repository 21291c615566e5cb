"""Smoothing inside a mask, and what is left of the noise."""

import pytest
import torch

from aslprep_nn.estimation.smoothing import smooth


def slab(weight, value=1.0):
    return torch.full_like(weight, value)


def test_a_constant_stays_constant_up_to_the_border_of_the_mask():
    weight = torch.zeros(12, 9, dtype=torch.float64)
    weight[2:9, 1:7] = 1
    values, _ = smooth(slab(weight, 5.0), weight, {0: 1.5, 1: 1.5})
    torch.testing.assert_close(values[weight > 0], torch.full((42,), 5.0).double())


def test_values_without_weight_do_not_matter():
    weight = torch.ones(10, 10, dtype=torch.float64)
    weight[3, 4] = 0
    values = torch.rand(10, 10, generator=torch.Generator().manual_seed(1)).double()
    other = values.clone()
    other[3, 4] = 1e6
    assert torch.equal(smooth(values, weight, {0: 1.0})[0], smooth(other, weight, {0: 1.0})[0])


@pytest.mark.parametrize('sigma', [0.5, 0.7, 1.5])
def test_the_weight_is_the_precision_of_the_average(sigma):
    generator = torch.Generator().manual_seed(2)
    weight = torch.rand(7, 8, generator=generator).double() + 0.2
    weight[:, :2] = 0
    noise = torch.randn(20000, 7, 8, generator=generator).double()
    values = noise / weight.clamp(min=0.01).sqrt()
    averages, precision = smooth(values, weight.expand_as(values), {1: sigma, 2: sigma})
    seen = weight > 0
    scatter = averages.var(0)[seen] * precision[0][seen]
    torch.testing.assert_close(scatter, torch.ones_like(scatter), rtol=0, atol=0.06)


def test_no_smoothing_changes_nothing():
    weight = torch.rand(4, 5, generator=torch.Generator().manual_seed(3)).double()
    values, precision = smooth(slab(weight, 3.0), weight, {0: 0.0})
    torch.testing.assert_close(values, slab(weight, 3.0))
    torch.testing.assert_close(precision, weight)


def test_far_from_everything_nothing_is_known():
    weight = torch.zeros(30, dtype=torch.float64)
    weight[0] = 1
    values, precision = smooth(slab(weight), weight, {0: 1.0})
    assert values[10:].abs().max() == 0
    assert precision[10:].abs().max() == 0
