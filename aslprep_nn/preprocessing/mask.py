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

#: Signal, relative to that of brain nearby, from which a voxel is brain. More than half, because
#: what lies next to cortex is fluid and meninges rather than air.
BRAIN_LEVEL = 0.72

#: Signal that counts as the brightest [percentile of voxels above the mean], which vessels exceed,
#: and the share of it below which all is air alike.
BRIGHTEST, DARKEST = 99.0, 0.02

#: How deep under the surface of a head is surely brain: so far, and so far relative to the deepest
#: [mm, 1].
DEEP, DEEP_SHARE = 20.0, 0.6

#: Standard deviation of the kernel that tells how bright brain is nearby, in slices and across
#: them: suppressed slices recover one after the other [mm].
NEARBY = (15.0, 15.0, 5.0)

#: Weight of that kernel on what is surely brain from which it tells anything [1].
LEAST_WEIGHT = 1e-3

#: Share of a mask's voxels that may lie at the edge of the slices; share of its convex hull that a
#: brain fills at least, and voxels of surface from which that can be told.
LARGEST_TOUCH, LEAST_SOLIDITY, FEWEST_SURFACE_VOXELS = 0.01, 0.7, 50


def brain_mask(reference: FloatArray, affine: FloatArray) -> NDArray[np.bool_]:
    """Find the brain in an EPI-like reference image.

    Receive coils make the rim brighter than the centre, and background suppression leaves slices,
    fluid and scalp of any brightness: what is bright says little. But what lies deep in a head is
    brain. Its brightness, smoothed and continued outwards, is the bias field and the brightness
    of brain in one; brain is what reaches `BRAIN_LEVEL` of it. Both are averages over many
    voxels, so that noise or rounding cannot make the mask jump. Opening cuts the scalp off, and
    the largest component is kept.

    Parameters
    ----------
    reference
        M0 or mean control, ``(x, y, z)``, slices along z; NaN is read as air.
    affine
        Voxel to world [mm].

    Raises
    ------
    ImageError
        If no voxel stands out from the background.
    """
    image = _with_contrast(reference)
    image = (image / np.percentile(image[image > image.mean()], BRIGHTEST)).clip(max=1)
    head = _solid_part(_above_otsu(np.log(image.clip(min=DARKEST))), affine)
    return _solid_part(head & (image > BRAIN_LEVEL * _brain_nearby(image, head, affine)), affine)


def _brain_nearby(image: FloatArray, head: NDArray[np.bool_], affine: FloatArray) -> FloatArray:
    """Tell how bright brain is around each voxel, from what lies deep in the head.

    A head ends at the edge of its slices, but goes on below and above them.
    """
    voxel_size = np.linalg.norm(affine[:3, :3], axis=0)
    in_air = np.pad(head, ((1, 1), (1, 1), (0, 0)))
    depth = ndimage.distance_transform_edt(in_air, sampling=voxel_size)[1:-1, 1:-1]
    deep = depth > min(DEEP, DEEP_SHARE * depth.max())
    sigma = NEARBY / voxel_size
    weight, brightness = (
        ndimage.gaussian_filter(values, sigma) for values in (deep.astype(float), image * deep)
    )
    told = weight > LEAST_WEIGHT
    nearest = ndimage.distance_transform_edt(
        ~told, sampling=voxel_size, return_distances=False, return_indices=True
    )
    level = brightness / np.maximum(weight, LEAST_WEIGHT)
    return np.asarray(level[tuple(nearest)])


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


def _above_otsu(image: FloatArray) -> NDArray[np.bool_]:
    """Tell the brighter of two classes of voxels."""
    classes = ants.threshold_image(ants.from_numpy(image.astype(np.float32)), 'Otsu', 1)
    return np.asarray(classes.numpy() > 0)


def _solid_part(above: NDArray[np.bool_], affine: FloatArray) -> NDArray[np.bool_]:
    """Return the largest part that no thin bridge holds together, holes in slices filled.

    A head goes on above and below its slices, so that few of them are not opened away.
    """
    width = _opening(affine)
    continued = np.pad(above, ((0, 0), (0, 0), (width, width)), mode='edge')
    opened = ndimage.binary_opening(continued, iterations=width)[..., width:-width]
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
