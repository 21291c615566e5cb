"""Rigid head motion between the volumes of a series."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import ants
import numpy as np
from numpy.typing import NDArray

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.maps import FloatArray

#: From RAS, where NIfTI and this package live, to LPS, where ITK lives; its own inverse.
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

#: Distance from the head's centre to the cortex (Power et al. 2012) [mm].
HEAD_RADIUS = 50.0


def estimate_motion(
    volumes: FloatArray,
    reference: FloatArray,
    affine: FloatArray,
    *,
    seed: int,
) -> FloatArray:
    """Find where the head was in each volume.

    Every volume is registered on its own to the reference by mutual information (Avants et al.
    2011). Correlation-like costs fail where background suppression changes the contrast
    between delays; mutual information does not. A volume equal to the reference is left alone.

    Parameters
    ----------
    volumes
        ``(x, y, z, volume)``.
    reference
        The image to align to, on the grid of the volumes, ``(x, y, z)``.
    affine
        Voxel to world of both, RAS [mm].
    seed
        Of the metric's sampling. With it one thread is used, and results repeat exactly.

    Returns
    -------
    Rigid transforms ``(volume, 4, 4)`` that take a world point of the reference to the same
    anatomy in the volume, RAS [mm].
    """
    ants.config.set_ants_deterministic(on=True, seed_value=seed)
    fixed = _to_ants(reference, affine)
    transforms = np.tile(np.eye(4), (volumes.shape[-1], 1, 1))
    for index in range(volumes.shape[-1]):
        if not np.array_equal(volumes[..., index], reference):
            transforms[index] = _register(fixed, _to_ants(volumes[..., index], affine))
    return transforms


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


def _register(fixed: ants.ANTsImage, moving: ants.ANTsImage) -> FloatArray:
    """Return the reference-to-moving transform, world to world, RAS."""
    with tempfile.TemporaryDirectory(prefix='motion-') as folder:
        found = ants.registration(
            fixed,
            moving,
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
