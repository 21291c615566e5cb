"""The pieces of the network."""

import torch

from aslprep_nn.network.layers import FeatureModulation, MaskedGroupNorm, double, halve


def image(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_normalisation_over_a_full_mask_is_group_normalisation():
    values = 3 + 5 * image(2, 8, 6, 7)
    ours = MaskedGroupNorm(4, 8, voxelwise=False)(values, torch.ones(2, 1, 6, 7))
    torch.testing.assert_close(ours, torch.nn.GroupNorm(4, 8)(values), rtol=1e-4, atol=1e-5)


def test_normalisation_counts_only_the_mask():
    values, mask = image(1, 4, 6, 6), torch.zeros(1, 1, 6, 6)
    mask[..., :3, :4] = 1
    spoilt = torch.where(mask > 0, values, 1e3)
    norm = MaskedGroupNorm(2, 4, voxelwise=False)
    inside = norm(spoilt, mask)[..., :3, :4]
    torch.testing.assert_close(
        inside, torch.nn.GroupNorm(2, 4)(values[..., :3, :4]), rtol=1e-4, atol=1e-5
    )


def test_normalisation_takes_the_amplitude_out_which_is_why_it_needs_a_path_of_its_own():
    values, mask = image(1, 8, 6, 6), torch.ones(1, 1, 6, 6)
    norm = MaskedGroupNorm(4, 8, voxelwise=False)
    torch.testing.assert_close(norm(100 * values, mask), norm(values, mask), rtol=0, atol=1e-4)


def test_an_empty_mask_gives_finite_numbers():
    norm = MaskedGroupNorm(2, 4, voxelwise=False)
    assert torch.isfinite(norm(image(1, 4, 3, 3), torch.zeros(1, 1, 3, 3))).all()


def test_modulation_starts_by_changing_nothing():
    values = image(2, 4, 3, 3)
    assert torch.equal(FeatureModulation(5, 4)(values, image(2, 5)), values)


def test_halving_averages_over_the_mask():
    values, mask = torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    values[..., 0, 0], mask[..., 0, 0] = 6.0, 1
    mask[..., 2:, 2:] = 1
    half, half_mask = halve(values, mask)
    assert half.flatten().tolist() == [6, 0, 0, 1]
    assert half_mask.flatten().tolist() == [1, 0, 0, 1]


def test_doubling_repeats_what_halving_averaged():
    values = image(2, 3, 4, 5)
    repeated = double(values)
    assert torch.equal(repeated, values.repeat_interleave(2, -1).repeat_interleave(2, -2))
    half, _ = halve(repeated, torch.ones(2, 1, 8, 10))
    torch.testing.assert_close(half, values)
