"""Loading and saving NIfTI inside the pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np

from aslprep_nn.maps import FloatArray


class Image(NamedTuple):
    """Voxels and where they lie."""

    data: FloatArray
    affine: FloatArray


def load(path: Path) -> Image:
    """Load an image in scanner units, single precision."""
    image = nib.load(path)
    return Image(np.asarray(image.dataobj, dtype=np.float32), np.asarray(image.affine))


def load_series(path: Path) -> Image:
    """Load an image as a series, even if it has one volume only."""
    data, affine = load(path)
    return Image(data.reshape(*data.shape[:3], -1), affine)


def load_mask(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Load a mask."""
    return np.asarray(nib.load(path).dataobj) > 0


def put_into(
    mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], values: FloatArray
) -> FloatArray:
    """Put the values of a mask's voxels, ``(voxel,)``, into an image that is NaN elsewhere."""
    image = np.full(mask.shape, np.nan, dtype=np.float32)
    image[mask] = values
    return image


def save(
    path: Path, data: np.ndarray[tuple[int, ...], np.dtype[np.generic]], affine: FloatArray
) -> Path:
    """Save an array; masks and labels as bytes, everything else in single precision."""
    is_label = data.dtype == np.bool_ or np.issubdtype(data.dtype, np.integer)
    image = nib.Nifti1Image(data.astype(np.uint8 if is_label else np.float32), affine)
    image.header.set_xyzt_units('mm', 'sec')
    nib.save(image, path)
    return path
