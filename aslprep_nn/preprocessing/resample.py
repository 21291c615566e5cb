"""Moving volumes onto a grid: once, from the raw data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from aslprep_nn.maps import FloatArray

#: Share of a voxel's linear support that must be measured for its value to be one.
MEASURED = 0.999


def resample_volume(
    volume: FloatArray,
    affine: FloatArray,
    grid_shape: tuple[int, int, int],
    grid_affine: FloatArray,
    transform: FloatArray | None = None,
) -> FloatArray:
    """Read a volume at the voxels of a grid by cubic B-splines.

    Cubic splines, because linear interpolation smooths by an amount that depends on the
    motion, and that difference is of the size of the perfusion signal.

    Parameters
    ----------
    volume
        ``(x, y, z)``; NaN where nothing was measured.
    affine
        Its voxel to world, RAS [mm].
    grid_shape, grid_affine
        The grid to fill and its voxel to world.
    transform
        Takes a world point of the grid to the same anatomy in the volume, ``(4, 4)`` [mm];
        the identity when absent.

    Returns
    -------
    The volume on the grid, NaN where the grid leaves the volume's field of view or where a
    neighbour among the nearest eight was not measured.
    """
    coordinates = _volume_coordinates(affine, grid_shape, grid_affine, transform)
    known = np.isfinite(volume)
    values = ndimage.map_coordinates(_filled(volume, known), coordinates, order=3, mode='nearest')
    inside = _inside(coordinates, volume.shape)
    if not known.all():
        support = known.astype(np.float64)
        inside &= ndimage.map_coordinates(support, coordinates, order=1, mode='nearest') > MEASURED
    return np.where(inside, values, np.nan)


def resample_series(
    volumes: FloatArray, affine: FloatArray, transforms: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Undo the motion of a series on its own grid.

    Parameters
    ----------
    volumes
        ``(x, y, z, volume)``.
    affine
        Voxel to world, RAS [mm].
    transforms
        Reference to volume, ``(volume, 4, 4)`` [mm].

    Returns
    -------
    The still series, and the voxels inside the field of view in every volume.
    """
    grid = volumes.shape[:3]
    still: NDArray[np.float32] = np.empty(volumes.shape, dtype=np.float32)
    for index, transform in enumerate(transforms):
        if np.array_equal(transform, np.eye(4)):
            still[..., index] = volumes[..., index]
        else:
            still[..., index] = resample_volume(
                volumes[..., index], affine, grid, affine, transform
            )
    return still, np.asarray(np.isfinite(still).all(axis=-1))


def _filled(volume: FloatArray, known: NDArray[np.bool_]) -> FloatArray:
    """Put the nearest known value where there is none, so that the spline does not ring."""
    values = np.asarray(volume, dtype=np.float64)
    if known.all() or not known.any():
        return np.nan_to_num(values)
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    return np.asarray(values[tuple(nearest)])


def _volume_coordinates(
    affine: FloatArray,
    grid_shape: tuple[int, int, int],
    grid_affine: FloatArray,
    transform: FloatArray | None,
) -> FloatArray:
    """Return where each grid voxel lies in the volume, ``(3, x, y, z)`` [voxels]."""
    world_to_world = np.eye(4) if transform is None else transform
    matrix = np.linalg.inv(affine) @ world_to_world @ grid_affine
    indices = np.indices(grid_shape).reshape(3, -1)
    coordinates = matrix[:3, :3] @ indices + matrix[:3, 3:]
    return np.asarray(coordinates.reshape(3, *grid_shape))


def _inside(coordinates: FloatArray, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Tell which coordinates lie within half a voxel of the volume's voxel centres."""
    last = np.array(shape).reshape(3, 1, 1, 1) - 1
    return np.asarray(((coordinates >= -0.5) & (coordinates <= last + 0.5)).all(axis=0))
