"""M0 without noise, without blurring it with what is not brain, and without holes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from aslprep_nn.maps import FloatArray

#: How far into the unknown M0 may be continued [mm]: its tissue differs by a third at most, and
#: the receive field hardly changes over such a distance.
REACH = 12.0

FWHM_PER_SIGMA = float(np.sqrt(8 * np.log(2)))


def smooth_within(
    image: FloatArray, mask: NDArray[np.bool_], affine: FloatArray, fwhm: float
) -> FloatArray:
    """Smooth an image inside a mask as if nothing existed outside.

    Both the image and the mask are smoothed and divided by each other (Knutsson & Westin 1993,
    normalised convolution): a plain filter would draw the darkness around the brain into its
    rim and make CBF too high there.

    Parameters
    ----------
    image
        ``(x, y, z)``; NaN counts as outside.
    mask
        Where it may be averaged, ``(x, y, z)``.
    affine
        Voxel to world [mm].
    fwhm
        Width of the Gaussian at half height [mm]; 0 leaves the image as it is.

    Returns
    -------
    ``(x, y, z)``, the image itself outside the mask.
    """
    if fwhm <= 0:
        return image
    known = mask & np.isfinite(image)
    sigma = fwhm / FWHM_PER_SIGMA / np.linalg.norm(affine[:3, :3], axis=0)
    weight = ndimage.gaussian_filter(known.astype(np.float64), sigma, mode='constant')
    total = ndimage.gaussian_filter(np.where(known, image, 0.0), sigma, mode='constant')
    return np.where(known, total / np.where(known, weight, 1), image)


def fill_holes(m0: FloatArray, mask: NDArray[np.bool_], affine: FloatArray) -> FloatArray:
    """Continue M0 to the brain voxels where it was not measured, from the nearest that were.

    A separate M0 may end before the series does, or its interpolation may lack a neighbour at
    the rim. Voxels with a signal keep it however small it is: at an edge or in a dropout delta M
    is as small, and their ratio is right.

    Parameters
    ----------
    m0
        ``(x, y, z)``.
    mask
        The brain.
    affine
        Voxel to world [mm].

    Returns
    -------
    M0 ``(x, y, z)``; still NaN in voxels farther than `REACH` from any measured one.
    """
    known = mask & np.isfinite(m0) & (m0 > 0)
    if not known.any() or not (mask & ~known).any():
        return m0
    sampling = np.linalg.norm(affine[:3, :3], axis=0)
    distance, nearest = ndimage.distance_transform_edt(
        ~known, sampling=sampling, return_indices=True
    )
    filled = np.where(distance <= REACH, m0[tuple(nearest)], np.nan)
    return np.where(mask & ~known, filled, m0)
