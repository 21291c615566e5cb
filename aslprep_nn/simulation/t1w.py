"""The T1-weighted image of a simulated head: what lies around a brain is in it, too."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from aslprep_nn.maps import FloatArray
from aslprep_nn.simulation.anatomy import CSF_RIM, SKULL_RIM, VOXEL_SIZE, smooth_random_field
from aslprep_nn.simulation.phantom import Phantom

#: Of grey and white matter, fluid, scalp and bone, white matter being 1.
BRIGHTNESS = (0.65, 1.0, 0.25, 1.1, 0.05)
#: How much the receive coil varies, over what length [mm], and the noise [1].
COIL_VARIATION, COIL_WIDTH, NOISE = 0.25, 40.0, 0.05
#: How far below the head the neck goes on, its radius, and the texture of its muscles [mm].
NECK, NECK_RADIUS, NECK_TEXTURE = 100.0, 60.0, 6.0
#: White matter in scanner units.
SCANNER_UNIT = 600.0


def t1w_image(phantom: Phantom, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Image a head with its neck, which draws the centre of the image away from the brain.

    Parameters
    ----------
    phantom
        Whom to image.
    rng
        Of coil, neck and noise.

    Returns
    -------
    The magnitude, ``(x, y, z)`` [scanner units], and its voxel to world in the scanner, RAS [mm].
    """
    anatomy = phantom.anatomy
    distance = ndimage.distance_transform_edt(anatomy.brain < 0.5) * VOXEL_SIZE
    bone = (distance > CSF_RIM) & (distance <= SKULL_RIM)
    tissues = (anatomy.gray_matter, anatomy.white_matter, anatomy.csf, anatomy.scalp, bone)
    head = np.tensordot(BRIGHTNESS, np.stack(tissues), axes=1)
    n_below = round(NECK / VOXEL_SIZE)
    whole = _with_neck(np.pad(head, ((0, 0), (0, 0), (n_below, 0))), n_below, rng)
    coil = 1 + COIL_VARIATION * smooth_random_field(whole.shape, COIL_WIDTH, rng)
    noise = NOISE * rng.standard_normal((2, *whole.shape))
    magnitude = np.hypot(whole * coil.clip(0.1) + noise[0], noise[1])
    lower = np.eye(4)
    lower[2, 3] = -n_below
    return (SCANNER_UNIT * magnitude).astype(np.float32), phantom.affine @ lower


def _with_neck(image: FloatArray, n_below: int, rng: np.random.Generator) -> FloatArray:
    """Fill a cylinder below the middle of a head, up to its skull base, with muscle."""
    x, y, z = np.indices(image.shape, sparse=True)
    radius = np.hypot(x - image.shape[0] / 2, y - image.shape[1] / 2) * VOXEL_SIZE
    muscle = 0.6 + 0.15 * smooth_random_field(image.shape, NECK_TEXTURE, rng)
    is_neck = (radius < NECK_RADIUS) & (z < n_below + image.shape[2] // 8) & (image < 0.01)
    return np.where(is_neck, muscle.clip(0.1), image)
