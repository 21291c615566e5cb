"""Where an image's voxels are, and what of the phantom each of them sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from aslprep_nn.maps import FloatArray

#: Width at half height of the point-spread function of a Cartesian readout, in voxels.
POINT_SPREAD = 1.2
FWHM_PER_SIGMA = np.sqrt(8 * np.log(2))


@dataclass(frozen=True)
class Grid:
    """An image grid with its centre at a given point of the scanner.

    Parameters
    ----------
    shape
        Number of voxels along each axis.
    voxel_size
        Edge lengths [mm].
    centre
        World coordinates of the middle of the field of view, RAS [mm].
    """

    shape: tuple[int, int, int]
    voxel_size: tuple[float, float, float]
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def affine(self) -> FloatArray:
        """Voxel to world, RAS [mm]."""
        affine = np.diag([*self.voxel_size, 1.0])
        half_extent = (np.array(self.shape) - 1) / 2 * self.voxel_size
        affine[:3, 3] = np.array(self.centre) - half_extent
        return affine


class BlurredMap:
    """A map of the phantom behind the point-spread function of a grid.

    The blurred map is smooth on its own fine grid, so a cubic spline through it can be
    evaluated anywhere with negligible error: a moved head is imaged, never a moved image, and
    the motion is exactly the matrix asked for.

    Parameters
    ----------
    values
        The map on the phantom's grid, ``(x, y, z)``.
    affine
        Voxel to world of the phantom, RAS [mm].
    grid
        The image grid.
    """

    def __init__(self, values: FloatArray, affine: FloatArray, grid: Grid) -> None:
        phantom_voxel = np.linalg.norm(affine[:3, :3], axis=0)
        sigma = POINT_SPREAD / FWHM_PER_SIGMA * np.array(grid.voxel_size) / phantom_voxel
        blurred = ndimage.gaussian_filter(np.asarray(values, np.float32), sigma, mode='nearest')
        self._coefficients = ndimage.spline_filter(blurred, order=3, output=np.float32)
        self._to_phantom = np.linalg.inv(affine)
        self._grid = grid

    def seen_after(self, motion: FloatArray) -> FloatArray:
        """Image the map after the head has moved.

        Parameters
        ----------
        motion
            Takes a point of the head from its reference position to where it is now,
            ``(4, 4)``, RAS [mm].

        Returns
        -------
        The map on the image grid, ``(x, y, z)``.
        """
        to_phantom = self._to_phantom @ np.linalg.inv(motion) @ self._grid.affine
        seen: FloatArray = ndimage.affine_transform(
            self._coefficients,
            to_phantom[:3, :3],
            to_phantom[:3, 3],
            output_shape=self._grid.shape,
            output=np.float64,
            order=3,
            mode='nearest',
            prefilter=False,
        )
        return seen
