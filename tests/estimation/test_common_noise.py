"""One noise for all voxels: the mean variance, whatever a few of them did."""

import math

import pytest
import torch

from aslprep_nn.estimation.common_noise import MOST_EXCESS, common_noise


def estimated(noise, n_degrees, seed=0):
    """Estimate the noise of voxels, given its truth, from so many degrees of freedom."""
    generator = torch.Generator().manual_seed(seed)
    draws = noise.unsqueeze(-1) * torch.randn(len(noise), n_degrees, generator=generator)
    return draws.square().mean(-1).sqrt()


@pytest.mark.parametrize('n_degrees', [4, 40])
def test_equal_noise_is_found_however_few_the_repetitions(n_degrees):
    found = common_noise(estimated(torch.full((20_000,), 0.002), n_degrees))
    assert found == pytest.approx(0.002, rel=0.02)


def test_unequal_noise_gives_the_root_of_the_mean_variance():
    noise = torch.tensor([0.001, 0.003]).repeat(10_000)
    assert common_noise(estimated(noise, 40)) == pytest.approx(math.sqrt(5) * 1e-3, rel=0.02)


def test_a_rim_that_moved_hardly_counts():
    noise = torch.full((1000,), 0.001)
    noise[:20] = 0.1
    assert common_noise(noise) == pytest.approx(0.001 * math.sqrt(0.98 + 0.02 * MOST_EXCESS))


def test_voxels_that_cannot_tell_are_left_out():
    noise = torch.tensor([0.001, math.nan, math.inf, 0.001])
    assert common_noise(noise) == pytest.approx(0.001)
    assert math.isnan(common_noise(noise[1:3]))
    assert math.isnan(common_noise(noise[:0]))
