"""Aligning an image to a reference of another contrast."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import ants
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from aslprep_nn.maps import FloatArray
from aslprep_nn.preprocessing.resample import resample_volume

#: From RAS, where NIfTI and this package live, to LPS, where ITK lives; its own inverse.
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

#: Distance from the head's centre to the cortex (Power et al. 2012) [mm].
HEAD_RADIUS = 50.0

#: Of the images compared, before comparing: interpolation must not look like agreement [voxels].
SMOOTHING = 1.0

#: Bins of the joint histogram along each axis, and the percentile that fills the last of them.
HISTOGRAM_BINS, HISTOGRAM_TOP = 32, 99.5

#: Standard deviation of the kernel that tells shading from anatomy [mm], and the share of it that
#: must lie in the brain.
SHADING, LEAST_SHARE = 20.0, 0.15

#: How often shading is divided out: once leaves a part of it at the ends of the slices, where the
#: kernel sees one side only.
EVENINGS = 3

#: Edge of the blocks of voxels that speak for themselves [mm], and by how many standard errors of
#: their mean a position must agree better than no motion.
BLOCK, SURELY = 15.0, 2.0

#: Shading is divided out once more where the head turns out to lie further than this from where it
#: was thought to be [mm], at most so many times.
NEAR, ATTEMPTS = 1.0, 3


class Moves(StrEnum):
    """How far, and in which ways, a registration may move an image; the words of ANTs."""

    LITTLE = 'BOLDRigid'
    RIGIDLY = 'Rigid'
    AFFINELY = 'Affine'


def repeat_exactly(seed: int) -> None:
    """Let ANTs use one thread and a seed, so that its results repeat exactly.

    ANTs takes a seed of 0 for the time of day; 1 stands in for it.
    """
    ants.config.set_ants_deterministic(on=True, seed_value=seed or 1)


def voxels_across(length: float, affine: FloatArray) -> NDArray[np.int_]:
    """Return how many voxels a length [mm] is along each axis, at least one, ``(3,)``."""
    n_voxels = np.round(length / np.linalg.norm(affine[:3, :3], axis=0))
    return np.asarray(n_voxels.clip(min=1).astype(int))


def locate(
    image: FloatArray,
    reference: FloatArray,
    affine: FloatArray,
    brain: NDArray[np.bool_],
    before: FloatArray,
) -> FloatArray:
    """Find the reference in an image by mutual information (Avants et al. 2011).

    Correlation-like costs fail where background suppression changes the contrast; mutual
    information does not. What is found is believed only where it agrees better with the
    reference than the position before, and surely better than no motion: what a registration
    scatters about a still head is larger than what still heads move.

    Parameters
    ----------
    image, reference
        ``(x, y, z)`` on one grid; NaN is ignored.
    affine
        Voxel to world of both, RAS [mm].
    brain
        Where the brain is in the reference.
    before
        Where the head was last, ``(4, 4)`` [mm].

    Returns
    -------
    The reference-to-image transform, world to world, RAS [mm].
    """
    centre = np.append(np.argwhere(brain).mean(axis=0), 1) if brain.any() else np.zeros(4)
    position = before
    for _ in range(ATTEMPTS):
        even = evened(image, reference, affine, brain, position)
        found = register(reference, even, affine)
        moved, position = found - position, found
        if _displacement(moved, affine @ centre) < NEAR:
            break
    return _best_position([np.eye(4), before, found], even, reference, affine)


def _displacement(difference: FloatArray, centre: FloatArray) -> float:
    """Bound how far the difference of two positions takes the brain [mm]."""
    turned = HEAD_RADIUS * float(np.linalg.norm(difference[:3, :3], ord=2))
    return float(np.linalg.norm((difference @ centre)[:3])) + turned


def evened(
    image: FloatArray,
    reference: FloatArray,
    affine: FloatArray,
    brain: NDArray[np.bool_],
    position: FloatArray,
) -> FloatArray:
    """Divide what is smooth in the ratio of an image to the reference out of the image.

    Parameters
    ----------
    image, reference
        ``(x, y, z)``.
    affine
        Voxel to world of both, RAS [mm].
    brain
        Where the ratio is taken, in the reference; beyond it, that of the nearest brain holds.
    position
        Where the reference roughly is in the image, ``(4, 4)`` [mm].

    Returns
    -------
    The image with the reference's shading, NaN where either is.
    """
    back = np.linalg.inv(position)
    grid = image.shape[:3]
    moved = resample_volume(reference, affine, grid, affine, back)
    inside = resample_volume(brain.astype(np.float64), affine, grid, affine, back) > 0.5
    inside &= np.isfinite(image) & np.isfinite(moved)
    if not inside.any():
        return image
    sigma = SHADING / np.linalg.norm(affine[:3, :3], axis=0)
    blurred = [
        ndimage.gaussian_filter(np.where(inside, values, 0.0), sigma)
        for values in (np.ones(grid), moved)
    ]
    told = (blurred[0] > LEAST_SHARE) & (blurred[1] > 0)
    nearest = ndimage.distance_transform_edt(~told, return_distances=False, return_indices=True)
    even = image
    for _ in range(EVENINGS):
        brightness = ndimage.gaussian_filter(np.where(inside, even, 0.0), sigma)
        ratio = np.where(told, brightness, 1) / np.where(told, blurred[1], 1)
        even = even / np.where(ratio > 0, ratio, 1)[tuple(nearest)]
    return np.asarray(even)


def _best_position(
    positions: Sequence[FloatArray], volume: FloatArray, reference: FloatArray, affine: FloatArray
) -> FloatArray:
    """Return the position at which the volume agrees best, the first where none surely does.

    All are compared where all see the head, and by the same measure. How much of a gain is
    chance shows in how it varies between blocks of voxels.
    """
    seen = [
        resample_volume(volume, affine, reference.shape[:3], affine, position)
        for position in positions
    ]
    common = np.asarray(np.isfinite([reference, *seen]).all(axis=0))
    if not common.any():
        return positions[0]
    fixed, *moved = (
        ndimage.gaussian_filter(np.where(common, image, 0), SMOOTHING)[common]
        for image in (reference, *seen)
    )
    agreement = np.stack([mutual_information(fixed, image) for image in moved])
    best = int(np.argmax(agreement.mean(axis=1)))
    gain = agreement[best] - agreement[0]
    in_blocks = np.bincount(_block_of(common, affine), gain)
    chance = float(np.sqrt(len(in_blocks)) * in_blocks.std())
    return positions[best if gain.sum() > SURELY * chance else 0]


def _block_of(voxels: NDArray[np.bool_], affine: FloatArray) -> NDArray[np.int_]:
    """Number the blocks that voxels lie in, from 0, ``(voxel,)``."""
    corners = np.argwhere(voxels) // voxels_across(BLOCK, affine)
    numbers = np.unique(corners, axis=0, return_inverse=True)[1]
    return np.asarray(numbers.ravel())


def mutual_information(one: FloatArray, other: FloatArray) -> FloatArray:
    """Return what the value of a voxel in one image says of that in the other, ``(voxel,)`` [nat].

    The mean is the mutual information of the images.
    """
    x, y = (_histogram_bin(values) for values in (one, other))
    counts = np.bincount(x * HISTOGRAM_BINS + y, minlength=HISTOGRAM_BINS**2)
    joint = counts.reshape(HISTOGRAM_BINS, HISTOGRAM_BINS) / len(x)
    apart = joint.sum(axis=1)[x] * joint.sum(axis=0)[y]
    return np.asarray(np.log(joint[x, y] / apart))


def _histogram_bin(values: FloatArray) -> NDArray[np.int_]:
    """Assign voxels to bins of equal width, the brightest few to the last."""
    clipped = np.minimum(values, np.percentile(values, HISTOGRAM_TOP))
    edges = np.linspace(clipped.min(), clipped.max(), HISTOGRAM_BINS + 1)[1:-1]
    return np.searchsorted(edges, clipped, side='right')


def register(
    reference: FloatArray,
    volume: FloatArray,
    affine: FloatArray,
    *,
    volume_affine: FloatArray | None = None,
    start: FloatArray | None = None,
    moves: Moves = Moves.LITTLE,
) -> FloatArray:
    """Register a volume to a reference by mutual information, with settings that ANTs has.

    Parameters
    ----------
    reference, volume
        ``(x, y, z)``; NaN is ignored.
    affine
        Voxel to world of the reference, RAS [mm].
    volume_affine
        Voxel to world of the volume; that of the reference when absent.
    start
        The rigid transform to begin with, ``(4, 4)`` [mm]; the identity when absent.
    moves
        What may be changed: as functional series need it, when absent.

    Returns
    -------
    The reference-to-volume transform, world to world, RAS [mm], ``(4, 4)``.
    """
    begin = np.eye(4) if start is None else start
    moved = np.linalg.inv(begin) @ (affine if volume_affine is None else volume_affine)
    masks: dict[str, ants.ANTsImage] = {}
    if not (np.isfinite(reference).all() and np.isfinite(volume).all()):
        masks['mask'] = _to_ants(np.isfinite(reference).astype(np.float32), affine)
        masks['moving_mask'] = _to_ants(np.isfinite(volume).astype(np.float32), moved)
    with tempfile.TemporaryDirectory(prefix='motion-') as folder:
        found = ants.registration(
            _to_ants(reference, affine),
            _to_ants(volume, moved),
            **masks,
            type_of_transform=moves.value,
            initial_transform='Identity',
            outprefix=str(Path(folder) / 'volume-'),
        )
        linear = ants.read_transform(found['fwdtransforms'][0])
        origin = np.array(linear.apply_to_point((0.0, 0.0, 0.0)))
        axes = [np.array(linear.apply_to_point(tuple(unit))) - origin for unit in np.eye(3)]
    lps = np.eye(4)
    lps[:3, :3] = np.column_stack(axes)
    lps[:3, 3] = origin
    return np.asarray(begin @ RAS_TO_LPS @ lps @ RAS_TO_LPS)


def _to_ants(volume: FloatArray, affine: FloatArray) -> ants.ANTsImage:
    lps = RAS_TO_LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    return ants.from_numpy(
        np.nan_to_num(volume).astype(np.float32),
        origin=tuple(lps[:3, 3]),
        spacing=tuple(spacing),
        direction=lps[:3, :3] / spacing,
    )
