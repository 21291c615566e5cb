"""The network: it starts from the posterior mean, keeps the amplitude, and stays in its mask."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from aslprep_nn.estimation.profile import fit_posterior_mean, profile
from aslprep_nn.maps import FitStatus
from aslprep_nn.network.apply import estimate
from aslprep_nn.network.features import FeatureSettings, NetworkInput, network_input
from aslprep_nn.network.model import (
    AmplitudeAwareNetwork,
    AmplitudePath,
    NetworkSettings,
    Surroundings,
)

ONE = torch.tensor(1.0)
KEEPING = [AmplitudePath.FULL, AmplitudePath.OUTPUT]
LOSING = [AmplitudePath.MODULATION, AmplitudePath.NONE]


def network(*, trained=True, seed=0, **settings):
    """Make a network; 'trained' ones have random weights everywhere, the zeros included."""
    torch.manual_seed(seed)
    made = AmplitudeAwareNetwork(NetworkSettings(width=8, n_groups=4, **settings)).eval()
    if trained:
        with torch.no_grad():
            for parameter in made.parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape))
    return made


@torch.inference_mode()
def run(made, series, dial=ONE):
    return made(network_input(series, made.settings.features), dial)


def cbf_of(made, series, dial=1.0):
    return estimate(made, series, dial).parameters['cbf']


@pytest.mark.parametrize('path', KEEPING)
@pytest.mark.parametrize('name', ['pcasl', 'pasl', 'pcasl_vsasl'])
def test_an_untrained_network_is_the_posterior_mean(make_brain, name, path):
    series = make_brain(name).series
    found = run(network(trained=False, amplitude_path=path), series)
    expected = profile(series.measurements(), series.voxel_noise)
    for part in ('amplitude', 'amplitude_std', 'att', 'att_std'):
        voxels = getattr(found, part)[series.inside]
        torch.testing.assert_close(voxels, getattr(expected, part), rtol=1e-6, atol=1e-6)


def test_untrained_maps_are_those_of_the_posterior_mean(make_brain):
    series = make_brain().series
    maps = estimate(network(trained=False), series, 1.0)
    expected = fit_posterior_mean(series.measurements(), series.voxel_noise)
    for name in ('cbf', 'att'):
        volume = maps.parameters[name].reshape(series.mask.shape)
        voxels = series.voxels(volume)
        torch.testing.assert_close(voxels, expected.parameters[name], rtol=1e-5, atol=1e-5)
        assert volume[~series.mask].isnan().all()
    assert (maps.status[~series.mask.flatten()] == FitStatus.OUTSIDE).all()


def test_all_steps_together_lead_to_the_smoothest_estimate(make_brain):
    """Amplitude smoothed by i at the ATT of j > i, or of j itself: one step smooths once more."""
    series = make_brain(noise=2e-3).series
    smoothings = (0.0, 0.7, 1.5)
    profiles = [
        profile(series.smoothed(sigma) if sigma else series.measurements(), series.voxel_noise)
        for sigma in smoothings
    ]
    own, lightly, strongly = profiles
    walks = {
        ('amplitude', (0,)): own.amplitude_at(lightly.att),
        ('amplitude', (0, 1)): lightly.amplitude,
        ('amplitude', (0, 2)): own.amplitude_at(strongly.att),
        ('amplitude', (0, 2, 3)): lightly.amplitude_at(strongly.att),
        ('amplitude', (0, 2, 3, 4)): strongly.amplitude,
        ('att', (5,)): lightly.att,
        ('att', (5, 6)): strongly.att,
    }
    settings = FeatureSettings(smoothings, roughness=False)
    steps = network_input(series, settings).features[:, -7:].sinh()
    for (name, walk), wanted in walks.items():
        moved = sum(series.voxels(steps[:, step].movedim(0, -1)) for step in walk)
        start, std = getattr(own, name), getattr(own, f'{name}_std')
        torch.testing.assert_close(start + moved * std, wanted, rtol=1e-3, atol=1e-3)


def test_a_share_of_one_takes_a_step_as_far_as_it_is_reliable(make_brain):
    series, made = make_brain(noise=2e-3).series, network(trained=False)
    given = network_input(series)
    inside = given.mask[:, 0].numpy().astype(float)
    names = ['amplitude'] * 9 + ['att'] * 3
    for number, name in enumerate(names):
        with torch.no_grad():
            made.head.bias.zero_()
            made.head.bias[4 + number] = 1.0
        found = getattr(made(given, ONE), name).detach().numpy()
        step = given.features[:, number - 2 * len(names)].sinh().numpy()
        blur = partial(gaussian_filter, sigma=(0, 2, 2), mode='constant', truncate=3.5)
        around = blur(step**2 * inside) / np.maximum(blur(inside), 1e-9)
        start, std = (
            getattr(given.posterior, part).numpy() * (given.scale.item() if part[:2] == 'am' else 1)
            for part in (name, f'{name}_std')
        )
        expected = (start + std * step / (1 + around)) * inside
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)


def test_one_delay_or_no_voxel_is_no_trouble(make_brain):
    brain, made = make_brain('one_delay'), network()
    single = estimate(made, brain.series, 1.0)
    inside = brain.series.mask.flatten()
    assert torch.isfinite(single.parameters['cbf'][inside]).all()
    empty = replace(brain.series, mask=torch.zeros_like(brain.series.mask))
    assert estimate(made, empty, 1.0).parameters['cbf'].isnan().all()


def test_the_default_network_has_about_300_thousand_parameters():
    n_parameters = sum(p.numel() for p in AmplitudeAwareNetwork().parameters())
    assert 270_000 < n_parameters < 330_000


@pytest.mark.parametrize('factor', [0.1, 3.0, 10.0])
@pytest.mark.parametrize('path', KEEPING)
def test_scaling_signal_and_noise_scales_the_amplitude_and_leaves_att(make_brain, path, factor):
    brain, made = make_brain('pcasl_vsasl'), network(amplitude_path=path)
    before, after = run(made, brain.series), run(made, brain.scaled(factor))
    inside = brain.series.inside
    for part in ('amplitude', 'amplitude_std'):
        found, expected = getattr(after, part)[inside] / factor, getattr(before, part)[inside]
        size = torch.maximum(expected.abs(), before.amplitude_std[inside])
        assert ((found - expected).abs() / size).max() < 1e-5
    torch.testing.assert_close(after.att, before.att, rtol=0, atol=1e-5)


def test_scaling_signal_and_m0_changes_nothing(make_brain):
    series, made = make_brain().series, network()
    m0 = 800.0
    delta_m = (m0 * series.relative_delta_m).float()
    one, other = (replace(series, relative_delta_m=(s * delta_m) / (s * m0)) for s in (1.0, 7.3))
    torch.testing.assert_close(
        cbf_of(made, one), cbf_of(made, other), rtol=1e-5, atol=1e-4, equal_nan=True
    )


def test_cbf_follows_the_signal_but_for_its_known_curvature(make_brain):
    brain, made = make_brain(noise=5e-4), network(trained=False)
    inside = brain.series.mask.flatten()
    cbf = [cbf_of(made, brain.scaled(s))[inside].median() for s in (0.1, 1.0, 10.0)]
    assert 10 < cbf[1] / cbf[0] < 10.5
    assert 10 < cbf[2] / cbf[1] < 14


@pytest.mark.parametrize('path', LOSING)
def test_without_an_amplitude_at_the_output_cbf_need_not_follow(make_brain, path):
    """The plain network gives one CBF for every amplitude: the ratio is 1.00, not 10."""
    brain, made = make_brain(), network(amplitude_path=path)
    inside = brain.series.inside
    small, large = (run(made, brain.scaled(s)).amplitude[inside] for s in (1.0, 10.0))
    ratio = (large.mean() / small.mean()).item()
    if path is AmplitudePath.NONE:
        assert ratio == pytest.approx(1, abs=1e-5)
    else:
        assert abs(ratio - 1) > 1e-4
        assert ratio < 5


@pytest.mark.parametrize('shape', [(9, 14, 1), (16, 16, 2), (21, 18, 3)])
@pytest.mark.parametrize('surroundings', list(Surroundings))
def test_a_slice_may_have_any_size(make_brain, shape, surroundings):
    found = run(network(surroundings=surroundings), make_brain(shape=shape).series)
    assert found.amplitude.shape == (shape[2], *shape[:2])
    assert all(torch.isfinite(part).all() for part in found)


def test_what_lies_outside_the_mask_does_not_matter(make_brain):
    series, made = make_brain().series, network()
    given = network_input(series)
    noise = torch.randn(given.features.shape)
    spoilt = replace(given, features=torch.where(given.mask, given.features, noise))
    with torch.inference_mode():
        before, after = made(given, ONE), made(spoilt, ONE)
    for one, other in zip(before, after, strict=True):
        assert torch.equal(one, other)
        assert not one[~series.inside].any()


def test_the_margin_of_a_slice_does_not_matter(make_brain):
    """A disc in a larger field of view is the same disc, if blocks of four start alike."""
    series, made = make_brain(shape=(20, 20, 2)).series, network()
    wide = torch.nn.functional.pad(series.relative_delta_m, (0, 0, 0, 0, 4, 7, 8, 1))
    mask = torch.nn.functional.pad(series.mask, (0, 0, 4, 7, 8, 1))
    wider = replace(series, relative_delta_m=wide, mask=mask)
    inside = run(made, series).att[series.inside]
    torch.testing.assert_close(run(made, wider).att[wider.inside], inside, rtol=1e-4, atol=1e-5)


def change_of_att(made, series, *where):
    """Change the features at (slice, x, y) and see which ATT change."""
    given = network_input(series, made.settings.features)
    features = given.features.clone()
    features.movedim(1, -1)[where] += 1
    features *= given.mask
    with torch.inference_mode():
        before, after = made(given, ONE), made(replace(given, features=features), ONE)
    return (before.att - after.att).abs()


def test_a_slice_looks_at_the_two_next_to_it(make_brain):
    change = change_of_att(network(), make_brain(shape=(16, 16, 5)).series, 1).amax((1, 2))
    assert change[:3].min() > 1e-3
    assert change[3:].max() == 0


def test_a_voxelwise_network_sees_the_voxel_alone(make_brain):
    series = make_brain(shape=(16, 16, 2)).series
    change = change_of_att(network(surroundings=Surroundings.VOXELWISE), series, 1, 8, 8)
    assert change[1, 8, 8] > 1e-4
    change[1, 8, 8] = 0
    assert change.max() < 1e-6
    spatial = change_of_att(network(), series, 1, 8, 8)[1, 7:10, 7:10]
    spatial[1, 1] = 0
    assert spatial.max() > 1e-3


def test_the_size_of_a_voxels_own_channels_is_seen_although_images_are_normalised(make_brain):
    """What is one standard deviation off is noise, what is three off is not."""
    made = network()
    given = network_input(make_brain().series, made.settings.features)
    with torch.inference_mode():
        made.stem.bias.zero_()
        changes = []
        for weight in (1, 0):
            made.decide[0].weight[:, made.settings.width :] *= weight
            once, thrice = (made(replace(given, features=k * given.features), ONE) for k in (1, 3))
            changes.append((once.att - thrice.att).abs().max())
    assert changes[0] > 0.1
    assert changes[1] < 1e-3


def test_the_same_input_gives_the_same_output(make_brain):
    series = make_brain().series
    first, second = run(network(), series), run(network(), series)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_the_dial_reaches_the_estimate(make_brain):
    series, made = make_brain().series, network()
    low, high = run(made, series, ONE), run(made, series, torch.tensor(8.0))
    assert (low.amplitude - high.amplitude).abs().max() > 1e-2


def test_the_amplitude_reaches_what_it_modulates(make_brain):
    given = network_input(make_brain().series)
    louder = replace(given, amplitudes=given.amplitudes + 1)
    reached = {}
    for path in AmplitudePath:
        with torch.inference_mode():
            made = network(amplitude_path=path)
            reached[path] = not torch.equal(made(given, ONE).att, made(louder, ONE).att)
    assert reached == {path: path is not AmplitudePath.NONE for path in AmplitudePath}


def test_a_batch_of_volumes_is_each_of_them(make_brain):
    inputs = [network_input(make_brain(name).series) for name in ('pcasl', 'pasl')]
    made, dials = network(), torch.tensor([1.0, 8.0])
    with torch.inference_mode():
        batch = made(NetworkInput.stack(inputs), dials)
        alone = [made(given, dial) for given, dial in zip(inputs, dials, strict=True)]
    for i in range(2):
        for whole, part in zip(batch, alone[i], strict=True):
            torch.testing.assert_close(whole[i], part, rtol=1e-4, atol=1e-4)


def test_every_parameter_learns(make_brain):
    made = network()
    estimate = made(network_input(make_brain(shape=(12, 12, 2)).series), torch.tensor(2.0))
    sum(part.square().mean() for part in estimate).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in made.parameters())


def test_half_precision_changes_little(make_brain):
    given, made = network_input(make_brain().series), network()
    with torch.inference_mode():
        exact = made(given, ONE)
        with torch.autocast('cpu', torch.bfloat16):
            rounded = made(given, ONE)
    for one, other in zip(exact, rounded, strict=True):
        assert other.dtype is torch.float32
        assert (one - other).abs().max() < 0.02 * one.abs().max()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
def test_an_accelerator_estimates_what_the_processor_does(make_brain):
    series, made = make_brain().series, network()
    series = replace(series, slice_delay=torch.tensor([0.0, 0.1, 0.2]))
    there = replace(
        series, relative_delta_m=series.relative_delta_m.cuda(), mask=series.mask.cuda()
    )
    expected = estimate(made, series, 2.0)
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        found = estimate(made.cuda(), there, 2.0)
    for name in ('cbf', 'att'):
        torch.testing.assert_close(
            found.parameters[name].cpu(),
            expected.parameters[name],
            rtol=1e-3,
            atol=1e-3,
            equal_nan=True,
        )
