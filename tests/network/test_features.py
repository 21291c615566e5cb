"""What the network sees: of one size for any protocol, free of scale, blind outside the mask."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from aslprep_nn.estimation.profile import profile
from aslprep_nn.network.conditioning import N_AMPLITUDES
from aslprep_nn.network.features import FeatureSettings, NetworkInput, network_input

NAMES = ['pcasl', 'pasl', 'pcasl_vsasl']


@pytest.mark.parametrize('name', NAMES)
def test_every_protocol_gives_the_same_168_channels(make_brain, name):
    given = network_input(make_brain(name).series)
    assert FeatureSettings().n_channels == 168
    assert given.features.shape == (3, 168, 21, 18)
    assert given.conditions.shape == (3, 32)
    assert given.amplitudes.shape == (3, N_AMPLITUDES)
    for part in (given.features, given.conditions, given.amplitudes, *given.posterior):
        assert torch.isfinite(part).all()


@pytest.mark.parametrize('smoothings', [(0.0,), (0.0, 1.0), (0.0, 0.5, 1.0, 2.0)])
def test_the_settings_know_how_many_channels_there_are(make_brain, smoothings):
    settings = FeatureSettings(smoothings)
    given = network_input(make_brain().series, settings)
    assert given.features.shape[1] == settings.n_channels
    assert given.conditions.shape[1] == settings.n_conditions


def test_roughness_is_the_mean_square_of_steps_around_a_voxel_and_of_a_slice(make_brain):
    given = network_input(make_brain(noise=2e-3).series)
    inside = given.mask[:, 0].numpy()
    blur = partial(gaussian_filter, sigma=(0, 2, 2), mode='constant', truncate=3.5)
    share = np.maximum(blur(inside.astype(float)), 1e-9)
    for number in range(12):
        step = given.features[:, 144 + number].sinh().numpy()
        expected = np.log(blur(step**2 * inside) / share + 0.01)
        found = given.features[:, 156 + number].numpy()
        np.testing.assert_allclose(found[inside], expected[inside], rtol=1e-3, atol=1e-3)
        means = [one[there].mean() for one, there in zip(expected, inside, strict=True)]
        told = given.conditions[:, 20 + number].numpy()
        np.testing.assert_allclose(told, means, rtol=1e-3, atol=1e-3)


def test_a_brain_that_changes_from_voxel_to_voxel_is_seen_to(make_brain):
    smooth, rough = (
        network_input(make_brain(shape=(40, 40, 2), uniform=uniform).series).conditions[:, 20:]
        for uniform in (True, False)
    )
    assert (rough - smooth).min() > 1.0


@pytest.mark.parametrize('factor', [1e-2, 0.1, 10.0, 100.0])
@pytest.mark.parametrize('name', NAMES)
def test_only_the_scale_changes_when_signal_and_noise_change_together(make_brain, name, factor):
    one = make_brain(name)
    before, after = (
        network_input(replace(s, relative_delta_m=s.relative_delta_m.float()))
        for s in (one.series, one.scaled(factor))
    )
    torch.testing.assert_close(after.scale, factor * before.scale, rtol=1e-5, atol=0)
    for part in ('features', 'conditions', 'amplitudes'):
        found, expected = getattr(after, part), getattr(before, part)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    for found, expected in zip(after.posterior, before.posterior, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_the_posterior_corrected_is_that_of_the_voxel_alone(make_brain):
    series = make_brain().series
    given = network_input(series)
    alone = profile(series.measurements(), series.voxel_noise)
    inside = given.mask.squeeze(1)
    torch.testing.assert_close((given.scale * given.posterior.amplitude)[inside], alone.amplitude)
    torch.testing.assert_close(given.posterior.att_std[inside], alone.att_std)


def test_what_lies_outside_the_mask_does_not_matter(make_brain):
    series = make_brain().series
    data = series.relative_delta_m.clone()
    data[~series.mask] = 7.0
    before, after = network_input(series), network_input(replace(series, relative_delta_m=data))
    assert torch.equal(before.features, after.features)
    assert torch.equal(before.amplitudes, after.amplitudes)
    assert not after.features.movedim(1, -1)[~after.mask.squeeze(1)].any()


def test_a_voxel_without_measurements_leaves_the_mask(make_brain):
    series = make_brain().series
    data = series.relative_delta_m.clone()
    data[10, 9, 1] = torch.nan
    given = network_input(replace(series, relative_delta_m=data))
    assert given.mask.sum() == series.mask.sum() - 1
    assert not given.mask[1, 0, 10, 9]
    assert torch.isfinite(given.features).all()


def test_smoothing_is_seen_as_smaller_standard_deviations(make_brain):
    given = network_input(make_brain().series)
    inside = given.mask.squeeze(1)
    log_std_att = [given.features[:, 36 * i + 35][inside].mean() for i in range(3)]
    assert log_std_att[0] > log_std_att[1] > log_std_att[2]


def test_an_empty_slice_is_no_trouble(make_brain):
    series = make_brain().series
    series.mask[:, :, 1] = False
    given = network_input(series)
    for part in (given.features, given.conditions, given.amplitudes):
        assert torch.isfinite(part).all()
    series.mask[:, :, 1] = series.mask[:, :, 0]


def test_volumes_of_one_size_make_a_batch(make_brain):
    inputs = [network_input(make_brain(name).series) for name in NAMES]
    batch = NetworkInput.stack(inputs)
    assert batch.features.shape == (3, 3, 168, 21, 18)
    assert batch.scale.shape == (3, 1, 1, 1)
    assert torch.equal(batch.posterior.att[1], inputs[1].posterior.att)
