import math
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from aslprep_nn.simulation.dice import Dice
from aslprep_nn.simulation.disturbances import (
    LEAST_PEAK,
    Disturbances,
    Scene,
    complex_noise,
    draw_disturbances,
    measure,
    noise_of_one,
)

SIZE = (2, 3, 40, 40)
N_TIMINGS = 4
PEAK = 0.01


def dice(seed=0):
    return Dice(torch.Generator().manual_seed(seed))


@pytest.fixture
def scene():
    mask = torch.zeros(SIZE, dtype=torch.bool)
    mask[:, :, 4:-4, 4:-4] = True
    n_voxels = int(mask.sum())
    signal = PEAK * torch.linspace(0.4, 1, N_TIMINGS).expand(n_voxels, -1)
    return Scene(signal, torch.ones(SIZE), torch.ones(SIZE), mask)


def calm(snr=5.0, static=0.3):
    none = torch.zeros(2)
    return Disturbances(
        snr=torch.full((2,), snr),
        fwhm=none,
        fluctuation=none,
        displacement=none,
        static=torch.full((2, N_TIMINGS), static),
    )


def repeated(n):
    return torch.full((N_TIMINGS,), n)


@pytest.mark.parametrize('n', [1, 9])
@pytest.mark.parametrize('snr', [2.0, 20.0])
def test_the_mean_of_all_repetitions_has_the_noise_asked_for(n, snr, scene):
    measured = measure(scene, calm(snr), repeated(n), dice())
    error = measured.mean - scene.signal
    assert error.std() == pytest.approx(PEAK / snr, rel=0.03)
    assert abs(error.mean()) < 5 * PEAK / snr / math.sqrt(error.numel())


def test_noise_is_estimated_from_the_scatter_between_repetitions(scene):
    measured = measure(scene, calm(), repeated(6), dice())
    expected = noise_of_one(scene, calm(), repeated(6))
    torch.testing.assert_close(measured.noise, expected, rtol=0.02, atol=0)


def test_without_repetitions_the_noise_is_a_guess_on_the_high_side(scene):
    true = noise_of_one(scene, calm(), repeated(1))
    guesses = [measure(scene, calm(), repeated(1), dice(i)).noise / true for i in range(40)]
    ratio = torch.cat(guesses)
    assert ratio.mean() == pytest.approx(1.055, abs=0.04)
    assert ratio.std() == pytest.approx(0.1, abs=0.03)


def test_missing_repetitions_leave_more_noise_in_their_timing(scene):
    repetitions = torch.tensor([1, 4, 4, 4])
    error = measure(scene, calm(), repetitions, dice()).mean - scene.signal
    assert error[:, 0].std() / error[:, 1:].std() == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize('fwhm', [0.0, 0.7, 1.5])
def test_noise_is_correlated_as_asked_and_keeps_its_variance(fwhm):
    mask = torch.ones(SIZE, dtype=torch.bool)
    noise = complex_noise(mask, 30, torch.full((2,), fwhm), dice()).reshape(*SIZE, 30)
    for channel in (noise.real, noise.imag):
        assert channel.std() == pytest.approx(1, abs=0.01)
        neighbours = (channel[:, :, 1:] * channel[:, :, :-1]).mean()
        sigma = fwhm / 2.3548
        frequency = torch.fft.fftfreq(40)
        power = torch.exp(-4 * (math.pi * sigma * frequency).square())
        expected = (power * torch.cos(2 * math.pi * frequency)).sum() / power.sum()
        assert neighbours == pytest.approx(expected.item(), abs=0.01)
        slices = (channel[:, 1:] * channel[:, :-1]).mean()
        assert slices == pytest.approx(0, abs=0.01)
    assert (noise.real * noise.imag).mean() == pytest.approx(0, abs=0.01)


def test_wide_kernels_correlate_neighbours_like_a_gaussian():
    mask = torch.ones(SIZE, dtype=torch.bool)
    noise = complex_noise(mask, 30, torch.full((2,), 1.5), dice()).reshape(*SIZE, 30).real
    sigma = 1.5 / 2.3548
    likeness = (noise[:, :, 1:] * noise[:, :, :-1]).mean().item()
    assert likeness == pytest.approx(math.exp(-1 / (4 * sigma**2)), abs=0.02)


def test_where_static_tissue_is_darker_than_noise_magnitudes_lose_signal(scene):
    """The Rician floor: the difference of two magnitudes without static signal is no signal."""
    bright = measure(scene, calm(1.0, static=1.0), repeated(8), dice()).mean
    dark = measure(scene, calm(1.0, static=0.005), repeated(8), dice()).mean
    signal = scene.signal.mean()
    assert bright.mean() == pytest.approx(signal.item(), rel=0.05)
    assert dark.mean().abs() < 0.5 * signal


def test_each_timing_and_control_and_label_have_noise_of_their_own(scene):
    error = measure(scene, calm(), repeated(2), dice()).mean - scene.signal
    correlation = torch.corrcoef(error.mT) - torch.eye(N_TIMINGS)
    assert correlation.abs().max() < 0.05


def test_fluctuating_flow_moves_all_voxels_of_a_volume_together(scene):
    pulsatile = replace(calm(1e4), fluctuation=torch.tensor([0.0, 0.2]))
    relative = measure(scene, pulsatile, repeated(1), dice()).mean / scene.signal
    still, moving = relative[scene.phantom == 0], relative[scene.phantom == 1]
    assert still.std() < 0.002
    assert (moving.std(0) < 0.002).all()
    assert moving.mean(0).std() > 0.05
    many = [measure(scene, pulsatile, repeated(1), dice(i)).mean[-1, -1] for i in range(200)]
    assert torch.stack(many).std() / PEAK == pytest.approx(0.2, rel=0.15)


def test_fluctuations_are_part_of_the_noise_an_analysis_sees(scene):
    pulsatile = replace(calm(50.0), fluctuation=torch.tensor([0.0, 0.2]))
    noise = measure(scene, pulsatile, repeated(12), dice()).noise
    assert noise[1] > 1.3 * noise[0]


def test_motion_shows_where_static_tissue_changes(scene):
    water = torch.ones(SIZE)
    water[:, :, 20:] = 2.0
    restless = replace(calm(1e4), displacement=torch.tensor([0.0, 0.05]))
    moved = replace(scene, water=water)
    error = torch.zeros(SIZE)
    error[scene.mask] = (measure(moved, restless, repeated(1), dice()).mean - scene.signal)[:, 0]
    edge, flat = error[1, :, 19:21, 4:-4], error[1, :, 4:18, 4:-4]
    assert edge.abs().mean() > 100 * flat.abs().mean()
    assert error[0].abs().max() < 1e-4


def test_snr_spans_what_was_asked_evenly_in_its_logarithm():
    drawn = draw_disturbances(20000, 1, dice())
    assert 1 <= drawn.snr.min() < 1.01
    assert 49.5 < drawn.snr.max() <= 50.01
    assert drawn.snr.log().mean() == pytest.approx(math.log(50) / 2, rel=0.02)
    for values, share, high in (
        (drawn.fwhm, 0.5, 1.5),
        (drawn.fluctuation, 0.35, 0.25),
        (drawn.displacement, 0.25, 0.05),
    ):
        assert (values > 0).float().mean() == pytest.approx(share, abs=0.02)
        assert values.max() <= high


def test_blood_that_comes_after_the_readout_does_not_take_the_noise_with_it(scene):
    silent = replace(scene, signal=torch.zeros_like(scene.signal))
    measured = measure(silent, calm(5.0), repeated(4), dice())
    assert measured.mean.std() == pytest.approx(LEAST_PEAK / 5, rel=0.03)
    assert (measured.noise > 0).all()


class LargestTensor(TorchDispatchMode):
    """Remembers how many numbers the largest tensor held that was made."""

    def __init__(self):
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, tuple | list) else [made]:
            if isinstance(tensor, torch.Tensor):
                self.numel = max(self.numel, tensor.numel())
        return made


def test_memory_does_not_grow_with_the_number_of_repetitions(scene):
    largest = []
    for n in (1, 15):
        with LargestTensor() as watched:
            measure(scene, calm(), repeated(n), dice())
        largest.append(watched.numel)
    assert largest[0] == largest[1] > 0
