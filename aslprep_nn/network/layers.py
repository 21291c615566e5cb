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
        self.voxelwise = voxelwise
        self.gain = nn.Parameter(torch.ones(n_channels, 1, 1))
        self.offset = nn.Parameter(torch.zeros(n_channels, 1, 1))

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Normalise ``(slice, channel, x, y)`` over the mask ``(slice, 1, x, y)``, 0 or 1.

        Sums and sums of squares are taken without a copy of the image, and all that multiplies
        it is multiplied first: what takes time here is reading images, not computing.
        """
        n_slices, n_channels = image.shape[:2]
        axes = (2,) if self.voxelwise else (2, 3, 4)
        wide = torch.promote_types(image.dtype, torch.float32)
        inside = image * mask.to(image.dtype)
        grouped = inside.reshape(n_slices, self.n_groups, -1, *image.shape[2:])
        each = n_channels // self.n_groups
        count = each * (mask if self.voxelwise else mask.sum((1, 2, 3), keepdim=True))
        count = count.clamp(min=1).to(wide).unsqueeze(1)
        mean = grouped.sum(axes, keepdim=True, dtype=wide) / count
        length = torch.linalg.vector_norm(grouped, dim=axes, keepdim=True, dtype=wide)
        variance = (length.square() / count - mean.square()).clamp(min=0)
        rate = (variance + EPSILON).rsqrt()
        places = rate.shape[3:]
        rate, mean = (
            part.expand(n_slices, self.n_groups, each, *places).reshape(n_slices, -1, *places)
            for part in (rate, mean)
        )
        slope = rate * self.gain
        return torch.addcmul(
            (self.offset - mean * slope).to(image.dtype), inside, slope.to(image.dtype)
        )


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
        return nn.functional.silu(image) * mask.to(image.dtype)


def halve(image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Average blocks of 2 x 2 voxels over what lies inside the mask; also halve the mask."""
    share = nn.functional.avg_pool2d(mask, 2)
    average = nn.functional.avg_pool2d(image * mask.to(image.dtype), 2)
    return average / share.clamp(min=0.25).to(image.dtype), (share > 0).to(mask)


def double(image: Tensor) -> Tensor:
    """Repeat every voxel 2 x 2 times, by a copy whose gradient sums in a fixed order."""
    n, channels, x, y = image.shape
    blocks = image[:, :, :, None, :, None].expand(n, channels, x, 2, y, 2)
    return blocks.reshape(n, channels, 2 * x, 2 * y)
