"""A head to image: tissue fractions from nilearn's bundled template, and a rim around them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np
from nilearn.datasets import (
    load_mni152_brain_mask,
    load_mni152_gm_template,
    load_mni152_wm_template,
)
from numpy.typing import NDArray
from scipy import ndimage

from aslprep_nn.maps import FloatArray

VOXEL_SIZE = 2.0
#: Averaging many brains blurs their cortex; probabilities to this power are near one brain's.
SHARPENING = 4
MARGIN = 24.0
#: Distance from the brain at which cerebrospinal fluid, skull and scalp end [mm].
CSF_RIM, SKULL_RIM, SCALP_RIM = 3.0, 10.0, 16.0
#: How far apart two points must be to deform differently, and by how much they do [mm].
DEFORMATION_WIDTH, DEFORMATION = 18.0, 2.5


@dataclass(frozen=True)
class Anatomy:
    """What fills each voxel of a head, on a grid much finer than any ASL image.

    Parameters
    ----------
    gray_matter, white_matter, csf, scalp
        Fractions of the voxel, ``(x, y, z)`` [1]; the rest is skull or air.
    brain
        Fraction inside the brain, ventricles included, ``(x, y, z)`` [1].
    affine
        Voxel to world, RAS [mm], axis-aligned and isotropic (`VOXEL_SIZE`).
    """

    gray_matter: FloatArray
    white_matter: FloatArray
    csf: FloatArray
    scalp: FloatArray
    brain: FloatArray
    affine: FloatArray

    @property
    def coordinates(self) -> FloatArray:
        """World coordinates of the voxels, ``(3, x, y, z)`` [mm]."""
        indices = np.indices(self.brain.shape, dtype=np.float32)
        return indices * VOXEL_SIZE + self.affine[:3, 3, None, None, None]


@lru_cache(maxsize=1)
def template_anatomy() -> Anatomy:
    """Read the template that nilearn ships and put a head around it.

    The maps are exactly symmetric: their space is MNI152NLin2009aSym (Fonov et al. 2011).
    Fractions are averaged from 1 mm voxels, so partial volume is kept. The template has no
    skull; concentric rims of fluid, bone and scalp stand in for it, because registration and
    masking of real images have to cope with what surrounds the brain.
    """
    mask_image = load_mni152_brain_mask(resolution=1, threshold=0.2)
    brain = ndimage.binary_fill_holes(mask_image.get_fdata() > 0).astype(np.float32)
    gray, white = (
        load(resolution=1).get_fdata(dtype=np.float32)
        for load in (load_mni152_gm_template, load_mni152_wm_template)
    )
    fluid = np.clip(1 - gray - white, 0, 1)
    powers = np.stack([gray, white, fluid]) ** SHARPENING
    gray, white, fluid = brain * powers / powers.sum(axis=0)
    gray, white, fluid, brain = (_coarsen(values) for values in (gray, white, fluid, brain))
    distance = ndimage.distance_transform_edt(brain < 0.5) * VOXEL_SIZE
    fluid = np.where(distance <= CSF_RIM, 1 - gray - white, fluid)
    scalp = (distance > SKULL_RIM) & (distance <= SCALP_RIM)
    affine = np.diag([VOXEL_SIZE, VOXEL_SIZE, VOXEL_SIZE, 1.0])
    affine[:3, 3] = mask_image.affine[:3, 3] + (VOXEL_SIZE - 1) / 2 - MARGIN
    return Anatomy(gray, white, fluid.astype(np.float32), scalp.astype(np.float32), brain, affine)


def individual_anatomy(rng: np.random.Generator) -> Anatomy:
    """Bend the template smoothly, so that subjects differ and no brain is symmetric."""
    template = template_anatomy()
    shape = template.brain.shape
    displacement = DEFORMATION * np.stack(
        [smooth_random_field(shape, DEFORMATION_WIDTH, rng) for _ in shape]
    )
    where = np.indices(shape, dtype=np.float32) + displacement / VOXEL_SIZE
    bent = {
        field.name: ndimage.map_coordinates(
            getattr(template, field.name), where, np.float32, order=1
        )
        for field in fields(Anatomy)
        if field.name != 'affine'
    }
    return replace(template, **bent)


def smooth_random_field(
    shape: tuple[int, ...], width: float, rng: np.random.Generator
) -> FloatArray:
    """Draw a Gaussian random field of zero mean and unit variance.

    Parameters
    ----------
    shape
        Of the field, in voxels of `VOXEL_SIZE`.
    width
        Standard deviation of the smoothing kernel [mm].
    rng
        Where the randomness comes from.
    """
    white_noise = rng.standard_normal(shape, dtype=np.float32)
    field = ndimage.gaussian_filter(white_noise, width / VOXEL_SIZE, mode='wrap')
    standardised: FloatArray = (field - field.mean()) / field.std()
    return standardised


def _coarsen(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average blocks of 1 mm voxels into voxels of `VOXEL_SIZE`, with a margin around them."""
    factor = round(VOXEL_SIZE)
    padding = [(round(MARGIN), round(MARGIN) + -size % factor) for size in values.shape]
    padded = np.pad(values, padding)
    x, y, z = (size // factor for size in padded.shape)
    blocks = padded.reshape(x, factor, y, factor, z, factor)
    averages: NDArray[np.float32] = blocks.mean(axis=(1, 3, 5), dtype=np.float32)
    return averages
