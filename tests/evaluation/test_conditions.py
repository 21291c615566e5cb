"""Phantoms are measured as a condition says, and analysed as it assumes."""

from dataclasses import replace

import pytest
import torch

from aslprep_nn.evaluation.conditions import (
    CORRELATED,
    MAIN_PROTOCOL,
    Condition,
    Constant,
    Wrong,
    measured,
)
from aslprep_nn.simulation.held_out import HELD_OUT_PROTOCOLS

CLEAN = 1e6


def measure(phantoms, condition, seed=0):
    (batch,) = measured(phantoms, condition, seed)
    return batch


def test_the_noise_of_the_mean_is_the_peak_of_grey_matter_over_the_snr(brains):
    clean = measure(brains, Condition(CLEAN)).relative_delta_m[0]
    noisy = measure(brains, Condition(5.0))
    gray = (brains.stacks.gray_matter * brains.maps.mask).clamp(min=1e-3) * brains.maps.mask
    peak = (clean.amax(-1) * gray).flatten(1).sum(1) / gray.flatten(1).sum(1)
    for phantom, mask in enumerate(brains.maps.mask):
        scatter = (noisy.relative_delta_m[:, phantom] - clean[phantom])[:, mask].std().item()
        assert scatter == pytest.approx(peak[phantom].item() / 5, rel=0.03)
        stated = noisy.noise[:, phantom] / noisy.repetitions[0] ** 0.5
        assert stated.tolist() == pytest.approx([scatter] * 2, rel=0.04)


def test_two_draws_share_nothing_but_the_phantom(brains):
    clean = measure(brains, Condition(CLEAN)).relative_delta_m[0]
    errors = (measure(brains, Condition(5.0)).relative_delta_m - clean)[:, brains.maps.mask]
    assert abs(torch.corrcoef(errors.flatten(1))[0, 1]) < 0.02


def test_correlated_noise_reaches_the_next_voxel(brains):
    """Gaussian kernels of standard deviation s leave a correlation of exp(-d²/4s²)."""
    mask = brains.maps.mask[..., 1:, :] & brains.maps.mask[..., :-1, :]

    def correlation(width):
        clean = measure(brains, Condition(CLEAN, correlation=width)).relative_delta_m[0]
        error = measure(brains, Condition(3.0, correlation=width)).relative_delta_m[0] - clean
        pair = error[..., 1:, :, :][mask].flatten(), error[..., :-1, :, :][mask].flatten()
        return torch.corrcoef(torch.stack(pair))[0, 1].item()

    assert correlation(0.0) == pytest.approx(0, abs=0.03)
    expected = torch.tensor(-1 / (4 * CORRELATED**2)).exp().item()
    assert correlation(CORRELATED) == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize('constant', Constant)
def test_the_analysis_does_not_learn_of_a_wrong_constant(brains, constant):
    right = measure(brains, Condition(CLEAN))
    wrong = measure(brains, Condition(CLEAN, wrong=Wrong(constant, 1.1)))
    assert wrong.acquisitions == right.acquisitions == HELD_OUT_PROTOCOLS[MAIN_PROTOCOL]
    inside = brains.maps.mask
    changes = wrong.relative_delta_m[0][inside] / right.relative_delta_m[0][inside]
    assert changes.nanmedian() > 1.005


def test_a_wrong_efficiency_multiplies_the_signal(brains):
    condition = Condition(CLEAN, wrong=Wrong(Constant.EFFICIENCY, 0.9))
    right, wrong = (measure(brains, one).relative_delta_m for one in (Condition(CLEAN), condition))
    assert torch.allclose(wrong, 0.9 * right, atol=1e-6)


def test_no_efficiency_exceeds_one():
    (assumed,) = HELD_OUT_PROTOCOLS[MAIN_PROTOCOL]
    assert Wrong(Constant.EFFICIENCY, 1.2).truth(assumed).labeling_efficiency == 1
    assert Wrong(Constant.EFFICIENCY, 1.1).truth(assumed).labeling_efficiency == pytest.approx(
        1.1 * assumed.labeling_efficiency
    )


def test_the_same_seed_gives_the_same_noise_to_other_phantoms(brains):
    other = replace(brains, maps=replace(brains.maps, cbf=1.3 * brains.maps.cbf))

    def error(phantoms, seed):
        clean, noisy = (measure(phantoms, Condition(snr), seed) for snr in (CLEAN, 5.0))
        return (noisy.relative_delta_m - clean.relative_delta_m)[:, brains.maps.mask].flatten()

    one, same, another = error(brains, 4), error(other, 4), error(brains, 5)
    assert torch.corrcoef(torch.stack([one, same]))[0, 1] > 0.999
    assert abs(torch.corrcoef(torch.stack([one, another]))[0, 1]) < 0.02


def test_a_condition_says_what_it_is():
    assert str(Condition(5.0)) == 'PCASL, 6 long delays, SNR 5'
    wrong = Condition(5.0, correlation=0.6, wrong=Wrong(Constant.T1_BLOOD, 0.8))
    assert str(wrong).endswith('noise correlated over 0.6 voxel, T1 of blood -20 %')
