"""Smoothing that stays inside a mask and knows what it does to the noise."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

#: Standard deviations at which the kernel is cut off.
CUT_OFF = 3.5
#: How far around a voxel `mean_around` looks, the standard deviation of a Gaussian [voxel].
AROUND = 2.0


def smooth(mean: Tensor, weight: Tensor, sigma: Mapping[int, float]) -> tuple[Tensor, Tensor]:
    """Average neighbours with Gaussian weights, each by its own precision.

    What has no weight contributes nothing, so values outside a mask, or missing, do not bleed
    in, and values near its border are not darkened. The weight of an average of independent
    values follows from theirs: (sum g w)² / sum g² w. Where noise is itself correlated between
    neighbours it is less.

    Parameters
    ----------
    mean, weight
        Values and their precision (inverse variance, relative), of one shape.
    sigma
        Axis to the standard deviation of the kernel along it [voxel].

    Returns
    -------
    The averages and their weights, of the same shape, in float64 (rounding would show in the
    likelihood of an average of many); 0 where no neighbour has a weight.
    """
    kernels = {axis: _kernel(width, mean.shape[axis]) for axis, width in sigma.items() if width > 0}
    weight, weighted = weight.double(), (weight * mean).double()
    total, total_squared = weight, weight
    for axis, kernel in kernels.items():
        total, weighted = _along(axis, kernel, total), _along(axis, kernel, weighted)
        total_squared = _along(axis, kernel.square(), total_squared)
    seen = total > 0
    average = torch.where(seen, weighted / torch.where(seen, total, 1), 0)
    precision = torch.where(seen, total.square() / torch.where(seen, total_squared, 1), 0)
    return average, precision


def mean_around(images: Tensor, inside: Tensor) -> Tensor:
    """Average every image over some two voxels around each voxel, inside a mask.

    Parameters
    ----------
    images
        ``(image, slice, x, y)``.
    inside
        ``(slice, x, y)``.
    """
    average, _ = smooth(images, inside.to(images).expand_as(images), {2: AROUND, 3: AROUND})
    return average


def _kernel(sigma: float, n_points: int) -> Tensor:
    """Weigh every point of an axis by its distance from every other, ``(point, point)``."""
    place = torch.arange(n_points, dtype=torch.float64)
    distance = (place - place.unsqueeze(-1)) / sigma
    return torch.exp(-distance.square() / 2) * (distance.abs() <= CUT_OFF)


def _along(axis: int, kernel: Tensor, values: Tensor) -> Tensor:
    return (values.movedim(axis, -1) @ kernel.to(values)).movedim(-1, axis)
