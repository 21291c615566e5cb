"""Rigid head motion between the volumes of a series."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.errors import ImageError
from aslprep_nn.maps import FloatArray
from aslprep_nn.preprocessing.across_contrasts import HEAD_RADIUS, locate, repeat_exactly
from aslprep_nn.preprocessing.brightness import mean_of_present
from aslprep_nn.preprocessing.groupwise import align_alike
from aslprep_nn.preprocessing.label_shift import without_label_shift
from aslprep_nn.preprocessing.mask import brain_mask
from aslprep_nn.preprocessing.resample import resample_series

#: Fewer voxels along an axis leave a movement along it, or a tilt of it, undetermined.
FEWEST_VOXELS = 8

#: Larger voxels [mm] hold several folds of cortex each, and move less than they blur.
LARGEST_VOXEL = 10.0

#: What volumes are to `without_label_shift`.
KINDS = {VolumeType.LABEL: 1, VolumeType.CONTROL: -1}


def estimate_motion(
    volumes: FloatArray,
    reference: FloatArray,
    affine: FloatArray,
    *,
    seed: int,
    groups: Sequence[Hashable] | None = None,
    volume_types: Sequence[VolumeType] | None = None,
) -> FloatArray:
    """Find where the head was in each volume.

    Volumes of one contrast are aligned to each other by least squares (`align_alike`), which
    is far more precise than any comparison between contrasts and lets each of these speak once,
    with the noise of a mean. Of what follows the label in all groups the share that label can
    explain is taken out (`without_label_shift`). The mean of a group is registered to the
    reference by mutual information (`locate`). Where the reference is one of the volumes, those
    of its group are aligned to it directly. All are left alone where `registration_obstacle`
    sees one.

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
    groups
        What volumes of the same contrast share, as a rule their timing; each volume is a group
        of its own when absent.
    volume_types
        What each volume shows; label is not told from motion when absent.

    Returns
    -------
    Rigid transforms ``(volume, 4, 4)`` that take a world point of the reference to the same
    anatomy in the volume, RAS [mm].
    """
    transforms = np.tile(np.eye(4), (volumes.shape[-1], 1, 1))
    if registration_obstacle(reference.shape, affine):
        return transforms
    repeat_exactly(seed)
    brain = _roughly_brain(reference, affine)
    members_of = _members(volumes, groups)
    types = volume_types or (VolumeType.NOT_AVAILABLE,) * len(transforms)
    kinds = np.array([KINDS.get(shown, 0) for shown in types])
    aligned = _align_groups(volumes, members_of, kinds, affine, brain)
    known, reference = _around_reference(volumes, reference, affine, members_of, aligned)
    for members, within in zip(members_of, aligned, strict=True):
        if members[0] in known:
            continue
        earlier = [index for index in known if index < members[0]]
        before = known[max(earlier)] if earlier else np.eye(4)
        mean = _mean_of(volumes[..., members], affine, within)
        position = locate(mean, reference, affine, brain, before)
        known.update(zip(members, within @ position, strict=True))
    transforms[list(known)] = list(known.values())
    return transforms


def _around_reference(
    volumes: FloatArray,
    reference: FloatArray,
    affine: FloatArray,
    members_of: Sequence[Sequence[int]],
    aligned: Sequence[FloatArray],
) -> tuple[dict[int, FloatArray], FloatArray]:
    """Place the group that a reference is of, whose mean has its contrast and less noise.

    Returns
    -------
    Transforms of its volumes, none where the reference is of no group, and the image to locate
    the reference in others by.
    """
    for members, within in zip(members_of, aligned, strict=True):
        for index, transform in zip(members, within, strict=True):
            if np.array_equal(volumes[..., index], reference):
                placed = within @ np.linalg.inv(transform)
                known = dict(zip(members, placed, strict=True)) | {index: np.eye(4)}
                return known, _mean_of(volumes[..., members], affine, placed)
    return {}, reference


def _mean_of(volumes: FloatArray, affine: FloatArray, transforms: FloatArray) -> FloatArray:
    """Average aligned volumes, ``(x, y, z)``; a single one is not interpolated."""
    if volumes.shape[-1] == 1:
        return volumes[..., 0]
    return mean_of_present(resample_series(volumes, affine, transforms)[0])


def _align_groups(
    volumes: FloatArray,
    members_of: Sequence[Sequence[int]],
    kinds: NDArray[np.int_],
    affine: FloatArray,
    brain: NDArray[np.bool_],
) -> list[FloatArray]:
    """Align the volumes of each group to its first, ``(volume, 4, 4)`` for each group."""
    aligned = [
        align_alike(np.moveaxis(np.nan_to_num(volumes[..., members]), -1, 0), affine, brain)
        for members in members_of
    ]
    centre = affine[:3, :3] @ np.argwhere(brain).mean(axis=0) + affine[:3, 3]
    label = _share_of_label(volumes[brain], kinds)
    return without_label_shift(
        aligned, [kinds[list(members)] for members in members_of], centre, label
    )


def _share_of_label(voxels: FloatArray, kinds: NDArray[np.int_]) -> float:
    """Measure what label takes away of the signal of voxels, ``(voxel, volume)``, 0 without it."""
    if not {1, -1} <= set(kinds.tolist()):
        return 0.0
    means = [float(np.nanmean(voxels[:, kinds == kind])) for kind in (1, -1)]
    brightest = max(map(abs, means))
    return abs(means[0] - means[1]) / brightest if brightest else 0.0


def _members(volumes: FloatArray, groups: Sequence[Hashable] | None) -> list[list[int]]:
    """List the volumes of each group; one with missing slices is of none but its own."""
    members: dict[Hashable, list[int]] = {}
    for index, volume in enumerate(np.moveaxis(volumes, -1, 0)):
        alone = groups is None or not np.isfinite(volume).all()
        group = (index,) if alone or groups is None else groups[index]
        members.setdefault(group, []).append(index)
    return list(members.values())


def _roughly_brain(reference: FloatArray, affine: FloatArray) -> NDArray[np.bool_]:
    """Find the brain, or take what is brighter than the mean where none stands out."""
    try:
        return brain_mask(reference, affine)
    except ImageError:
        image = np.nan_to_num(reference)
        return np.asarray(image >= image.mean())


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
