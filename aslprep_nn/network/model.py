"""The amplitude-aware U-Net: it corrects the posterior mean of every voxel by its surroundings.

Normalisation inside a network takes the amplitude out of an image, and CBF *is* the amplitude.
So the amplitude is measured before anything is normalised, told to the network where it
decides (bottleneck, decoder, output), and multiplied back at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import torch
from torch import Tensor, nn

from aslprep_nn.network.conditioning import N_AMPLITUDES
from aslprep_nn.network.features import FeatureSettings, NetworkInput
from aslprep_nn.network.layers import Convolution, double, halve

#: Where the amplitude is discarded every volume gets this scale instead [mL/100 g/min].
TYPICAL_SCALE = 60.0
#: Corrections of amplitude and ATT, and of the logarithms of their standard deviations.
N_OUTPUTS = 4


class AmplitudePath(StrEnum):
    """Where the amplitude of the signal reaches the network."""

    #: Feature modulation, and the output; the amplitude is multiplied back.
    FULL = 'full'
    #: Feature modulation only: the network has to learn what to do with it.
    MODULATION = 'modulation'
    #: The output only; the amplitude is multiplied back.
    OUTPUT = 'output'
    #: Nowhere: a plain U-Net with group normalisation, which cannot see CBF.
    NONE = 'none'

    @property
    def modulates(self) -> bool:
        """Whether features are modulated by the amplitude."""
        return self in (AmplitudePath.FULL, AmplitudePath.MODULATION)

    @property
    def reaches_output(self) -> bool:
        """Whether the amplitude scales what comes out."""
        return self in (AmplitudePath.FULL, AmplitudePath.OUTPUT)


class Surroundings(StrEnum):
    """What a voxel's estimate may depend on."""

    #: Its slice and the two next to it.
    SPATIAL = 'spatial'
    #: The voxel's own channels alone: every kernel is 1 x 1 and nothing is pooled.
    VOXELWISE = 'voxelwise'


@dataclass(frozen=True)
class NetworkSettings:
    """The shape of a network.

    Parameters
    ----------
    features
        Which channels come in.
    amplitude_path, surroundings
        The parts that an ablation takes away.
    width
        Channels at full resolution; each level below has twice as many.
    n_levels
        Number of resolutions.
    n_groups
        Groups of channels normalised together.
    condition_width
        Length of the vector that modulates the features.
    """

    features: FeatureSettings = field(default_factory=FeatureSettings)
    amplitude_path: AmplitudePath = AmplitudePath.FULL
    surroundings: Surroundings = Surroundings.SPATIAL
    width: int = 24
    n_levels: int = 3
    n_groups: int = 8
    condition_width: int = 32

    @property
    def is_spatial(self) -> bool:
        """Whether neighbours are looked at."""
        return self.surroundings is Surroundings.SPATIAL


class Estimate(NamedTuple):
    """What the network says, ``(..., slice, x, y)``; 0 outside the mask.

    Amplitude [mL/100 g/min] and ATT [s] with their predictive standard deviations.
    """

    amplitude: Tensor
    amplitude_std: Tensor
    att: Tensor
    att_std: Tensor


class AmplitudeAwareNetwork(nn.Module):
    """A 2.5-D U-Net on profile features.

    Its last layer starts at zero, so that an untrained network returns the posterior mean and
    standard deviation of every voxel.

    Parameters
    ----------
    settings
        The shape of the network.
    """

    def __init__(self, settings: NetworkSettings | None = None) -> None:
        super().__init__()
        self.settings = settings = settings or NetworkSettings()
        path = settings.amplitude_path
        n_conditions = (
            settings.features.n_conditions
            + 1
            + path.modulates * (N_AMPLITUDES + (not path.reaches_output))
        )
        wide = settings.condition_width
        self.encode_condition = nn.Sequential(
            nn.Linear(n_conditions, wide), nn.SiLU(), nn.Linear(wide, wide), nn.SiLU()
        )
        self.stem = nn.Conv2d(settings.features.n_channels, settings.width, 1)
        n_slices = 3 if settings.is_spatial else 1
        widths = [settings.width * 2**level for level in range(settings.n_levels)]
        self.encoder = nn.ModuleList(
            _Block(n_in, n_out, settings, modulated=n_out == widths[-1])
            for n_in, n_out in zip([n_slices * widths[0], *widths], widths, strict=False)
        )
        self.decoder = nn.ModuleList(
            _Block(widths[level + 1] + widths[level], widths[level], settings, modulated=True)
            for level in reversed(range(settings.n_levels - 1))
        )
        n_outputs = N_OUTPUTS + sum(self._n_steps)
        # the voxel's own channels come once more: normalisation has taken their size away
        self.decide = nn.Sequential(nn.Conv2d(2 * settings.width, 2 * settings.width, 1), nn.SiLU())
        self.head = nn.Conv2d(2 * settings.width, n_outputs, 1)
        self.gain = nn.Linear(N_AMPLITUDES, n_outputs) if path.reaches_output else None
        # how much to smooth depends on protocol and noise before it depends on the voxel
        self.everywhere = nn.Linear(wide, n_outputs)
        for layer in (self.head, self.everywhere, self.gain):
            for parameter in layer.parameters() if layer is not None else ():
                nn.init.zeros_(parameter)

    @property
    def _n_steps(self) -> list[int]:
        """Number of steps of amplitude and ATT."""
        features = self.settings.features
        return [features.n_amplitude_steps, features.n_att_steps]

    def forward(self, given: NetworkInput, dial: Tensor) -> Estimate:
        """Estimate one volume, or several of one size.

        Parameters
        ----------
        given
            What the network sees.
        dial
            Weight of bias against variance, 1 (least error) to 8 (least bias), a scalar or one
            for each volume, ``(...)``.
        """
        shape = given.features.shape
        mask = given.mask.flatten(0, -4).to(given.features)
        condition = self.encode_condition(self._condition(given, dial)).flatten(0, -2)
        features = self.stem(given.features.flatten(0, -4))
        own = features * mask.to(features.dtype)
        around = self._unet(self._with_neighbours(own, shape[:-3]), mask, condition)
        output = self.head(self.decide(torch.cat([around, own], 1)))
        if self.gain is not None:
            gain = torch.tanh(self.gain(given.amplitudes.flatten(0, -2)))
            output = output * (1 + gain[..., None, None])
        output = output + self.everywhere(condition)[..., None, None]
        output = (output * mask).reshape(*shape[:-3], -1, *shape[-2:])
        return self._correct(given, output.float())

    def _condition(self, given: NetworkInput, dial: Tensor) -> Tensor:
        """Join what modulates the features, ``(..., slice, condition)``."""
        every_slice = given.conditions[..., :1]
        parts = [
            given.conditions,
            dial.to(every_slice).log()[..., None, None].expand_as(every_slice),
        ]
        path = self.settings.amplitude_path
        if path.modulates:
            parts.append(given.amplitudes)
        if path.modulates and not path.reaches_output:
            log_scale = (given.scale.squeeze(-1) / TYPICAL_SCALE).log()
            parts.append(log_scale.expand_as(every_slice))
        return torch.cat(parts, -1)

    def _with_neighbours(self, features: Tensor, volumes: torch.Size) -> Tensor:
        """Add the channels of the slices below and above, 0 beyond the ends."""
        if not self.settings.is_spatial:
            return features
        stacked = features.reshape(*volumes, *features.shape[1:])
        padded = nn.functional.pad(stacked, (0, 0, 0, 0, 0, 0, 1, 1))
        n_slices = volumes[-1]
        shifted = [padded.narrow(-4, first, n_slices) for first in range(3)]
        return torch.cat(shifted, -3).flatten(0, -4)

    def _unet(self, image: Tensor, mask: Tensor, condition: Tensor) -> Tensor:
        size, step = image.shape[-2:], 2 ** (self.settings.n_levels - 1)
        margins = (0, -size[1] % step, 0, -size[0] % step)
        image, mask = (nn.functional.pad(part, margins) for part in (image, mask))
        passed: list[tuple[Tensor, Tensor]] = []
        for level, block in enumerate(self.encoder):
            if level and self.settings.is_spatial:
                image, mask = halve(image, mask)
            image = block(image, mask, condition)
            passed.append((image, mask))
        passed.pop()
        for block in self.decoder:
            across, mask = passed.pop()
            image = double(image) if self.settings.is_spatial else image
            image = block(torch.cat([across, image], 1), mask, condition)
        return image[..., : size[0], : size[1]]

    def _correct(self, given: NetworkInput, output: Tensor) -> Estimate:
        """Apply corrections in posterior standard deviations, and multiply the scale back.

        A correction is free, plus a share of each step of smoothing.
        """
        corrections, *shares = torch.split(output, [N_OUTPUTS, *self._n_steps], -3)
        amplitude, att, log_amplitude_std, log_att_std = corrections.unbind(-3)
        steps = torch.split(given.steps, self._n_steps, -3)
        to_amplitude, to_att = ((a * b).sum(-3) for a, b in zip(shares, steps, strict=True))
        amplitude, att = amplitude + to_amplitude, att + to_att
        known = given.posterior
        path = self.settings.amplitude_path
        scale = given.scale if path.reaches_output else torch.full_like(given.scale, TYPICAL_SCALE)
        inside = given.mask.squeeze(-3)
        estimate = Estimate(
            scale * (known.amplitude + amplitude * known.amplitude_std),
            scale * known.amplitude_std * log_amplitude_std.exp(),
            known.att + att * known.att_std,
            known.att_std * log_att_std.exp(),
        )
        return Estimate(*(part * inside for part in estimate))


class _Block(nn.Module):
    """Two convolutions at one resolution."""

    def __init__(
        self, n_in: int, n_out: int, settings: NetworkSettings, *, modulated: bool
    ) -> None:
        super().__init__()
        size = 3 if settings.is_spatial else 1
        n_conditions = settings.condition_width if modulated else 0
        groups = settings.n_groups
        self.first = Convolution(n_in, n_out, kernel_size=size, n_groups=groups)
        self.second = Convolution(
            n_out, n_out, kernel_size=size, n_groups=groups, n_conditions=n_conditions
        )

    def forward(self, image: Tensor, mask: Tensor, condition: Tensor) -> Tensor:
        image = self.first(image, mask, condition)
        result: Tensor = self.second(image, mask, condition)
        return result
