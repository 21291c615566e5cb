"""What the network is told about a slice as a whole."""

import math
from dataclasses import replace

import pytest
import torch

from aslprep_nn.estimation.smoothing import smooth
from aslprep_nn.network.conditioning import N_BOUNDS
from aslprep_nn.network.features import FeatureSettings, network_input


def told(brain):
    return network_input(brain.series)


def test_more_noise_means_wider_bounds_and_less_signal(make_brain):
    quiet, loud = told(make_brain(noise=5e-4)), told(make_brain(noise=2e-3))
    assert (loud.conditions[:, :N_BOUNDS] > quiet.conditions[:, :N_BOUNDS]).all()
    assert (loud.amplitudes[:, -1] < quiet.amplitudes[:, -1] - 1).all()


def test_after_the_last_delay_the_bounds_are_wide(make_brain):
    """PASL whose last inversion time is 2.4 s, asked about ATT 2.75 s."""
    bounds = told(make_brain('pasl', noise=5e-4)).conditions[0]
    assert bounds[7] > bounds[3] + math.log(2)
    assert bounds[15] > bounds[11] + math.log(2)


def test_the_misfit_is_near_zero_where_noise_is_as_stated(make_brain):
    brain = make_brain(shape=(40, 40, 2))
    assert told(brain).conditions[:, N_BOUNDS].abs().max() < 0.15
    understated = replace(brain.series, noise=brain.series.noise / 2)
    assert network_input(understated).conditions[:, N_BOUNDS].min().item() == pytest.approx(
        math.asinh(3), abs=0.4
    )


def test_noise_that_neighbours_share_shows_in_the_misfit_of_smoothed_data(make_brain):
    brain = make_brain(shape=(40, 40, 2), noise=0, uniform=True)
    white = torch.randn(40, 40, 2, 6, generator=torch.Generator().manual_seed(2)).double()
    shared, precision = smooth(white, torch.ones_like(white), {0: 0.7, 1: 0.7})
    misfits = []
    for noise in (white, shared * precision.sqrt()):
        data = brain.series.relative_delta_m + 1e-3 * noise
        noisy = replace(brain.series, relative_delta_m=data, noise=torch.tensor(1e-3))
        given = network_input(noisy, FeatureSettings((0.0, 0.7, 1.5), roughness=False))
        misfits.append(given.conditions[:, N_BOUNDS:])
    independent, dependent = misfits
    assert independent.abs().max() < 0.25
    assert dependent[:, 0].abs().max() < 0.25
    assert dependent[:, 2].min() > 0.9


def test_kinds_of_labelling_that_are_absent_are_said_to_be(make_brain):
    pcasl, pasl, both = (
        told(make_brain(name)).amplitudes[0] for name in ('pcasl', 'pasl', 'pcasl_vsasl')
    )
    assert pcasl[[0, 4, 8]].tolist() == [1, 0, 0]
    assert pasl[[0, 4, 8]].tolist() == [0, 1, 0]
    assert both[[0, 4, 8]].tolist() == [1, 0, 1]
    assert pcasl[4:12].abs().max() == 0
    assert pcasl[12] == 0
    assert 0 < both[12] < math.pi / 2


def test_amplitudes_are_in_units_of_noise(make_brain):
    brain = make_brain()
    amplitudes = told(brain).amplitudes[0]
    voxels = brain.series.relative_delta_m[brain.series.mask[..., 0]][:, 0]
    signal = voxels.sum(-1) / math.sqrt(6) / 1e-3
    expected = [signal.mean(), signal.std(unbiased=False), signal.max()]
    torch.testing.assert_close(
        amplitudes[1:4], torch.stack(expected).asinh().float(), rtol=1e-4, atol=1e-4
    )


def test_later_slices_are_told_other_bounds(make_brain):
    brain = make_brain()
    delayed = replace(brain.series, slice_delay=torch.tensor([0.0, 0.2, 0.4]))
    bounds = network_input(delayed).conditions[:, :N_BOUNDS]
    assert (bounds[1] - bounds[0]).abs().max() > 0.05
