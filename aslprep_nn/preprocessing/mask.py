"""Which voxels are brain."""

from __future__ import annotations

import ants
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, spatial

from aslprep_nn.errors import ImageError, Problem
from aslprep_nn.maps import FloatArray

#: How thin a bridge between scalp and brain may be and still be cut [mm].
BRIDGE_WIDTH = 7.0

#: Signal, relative to the typical one in the head, from which a voxel is brain. More than
#: half, because what lies next to cortex is fluid and meninges rather than air.
BRAIN_LEVEL = 0.65

#: Signal that counts as the brightest [percentile of voxels above the mean]; vessels exceed it.
BRIGHTEST = 99.0

#: The bias field is smooth: it is fitted to every n-th voxel, n at most `COARSEST_SHRINK`, as
#: long as `FEWEST_SHRUNK` remain along each axis.
COARSEST_SHRINK, FEWEST_SHRUNK = 3, 8

#: Share of a mask's voxels that may lie at the edge of the slices; share of its convex hull that a
#: brain fills at least, and voxels of surface from which that can be told.
LARGEST_TOUCH, LEAST_SOLIDITY, FEWEST_SURFACE_VOXELS = 0.01, 0.7, 50


def brain_mask(reference: FloatArray, affine: FloatArray) -> NDArray[np.bool_]:
    """Find the brain in an EPI-like reference image.

    Receive coils make the rim brighter than the centre, so that the scalp can outshine deep
    brain: the bias field is divided out first (N4, Tustison et al. 2010). Otsu's threshold
    then parts head from air; brain is what reaches `BRAIN_LEVEL` of the head's median. Both
    are averages over many voxels, so that noise or rounding cannot make the mask jump.
    Opening cuts the scalp off, and the largest component is kept.

    Parameters
    ----------
    reference
        M0 or mean control, ``(x, y, z)``; NaN is read as air.
    affine
        Voxel to world [mm].

    Raises
    ------
    ImageError
        If no voxel stands out from the background.
    """
    image = _with_contrast(reference)
    even = _without_bias(image / np.percentile(image[image > image.mean()], BRIGHTEST))
    head = _above_otsu(even)
    if not head.any():
        return _not_empty(head)
    return _solid_part(even > BRAIN_LEVEL * np.median(even[head]), affine)


def _with_contrast(reference: FloatArray) -> FloatArray:
    """Read NaN and what is negative as air; refuse an image that is the same everywhere."""
    image = np.nan_to_num(reference).clip(min=0)
    _not_empty(np.full(reference.shape, bool(np.ptp(image))))
    return image


def body_mask(reference: FloatArray) -> NDArray[np.bool_]:
    """Find everything that is not air: the voxels of an abdomen, whatever organs it holds.

    No organ is larger, brighter or more connected than the others here: Otsu's threshold on the
    logarithm parts tissue, dim as it may be far from the coil, from air.

    Parameters
    ----------
    reference
        M0 or mean control, ``(x, y, z)``; NaN is read as air.

    Raises
    ------
    ImageError
        If no voxel stands out from the background.
    """
    image = _with_contrast(reference)
    floor = image[image > 0].min()
    return _not_empty(_above_otsu(np.log(image.clip(min=floor))))


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
    return _solid_part(_above_otsu(logarithm), affine)


def mask_doubts(mask: NDArray[np.bool_], affine: FloatArray) -> tuple[str, ...]:
    """Say what about a mask is unlike a brain, for people to look at it.

    Parameters
    ----------
    mask
        ``(x, y, z)``.
    affine
        Voxel to world [mm].

    Returns
    -------
    Sentences; none for a mask that could be a brain. A brain fills most of its convex hull,
    and the field of view ends in its own plane rarely at the brain.
    """
    doubts = []
    edges = [mask[[0, -1]].sum(), mask[:, [0, -1]].sum()]
    touching = sum(int(n) for n in edges) / max(int(mask.sum()), 1)
    if touching > LARGEST_TOUCH:
        doubts.append(
            f'The brain mask runs into the edge of its slices with {touching:.1%} of its voxels: '
            'the head is cut off, or the mask holds background. Look at it, or supply one '
            'with --mask.'
        )
    filled = _solidity(mask, affine)
    if filled < LEAST_SOLIDITY:
        doubts.append(
            f'The brain mask fills {filled:.0%} of its convex hull; a brain fills more than '
            f'{LEAST_SOLIDITY:.0%}. Look at it, or supply one with --mask.'
        )
    return tuple(doubts)


def _solidity(mask: NDArray[np.bool_], affine: FloatArray) -> float:
    """Return which part of its convex hull a mask fills; 1 where it is flat."""
    surface = np.argwhere(mask & ~ndimage.binary_erosion(mask))
    corners = (surface[:, None] + np.array([[-0.5] * 3, [0.5] * 3])).reshape(-1, 3)
    if len(surface) < FEWEST_SURFACE_VOXELS or not np.ptp(surface, axis=0).all():
        return 1.0
    hull = spatial.ConvexHull(corners @ affine[:3, :3].T)
    voxel = abs(float(np.linalg.det(affine[:3, :3])))
    return float(mask.sum() * voxel / hull.volume)


def _without_bias(image: FloatArray) -> FloatArray:
    """Divide the receive field out of an image whose brightest tissue is about 1.

    The field is fitted in the head alone: N4 works on logarithms, for which a zero in the air
    and a 1e-15 are worlds apart.
    """
    clipped = image.clip(max=1)
    even = ants.n4_bias_field_correction(
        ants.from_numpy(clipped.astype(np.float32)),
        mask=ants.from_numpy(_above_otsu(clipped).astype(np.float32)),
        shrink_factor=min(max(1, min(image.shape) // FEWEST_SHRUNK), COARSEST_SHRINK),
    )
    return np.asarray(even.numpy())


def _above_otsu(image: FloatArray) -> NDArray[np.bool_]:
    """Tell the brighter of two classes of voxels."""
    classes = ants.threshold_image(ants.from_numpy(image.astype(np.float32)), 'Otsu', 1)
    return np.asarray(classes.numpy() > 0)


def _solid_part(above: NDArray[np.bool_], affine: FloatArray) -> NDArray[np.bool_]:
    """Return the largest part that no thin bridge holds together, holes in slices filled."""
    opened = ndimage.binary_opening(above, iterations=_opening(affine))
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
