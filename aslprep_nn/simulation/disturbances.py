"""Everything between a signal and its measurement: noise, heartbeat, motion, few repetitions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.simulation.dice import Dice, Interval
from aslprep_nn.simulation.grid import FWHM_PER_SIGMA

#: Mean peak of grey matter over the noise of the mean of all repetitions.
SNR = Interval(1.0, 50.0)
#: How often noise is correlated between neighbours, and over how much [voxel].
CORRELATED, FWHM = 0.5, Interval(0.2, 1.5)
#: How often flow changes between volumes, and by how much (standard deviation, fraction).
PULSATILE, FLUCTUATION = 0.35, Interval(0.02, 0.25)
#: How often label and control do not quite align, and by how much (sd) [voxel].
RESTLESS, DISPLACEMENT = 0.25, Interval(0.002, 0.05)
#: What background suppression leaves of static tissue, as a fraction of M0.
STATIC = Interval(0.03, 0.4)
#: How well noise is known when nothing was repeated: high rather than low.
NOISE_GUESS, NOISE_SAFETY = 0.1, 1.05
#: A peak below this is what no scanner's noise is proportional to: blood came after the readout.
LEAST_PEAK = 5e-4


@dataclass(frozen=True)
class Disturbances:
    """How well some phantoms are measured, ``(phantom,)`` each unless stated.

    Parameters
    ----------
    snr
        Mean peak of grey matter over the thermal noise of the mean of all repetitions [1].
    fwhm
        Width of the kernel that correlates the noise within a slice [voxel]; 0 for none.
    fluctuation
        Standard deviation of the flow between volumes, as a fraction [1].
    displacement
        Standard deviation of the shift between control and label, along x and y [voxel].
    static
        Static tissue left in control and label, ``(phantom, timing)``, over M0 [1].
    """

    snr: Tensor
    fwhm: Tensor
    fluctuation: Tensor
    displacement: Tensor
    static: Tensor


class Measured(NamedTuple):
    """One measurement of some phantoms.

    Parameters
    ----------
    mean
        Over repetitions, ``(voxel, timing)`` [delta M / M0].
    noise
        Standard deviation of one repetition as an analysis would estimate it, ``(phantom,)``.
    """

    mean: Tensor
    noise: Tensor


@dataclass(frozen=True)
class Scene:
    """What is in front of the scanner.

    Parameters
    ----------
    signal
        delta M / M0 inside the mask, ``(voxel, timing)``.
    gray_matter
        Fractions, ``(phantom, slice, x, y)`` [1].
    water
        Brightness of static tissue, 1 in full grey matter, ``(phantom, slice, x, y)`` [1].
    mask
        ``(phantom, slice, x, y)``.
    """

    signal: Tensor
    gray_matter: Tensor
    water: Tensor
    mask: Tensor

    @property
    def phantom(self) -> Tensor:
        """Tell which phantom each voxel belongs to, ``(voxel,)``."""
        return self.mask.nonzero()[:, 0]

    def mean(self, values: Tensor, weight: Tensor | None = None) -> Tensor:
        """Average ``(voxel,)`` over each phantom, ``(phantom,)``."""
        weight = torch.ones_like(values) if weight is None else weight
        images = values.new_zeros(2, *self.mask.shape)
        images[:, self.mask] = torch.stack([values * weight, weight])
        total = images.flatten(2).sum(-1)
        return total[0] / total[1]

    @property
    def peak(self) -> Tensor:
        """Average the largest signal of each voxel over grey matter, ``(phantom,)``."""
        weight = self.gray_matter[self.mask].clamp(min=1e-3)
        return self.mean(self.signal.amax(-1), weight)

    @property
    def edges(self) -> Tensor:
        """Find how static tissue changes per voxel along x and y, ``(voxel, 2)``."""
        return torch.stack(torch.gradient(self.water, dim=(2, 3)), -1)[self.mask]


def draw_disturbances(n_phantoms: int, n_timings: int, dice: Dice) -> Disturbances:
    """Draw how well phantoms are measured."""

    def sometimes(probability: float, interval: Interval) -> Tensor:
        return dice.uniform(interval, n_phantoms) * dice.chance(probability, n_phantoms)

    return Disturbances(
        snr=dice.log_uniform(SNR, n_phantoms),
        fwhm=sometimes(CORRELATED, FWHM),
        fluctuation=sometimes(PULSATILE, FLUCTUATION),
        displacement=sometimes(RESTLESS, DISPLACEMENT),
        static=dice.log_uniform(STATIC, n_phantoms, n_timings),
    )


def noise_of_one(scene: Scene, disturbances: Disturbances, repetitions: Tensor) -> Tensor:
    """Find the thermal noise of one difference that gives the mean its SNR, ``(phantom,)``.

    Parameters
    ----------
    scene
        What is measured.
    disturbances
        How well.
    repetitions
        Of each timing, ``(timing,)``.
    """
    return scene.peak.clamp(min=LEAST_PEAK) / disturbances.snr * repetitions.float().mean().sqrt()


def measure(scene: Scene, disturbances: Disturbances, repetitions: Tensor, dice: Dice) -> Measured:
    """Measure every timing as often as asked, repetition by repetition.

    Control and label are magnitudes, each with its own noise; their difference is what is kept.
    """
    noise = noise_of_one(scene, disturbances, repetitions)
    total = torch.zeros_like(scene.signal)
    squares = torch.zeros_like(scene.signal)
    for repetition in range(int(repetitions.max())):
        error = _difference(scene, disturbances, noise, dice) - scene.signal
        error = error * (repetition < repetitions)
        total, squares = total + error, squares + error.square()
    scatter = (squares - total.square() / repetitions).sum(-1)
    freedom = int((repetitions - 1).sum())
    if freedom > 0:
        estimate = scene.mean(scatter / freedom).sqrt()
    else:
        estimate = noise * NOISE_SAFETY * (NOISE_GUESS * dice.normal(len(noise))).exp()
    return Measured(scene.signal + total / repetitions, estimate)


def _difference(scene: Scene, disturbances: Disturbances, noise: Tensor, dice: Dice) -> Tensor:
    """Acquire a control and a label of every timing and subtract, ``(voxel, timing)``."""
    phantom, n_timings = scene.phantom, scene.signal.shape[-1]
    shape = len(scene.mask), n_timings
    flow = 1 + disturbances.fluctuation.unsqueeze(-1) * dice.normal(*shape)
    shift = disturbances.displacement.reshape(-1, 1, 1) * dice.normal(*shape, 2)
    shift = shift * disturbances.static.unsqueeze(-1)
    residual = (scene.edges.unsqueeze(1) * shift[phantom]).sum(-1)
    control = disturbances.static[phantom] * scene.water[scene.mask].unsqueeze(-1)
    label = control + residual - scene.signal * flow[phantom]
    channel = (noise / math.sqrt(2))[phantom].unsqueeze(-1)
    magnitudes = [
        (image + channel * complex_noise(scene.mask, n_timings, disturbances.fwhm, dice)).abs()
        for image in (control, label)
    ]
    return magnitudes[0] - magnitudes[1]


def complex_noise(mask: Tensor, n_timings: int, fwhm: Tensor, dice: Dice) -> Tensor:
    """Draw noise of unit variance on both channels, correlated within slices.

    White noise is filtered where the scanner has it, in k-space, so its variance is the same
    everywhere.

    Parameters
    ----------
    mask
        Where it is wanted, ``(phantom, slice, x, y)``.
    n_timings
        Independent draws.
    fwhm
        Of the Gaussian kernel, ``(phantom,)`` [voxel].
    dice
        Where the randomness comes from.

    Returns
    -------
    Complex, ``(voxel, timing)``.
    """
    shape = (*mask.shape[:2], n_timings, *mask.shape[2:])
    white = torch.complex(dice.normal(*shape), dice.normal(*shape))
    frequency = [torch.fft.fftfreq(n, device=mask.device) for n in mask.shape[2:]]
    squared = frequency[0].unsqueeze(-1).square() + frequency[1].square()
    sigma = fwhm.reshape(-1, 1, 1) / float(FWHM_PER_SIGMA)
    transfer = torch.exp(-2 * (math.pi * sigma).square() * squared)
    transfer = transfer / transfer.square().mean((-2, -1), keepdim=True).sqrt()
    colored: Tensor = torch.fft.ifft2(white * transfer[:, None, None], norm='ortho')
    return colored.movedim(2, -1)[mask]
