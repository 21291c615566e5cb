"""Volumes made as coarse as the grid they are to be read on."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from aslprep_nn.calibration.smoothing import FWHM_PER_SIGMA
from aslprep_nn.maps import FloatArray


def blur_to_grid(volume: FloatArray, affine: FloatArray, grid_affine: FloatArray) -> FloatArray:
    """Blur a finer volume to the resolution of a grid, so that both average the same tissue.

    A fine M0 read at the centres of coarse voxels would divide the mean of grey matter and fluid
    by one of them. Widths of point-spread functions add in squares; each is taken to be one
    voxel wide at half height.

    Parameters
    ----------
    volume
        ``(x, y, z)``; NaN where nothing was measured, which stays so.
    affine
        Its voxel to world [mm].
    grid_affine
        Voxel to world of the grid [mm].
    """
    own = np.linalg.norm(affine[:3, :3], axis=0)
    # Along each axis of the volume: how wide a voxel of the grid is.
    directions = affine[:3, :3] / own
    wanted = np.abs(directions.T @ grid_affine[:3, :3]).max(axis=1)
    sigma = np.sqrt(np.clip(wanted**2 - own**2, 0, None)) / own / FWHM_PER_SIGMA
    if not sigma.any():
        return volume
    known = np.isfinite(volume)
    weight = ndimage.gaussian_filter(known.astype(np.float64), sigma, mode='nearest')
    total = ndimage.gaussian_filter(np.where(known, volume, 0.0), sigma, mode='nearest')
    return np.where(known, total / np.where(known, weight, 1), np.nan)
