"""Which voxels are brain."""

from __future__ import annotations

import warnings

import ants
import nibabel as nib
import numpy as np
from nilearn.masking import compute_epi_mask
from numpy.typing import NDArray
from scipy import ndimage

from aslprep_nn.errors import ImageError, Problem
from aslprep_nn.maps import FloatArray

#: How thin a bridge between scalp and brain may be and still be cut [mm].
BRIDGE_WIDTH = 7.0

#: Fewer voxels along an axis leave too little to estimate a bias field from at half size.
SMALLEST_TO_SHRINK = 16


def brain_mask(reference: FloatArray, affine: FloatArray) -> NDArray[np.bool_]:
    """Find the brain in an EPI-like reference image.

    Receive coils make the rim brighter than the centre, so that the scalp can outshine deep
    brain: the bias field is divided out first (N4, Tustison et al. 2010). The threshold then
    lies in the least populated part of the histogram between background and tissue; opening
    cuts the scalp off and the largest component is kept (nilearn's EPI mask).

    Parameters
    ----------
    reference
        M0 or mean control, ``(x, y, z)``.
    affine
        Voxel to world [mm].

    Raises
    ------
    ImageError
        If no voxel stands out from the background.
    """
    if not np.ptp(np.nan_to_num(reference)):
        return _not_empty(np.zeros(reference.shape, dtype=np.bool_))
    even = ants.n4_bias_field_correction(
        ants.from_numpy(np.nan_to_num(reference).clip(min=0).astype(np.float32)),
        shrink_factor=2 if min(reference.shape) >= SMALLEST_TO_SHRINK else 1,
    )
    image = nib.Nifti1Image(even.numpy(), affine)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', UserWarning)  # an empty mask is our error below
        mask = compute_epi_mask(image, opening=_opening(affine))
    return _not_empty(np.asarray(mask.dataobj) > 0)


def difference_mask(delta_m: FloatArray, affine: FloatArray) -> NDArray[np.bool_]:
    """Find the head where only differences were given.

    Tissue cancels in a difference, but its fluctuation does not: the root mean square over
    the measurements is larger in the head than in air. Its logarithm has two modes, which
    Otsu's threshold separates (ANTs).

    Parameters
    ----------
    delta_m
        ``(x, y, z, measurement)``.
    affine
        Voxel to world [mm].

    Raises
    ------
    ImageError
        If no voxel stands out from the background.
    """
    power = np.nan_to_num(delta_m.astype(np.float64) ** 2).mean(axis=-1)
    measured = power > 0
    if not measured.any():
        return _not_empty(measured)
    logarithm = np.log(np.where(measured, power, power[measured].min()))
    above = ants.threshold_image(ants.from_numpy(logarithm.astype(np.float32)), 'Otsu', 1)
    opened = ndimage.binary_opening(above.numpy() > 0, iterations=_opening(affine))
    labels, n_components = ndimage.label(opened)
    if not n_components:
        return _not_empty(opened)
    largest = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    slices = [ndimage.binary_fill_holes(part) for part in np.moveaxis(largest, -1, 0)]
    return np.stack(slices, axis=-1)


def _opening(affine: FloatArray) -> int:
    """Return how many voxels a bridge of `BRIDGE_WIDTH` is wide, at least one."""
    voxel_size = np.linalg.norm(affine[:3, :3], axis=0).mean()
    return max(1, round(BRIDGE_WIDTH / float(voxel_size)))


def _not_empty(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if mask.any():
        return mask
    raise ImageError(
        Problem(
            'the reference image',
            'brain mask',
            'empty',
            'a head brighter than its background',
            'Look at the M0 or control image; it may hold nothing but noise.',
        )
    )
