"""From volumes on any grid to axial slices on paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from aslprep_nn.maps import FloatArray
from aslprep_nn.report.regions import BoolArray, IndexArray

Value = TypeVar('Value', bound=np.generic)

#: Kept around the brain on every side [mm].
MARGIN = 4.0


@dataclass(frozen=True)
class AxialView:
    """How the volumes of one run are cut, cropped and turned for display.

    Slices are nearest to axial, front at the top, in radiological convention: the patient's
    right is on the left.

    Parameters
    ----------
    orientation
        From voxel axes to the nearest of right, anterior, superior: nibabel's orientation.
    spacing
        Voxel size along right, anterior, superior [mm].
    rows, columns
        The part of a turned slice that holds the brain.
    positions
        World z of each slice [mm].
    covered
        Slices that hold brain; all of them where there is none.
    """

    orientation: FloatArray
    spacing: tuple[float, float, float]
    rows: slice
    columns: slice
    positions: tuple[float, ...]
    covered: tuple[int, ...]

    @classmethod
    def of(cls, mask: BoolArray, affine: FloatArray) -> AxialView:
        """Crop to the brain.

        Parameters
        ----------
        mask
            Brain, ``(x, y, z)``.
        affine
            Voxel to world, RAS [mm].
        """
        orientation = nib.orientations.io_orientation(affine)
        turned = nib.orientations.apply_orientation(mask, orientation)
        to_world = affine @ nib.orientations.inv_ornt_aff(orientation, mask.shape)
        spacing = np.linalg.norm(to_world[:3, :3], axis=0)
        middle = (np.array(turned.shape) - 1) / 2
        levels = np.arange(turned.shape[2])
        positions = to_world[2, :3] @ [middle[0], middle[1], 0] + to_world[2, 2] * levels
        brain = turned if turned.any() else np.ones_like(turned)
        return cls(
            orientation=orientation,
            spacing=(float(spacing[0]), float(spacing[1]), float(spacing[2])),
            rows=_flip(_extent(brain.any(axis=(0, 2)), spacing[1]), turned.shape[1]),
            columns=_flip(_extent(brain.any(axis=(1, 2)), spacing[0]), turned.shape[0]),
            positions=tuple((positions + to_world[2, 3]).tolist()),
            covered=tuple(np.flatnonzero(brain.any(axis=(0, 1))).tolist()),
        )

    @property
    def height_over_width(self) -> float:
        """Aspect of one slice on paper."""
        n_rows, n_columns = self.n_voxels
        return n_rows * self.spacing[1] / (n_columns * self.spacing[0])

    @property
    def n_voxels(self) -> tuple[int, int]:
        """Rows and columns of one slice."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def height_label(self, level: int) -> str:
        """Name a slice by its height in world space [mm]."""
        return f'z {self.positions[level]:.0f}'.replace('-', '−')

    def spread(self, n_slices: int) -> tuple[int, ...]:
        """Choose slices evenly through the brain, leaving out its very ends."""
        if len(self.covered) <= n_slices:
            return self.covered
        ends = 0.08 * (len(self.covered) - 1)
        chosen = np.linspace(ends, len(self.covered) - 1 - ends, n_slices).round().astype(int)
        return tuple(self.covered[i] for i in chosen)

    def voxels(self, volume: NDArray[Value], level: int) -> NDArray[Value]:
        """Cut one slice, ``(row, column)``, a voxel an element."""
        turned = nib.orientations.apply_orientation(volume, self.orientation)
        return np.asarray(turned[::-1, ::-1, level].T[self.rows, self.columns])

    def plane(self, volume: NDArray[Value], level: int, width: int) -> NDArray[Value]:
        """Cut one slice and repeat its voxels until it is ``width`` square pixels wide.

        Parameters
        ----------
        volume
            ``(x, y, z)``.
        level
            Index of the slice, from below.
        width
            In pixels.

        Returns
        -------
        ``(row, column)``: front at the top, the patient's right on the left.
        """
        voxels = self.voxels(volume, level)
        height = max(1, round(width * self.height_over_width))
        rows, columns = _nearest(height, voxels.shape[0]), _nearest(width, voxels.shape[1])
        return np.asarray(voxels[np.ix_(rows, columns)])


def _extent(occupied: BoolArray, spacing: float) -> tuple[int, int]:
    """Return first and last-plus-one index of what is occupied, with a margin."""
    indices = np.flatnonzero(occupied)
    margin = int(np.ceil(MARGIN / spacing))
    return max(0, int(indices[0]) - margin), min(len(occupied), int(indices[-1]) + 1 + margin)


def _flip(extent: tuple[int, int], length: int) -> slice:
    """Turn an extent around: rows count from the front, columns from the patient's right."""
    return slice(length - extent[1], length - extent[0])


def _nearest(n_pixels: int, n_voxels: int) -> IndexArray:
    return np.floor((np.arange(n_pixels) + 0.5) * n_voxels / n_pixels).astype(np.intp)
