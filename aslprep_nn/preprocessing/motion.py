"""Rigid head motion between the volumes of a series."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import ants
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.maps import FloatArray
from aslprep_nn.preprocessing.resample import resample_volume

#: From RAS, where NIfTI and this package live, to LPS, where ITK lives; its own inverse.
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

#: Distance from the head's centre to the cortex (Power et al. 2012) [mm].
HEAD_RADIUS = 50.0

#: Fewer voxels along an axis leave a movement along it, or a tilt of it, undetermined.
FEWEST_VOXELS = 8

#: Larger voxels [mm] hold several folds of cortex each, and move less than they blur.
LARGEST_VOXEL = 10.0

#: Of the images compared, before comparing: interpolation must not look like agreement [voxels].
SMOOTHING = 1.0

#: Bins of the joint histogram along each axis, and the percentile that fills the last of them.
HISTOGRAM_BINS, HISTOGRAM_TOP = 32, 99.5


def estimate_motion(
    volumes: FloatArray,
    reference: FloatArray,
    affine: FloatArray,
    *,
    seed: int,
) -> FloatArray:
    """Find where the head was in each volume.

    Every volume is registered to the reference by mutual information (Avants et al. 2011).
    Correlation-like costs fail where background suppression changes the contrast between
    delays; mutual information does not. A registration is believed only where it agrees better
    with the reference than both no motion and the position of the volume before: what a
    registration scatters about a still head is larger than what still heads move. A volume
    equal to the reference is left alone, and so are all where `registration_obstacle` sees one.

    Parameters
    ----------
    volumes
        ``(x, y, z, volume)``; NaN is ignored.
    reference
        The image to align to, on the grid of the volumes, ``(x, y, z)``; NaN is ignored.
    affine
        Voxel to world of both, RAS [mm].
    seed
        Of the metric's sampling. With it one thread is used, and results repeat exactly.

    Returns
    -------
    Rigid transforms ``(volume, 4, 4)`` that take a world point of the reference to the same
    anatomy in the volume, RAS [mm].
    """
    transforms = np.tile(np.eye(4), (volumes.shape[-1], 1, 1))
    if registration_obstacle(reference.shape, affine):
        return transforms
    ants.config.set_ants_deterministic(on=True, seed_value=seed)
    before: FloatArray = np.eye(4)
    for index, volume in enumerate(np.moveaxis(volumes, -1, 0)):
        if np.array_equal(volume, reference):
            continue
        found = _register(reference, volume, affine)
        before = _best_position([np.eye(4), before, found], volume, reference, affine)
        transforms[index] = before
    return transforms


def registration_obstacle(shape: tuple[int, ...], affine: FloatArray) -> str:
    """Say why volumes of a grid cannot be registered.

    Parameters
    ----------
    shape
        Voxels along each axis, ``(x, y, z)`` first.
    affine
        Voxel to world [mm].

    Returns
    -------
    A sentence for the user, empty where nothing stands in the way.
    """
    fewest = min(shape[:3])
    largest = float(np.linalg.norm(affine[:3, :3], axis=0).max())
    if fewest < FEWEST_VOXELS:
        return (
            f'Head motion was not corrected: {fewest} slices are too few to tell how the head '
            f'moved across them; at least {FEWEST_VOXELS} are needed.'
        )
    if largest > LARGEST_VOXEL:
        return (
            f'Head motion was not corrected: voxels of {largest:.1f} mm are too large to tell '
            f'where the head is; at most {LARGEST_VOXEL:g} mm are needed.'
        )
    return ''


def motion_parameters(transforms: FloatArray) -> FloatArray:
    """Write rigid transforms as three translations and three rotations.

    Parameters
    ----------
    transforms
        ``(volume, 4, 4)`` [mm].

    Returns
    -------
    ``(volume, 6)``: translations along x, y, z [mm], then rotations about x, y, z [rad], of
    R = Rz Ry Rx.
    """
    rotation = transforms[:, :3, :3]
    about_x = np.arctan2(rotation[:, 2, 1], rotation[:, 2, 2])
    about_y = np.arcsin(np.clip(-rotation[:, 2, 0], -1, 1))
    about_z = np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0])
    return np.column_stack([transforms[:, :3, 3], about_x, about_y, about_z])


def framewise_displacement(
    parameters: FloatArray, volume_types: Sequence[VolumeType]
) -> NDArray[np.floating]:
    """Sum how far the head moved since the previous volume of the same type.

    Comparing a label only with the label before it keeps the contrast between label and
    control, which registration can mistake for motion, out of the number.

    Parameters
    ----------
    parameters
        Of `motion_parameters`, ``(volume, 6)``.
    volume_types
        What each volume shows.

    Returns
    -------
    Framewise displacement (Power et al. 2012), rotations at `HEAD_RADIUS`, ``(volume,)``
    [mm]; NaN for the first volume of each type.
    """
    weights = np.array([1, 1, 1, HEAD_RADIUS, HEAD_RADIUS, HEAD_RADIUS])
    displacement = np.full(len(parameters), np.nan)
    types = np.array(volume_types)
    for volume_type in dict.fromkeys(volume_types):
        indices = np.flatnonzero(types == volume_type)
        steps = np.abs(np.diff(parameters[indices], axis=0)) @ weights
        displacement[indices[1:]] = steps
    return displacement


def _best_position(
    positions: Sequence[FloatArray], volume: FloatArray, reference: FloatArray, affine: FloatArray
) -> FloatArray:
    """Return the position at which the volume agrees best, the first of equals.

    All are compared where all see the head, and by the same measure.
    """
    seen = [
        resample_volume(volume, affine, reference.shape[:3], affine, position)
        for position in positions
    ]
    common = np.isfinite([reference, *seen]).all(axis=0)
    if not common.any():
        return positions[0]
    fixed, *moved = (
        ndimage.gaussian_filter(np.where(common, image, 0), SMOOTHING)[common]
        for image in (reference, *seen)
    )
    return positions[int(np.argmax([_mutual_information(fixed, image) for image in moved]))]


def _mutual_information(one: FloatArray, other: FloatArray) -> float:
    """Return the mutual information of two lists of voxel values [nat]."""
    x, y = (np.minimum(values, np.percentile(values, HISTOGRAM_TOP)) for values in (one, other))
    counts = np.histogram2d(x, y, bins=HISTOGRAM_BINS)[0]
    joint = counts / counts.sum()
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    filled = joint > 0
    return float((joint[filled] * np.log(joint[filled] / independent[filled])).sum())


def _register(reference: FloatArray, volume: FloatArray, affine: FloatArray) -> FloatArray:
    """Return the reference-to-volume transform, world to world, RAS."""
    masks: dict[str, ants.ANTsImage] = {}
    if not np.isfinite([reference, volume]).all():
        masks['mask'] = _to_ants(np.isfinite(reference).astype(np.float32), affine)
        masks['moving_mask'] = _to_ants(np.isfinite(volume).astype(np.float32), affine)
    with tempfile.TemporaryDirectory(prefix='motion-') as folder:
        found = ants.registration(
            _to_ants(reference, affine),
            _to_ants(volume, affine),
            **masks,
            type_of_transform='BOLDRigid',
            initial_transform='Identity',
            outprefix=str(Path(folder) / 'volume-'),
        )
        rigid = ants.read_transform(found['fwdtransforms'][0])
        origin = np.array(rigid.apply_to_point((0.0, 0.0, 0.0)))
        axes = [np.array(rigid.apply_to_point(tuple(unit))) - origin for unit in np.eye(3)]
    lps = np.eye(4)
    lps[:3, :3] = np.column_stack(axes)
    lps[:3, 3] = origin
    return np.asarray(RAS_TO_LPS @ lps @ RAS_TO_LPS)


def _to_ants(volume: FloatArray, affine: FloatArray) -> ants.ANTsImage:
    lps = RAS_TO_LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    return ants.from_numpy(
        np.nan_to_num(volume).astype(np.float32),
        origin=tuple(lps[:3, 3]),
        spacing=tuple(spacing),
        direction=lps[:3, :3] / spacing,
    )
