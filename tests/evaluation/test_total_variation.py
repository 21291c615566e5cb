"""Total variation keeps edges, means and masks."""

import pytest
import torch

from aslprep_nn.estimation.smoothing import smooth
from aslprep_nn.evaluation.conditions import Condition, measured
from aslprep_nn.evaluation.estimators import middle_slices
from aslprep_nn.evaluation.total_variation import denoised, least_total_variation

MASK = torch.ones(1, 20, 20, dtype=torch.bool)


def energy(images, given, strength):
    along = [torch.diff(images, dim=axis, append=images.narrow(axis, -1, 1)) for axis in (-2, -1)]
    length = torch.stack(along).square().sum((0, 2)).sqrt().sum()
    return (images - given).square().sum() / 2 + strength * length


@pytest.fixture
def step():
    clean = torch.zeros(1, 2, 20, 20)
    clean[..., 10:] = 6
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    return clean, clean + noise


def test_it_is_least_where_it_says(step):
    _, noisy = step
    found = least_total_variation(noisy, MASK, 1.0)
    least = energy(found, noisy, 1.0)
    assert least < 0.7 * energy(noisy, noisy, 1.0)
    for seed in range(5):
        shift = torch.randn(noisy.shape, generator=torch.Generator().manual_seed(seed))
        assert energy(found + 0.05 * shift, noisy, 1.0) > least


def test_it_keeps_an_edge_better_than_a_kernel_that_takes_as_much_noise(step):
    clean, noisy = step
    found = least_total_variation(noisy, MASK, 1.0)
    blurred, _ = smooth(noisy, torch.ones_like(noisy), {2: 1.5, 3: 1.5})
    assert (found - clean).square().mean() < 0.5 * (blurred - clean).square().mean()


def test_the_mean_stays_and_a_strong_penalty_leaves_nothing_else(step):
    _, noisy = step
    found = least_total_variation(noisy, MASK, 1.0)
    assert found.mean() == pytest.approx(noisy.mean().item(), abs=1e-5)
    small = noisy[..., :4, :4]
    flat = least_total_variation(small, MASK[..., :4, :4], 100.0)
    assert flat.std(dim=(-2, -1)).max() < 0.02
    assert torch.equal(least_total_variation(noisy, MASK, 0.0), noisy)


def test_what_lies_outside_the_mask_does_not_bleed_in(step):
    _, noisy = step
    mask = MASK.clone()
    mask[..., 10:] = False
    other = torch.where(mask.unsqueeze(1), noisy, 1e3)
    one, two = (least_total_variation(image, mask, 1.0) for image in (noisy, other))
    assert torch.equal(one[:, :, mask[0]], two[:, :, mask[0]])


def test_a_series_keeps_its_timings_and_loses_noise(brains):
    clean, noisy = (
        middle_slices(next(measured(brains, Condition(snr), 0)), 0) for snr in (1e6, 3.0)
    )
    found, plain, true = denoised(noisy, 1.0), noisy.measurements(), clean.measurements()
    errors = [(one.relative_delta_m - true.relative_delta_m).std() for one in (found, plain)]
    assert errors[0] < 0.7 * errors[1]
    assert found.acquisitions == plain.acquisitions
