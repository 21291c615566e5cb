"""Reading many volumes between their voxels at once, by cubic B-splines in torch."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from aslprep_nn.maps import FloatArray

#: Width at half height of a Gaussian over its standard deviation.
FWHM_PER_SIGMA = float(np.sqrt(8 * np.log(2)))


def smooth_coefficients(volumes: FloatArray, affine: FloatArray, fwhm: float) -> Tensor:
    """Smooth volumes and find the splines through them.

    Smoothing first, because what lies between the samples of a coarse grid is otherwise the
    spline's guess, which changes with the position of the head.

    Parameters
    ----------
    volumes
        ``(volume, x, y, z)``, finite.
    affine
        Voxel to world [mm].
    fwhm
        Of the Gaussian kernel [mm].

    Returns
    -------
    Coefficients for `read_splines`, ``(volume, x, y, z)``.
    """
    sigma = fwhm / FWHM_PER_SIGMA / np.linalg.norm(affine[:3, :3], axis=0)
    splines = [
        ndimage.spline_filter(
            ndimage.gaussian_filter(volume, sigma, mode='nearest'),
            order=3,
            output=np.float32,
            mode='mirror',
        )
        for volume in volumes
    ]
    return torch.from_numpy(np.stack(splines))


def read_splines(coefficients: Tensor, coordinates: Tensor) -> Tensor:
    """Evaluate each volume's spline at its own points.

    Parameters
    ----------
    coefficients
        Of `smooth_coefficients`, ``(volume, x, y, z)``.
    coordinates
        In voxels, ``(volume, 3, point)``; those outside are moved to the border.

    Returns
    -------
    ``(volume, point)``.
    """
    size = torch.tensor(coefficients.shape[1:], device=coordinates.device).view(1, 3, 1)
    inside = torch.minimum(coordinates.clamp(min=1.0), size - 2.001)
    corner = inside.floor()
    weights = _cubic_weights(inside - corner)
    n_y, n_z = coefficients.shape[2:]
    x, y, z = (corner.long() - 1).unbind(1)
    start = (x * n_y + y) * n_z + z
    flat = coefficients.flatten(1)
    values = torch.zeros_like(coordinates[:, 0])
    for i in range(4):
        for j in range(4):
            offset = start + (i * n_y + j) * n_z
            along_z = weights[0][:, 2] * flat.gather(1, offset)
            for k in range(1, 4):
                along_z += weights[k][:, 2] * flat.gather(1, offset + k)
            values += weights[i][:, 0] * weights[j][:, 1] * along_z
    return values


def _cubic_weights(t: Tensor) -> tuple[Tensor, ...]:
    """Return the four cubic B-splines that reach a point a part t between two knots."""
    square, cube = t * t, t * t * t
    return (
        (1 - 3 * t + 3 * square - cube) / 6,
        (4 - 6 * square + 3 * cube) / 6,
        (1 + 3 * t + 3 * square - 3 * cube) / 6,
        cube / 6,
    )
