"""The pieces of the network that respect a mask, and let a vector modulate an image."""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: Added to variances.
EPSILON = 1e-5


class MaskedGroupNorm(nn.Module):
    """Normalise groups of channels to mean 0 and variance 1 over the voxels of a mask.

    Parameters
    ----------
    n_groups, n_channels
        Number of groups and of channels.
    voxelwise
        Whether each voxel is normalised by its own channels, all of them, so that none learns
        of another. (A group has too few channels: normalising two leaves only a sign.)
    """

    def __init__(self, n_groups: int, n_channels: int, *, voxelwise: bool) -> None:
        super().__init__()
        self.n_groups = 1 if voxelwise else n_groups
        self.axes = (2,) if voxelwise else (2, 3, 4)
        self.gain = nn.Parameter(torch.ones(n_channels, 1, 1))
        self.offset = nn.Parameter(torch.zeros(n_channels, 1, 1))

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Normalise ``(slice, channel, x, y)`` over the mask ``(slice, 1, x, y)``, 0 or 1."""
        shape = image.shape
        grouped = image.float().reshape(shape[0], self.n_groups, -1, *shape[2:])
        weight = mask.float().unsqueeze(1).expand_as(grouped)
        count = weight.sum(self.axes, keepdim=True).clamp(min=1)
        mean = (grouped * weight).sum(self.axes, keepdim=True) / count
        centred = (grouped - mean) * weight
        variance = centred.square().sum(self.axes, keepdim=True) / count
        normal = (centred * (variance + EPSILON).rsqrt()).reshape(shape)
        return (normal * self.gain + self.offset).to(image.dtype)


class FeatureModulation(nn.Module):
    """Scale and shift each channel by what a vector says (FiLM, Perez et al. 2018).

    It starts by leaving the channels as they are.
    """

    def __init__(self, n_conditions: int, n_channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_conditions, 2 * n_channels)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:
        """Modulate ``(slice, channel, x, y)`` by ``(slice, condition)``."""
        gain, offset = self.linear(condition)[..., None, None].chunk(2, 1)
        modulated: Tensor = image * (1 + gain) + offset
        return modulated


class Convolution(nn.Module):
    """Convolve, normalise, modulate if a condition is used, bend, and stay inside the mask."""

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        kernel_size: int,
        n_groups: int,
        n_conditions: int = 0,
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(n_in, n_out, kernel_size, padding='same', bias=False)
        self.normalization = MaskedGroupNorm(n_groups, n_out, voxelwise=kernel_size == 1)
        self.modulation = FeatureModulation(n_conditions, n_out) if n_conditions else None

    def forward(self, image: Tensor, mask: Tensor, condition: Tensor) -> Tensor:
        """Take ``(slice, channel, x, y)``, its mask and ``(slice, condition)``."""
        image = self.normalization(self.convolution(image), mask)
        if self.modulation is not None:
            image = self.modulation(image, condition)
        return nn.functional.silu(image) * mask


def halve(image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Average blocks of 2 x 2 voxels over what lies inside the mask; also halve the mask."""
    share = nn.functional.avg_pool2d(mask, 2)
    average = nn.functional.avg_pool2d(image * mask, 2) / share.clamp(min=0.25)
    return average, (share > 0).to(mask)


def double(image: Tensor) -> Tensor:
    """Repeat every voxel 2 x 2 times, by a copy whose gradient sums in a fixed order."""
    n, channels, x, y = image.shape
    blocks = image[:, :, :, None, :, None].expand(n, channels, x, 2, y, 2)
    return blocks.reshape(n, channels, 2 * x, 2 * y)
