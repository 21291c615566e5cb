"""What is true of the imaged subject: perfusion, arrival, magnetisation, relaxation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from aslprep_nn.constants import T1_TISSUE
from aslprep_nn.maps import FloatArray
from aslprep_nn.simulation.anatomy import (
    VOXEL_SIZE,
    Anatomy,
    individual_anatomy,
    smooth_random_field,
)
from aslprep_nn.simulation.motion import rigid_matrix

GRAY_CBF, WHITE_CBF = 60.0, 20.0
#: Standard deviation of CBF between regions, as a fraction, and the size of a region [mm].
CBF_VARIATION, CBF_REGION = 0.12, 12.0

#: Where each artery's territory lies (|x|, y, z in the template [mm]) and its mean ATT [s].
TERRITORIES = (
    ((8.0, 32.0, 38.0), 0.85),  # anterior
    ((52.0, -5.0, 18.0), 0.75),  # middle
    ((14.0, -72.0, 0.0), 1.05),  # posterior
)
TERRITORY_WIDTH = 22.0
#: Standard deviation of ATT between the arteries of a subject [s].
ARTERY_VARIATION = 0.06
WATERSHED_DELAY, WHITE_DELAY = 0.45, 0.35
#: How gradually the delay of white matter sets in [mm].
WHITE_TRANSITION = 4.0
ATT_VARIATION, ATT_REGION = 0.05, 15.0
ATT_RANGE = (0.5, 1.9)

#: Of grey and white matter, fluid and scalp: water seen at the echo time, relative to fluid, and
#: T1 [s]. Grey and white matter share the T1 the app assumes, so that calibration can be exact.
WATER = (0.65, 0.55, 1.0, 0.55)
T1 = (T1_TISSUE.value, T1_TISSUE.value, 4.0, 0.4)
COIL_VARIATION, COIL_WIDTH = 0.18, 40.0
#: M0 of fluid in scanner units.
SCANNER_UNIT = 2000.0


@dataclass(frozen=True)
class Phantom:
    """One subject in the scanner, head at rest, on the fine grid of its anatomy.

    Parameters
    ----------
    anatomy
        Tissue fractions; its affine is the template's.
    cbf
        Cerebral blood flow, ``(x, y, z)`` [mL/100 g/min].
    att
        Arterial transit time, ``(x, y, z)`` [s], defined everywhere.
    m0
        Equilibrium magnetisation times coil sensitivity, ``(x, y, z)`` [scanner units].
    t1
        T1 of the static tissue, ``(x, y, z)`` [s].
    affine
        Voxel to world in the scanner, RAS [mm].
    """

    anatomy: Anatomy
    cbf: FloatArray
    att: FloatArray
    m0: FloatArray
    t1: FloatArray
    affine: FloatArray


def draw_phantom(rng: np.random.Generator) -> Phantom:
    """Draw a subject.

    A voxel's CBF is the mean over its tissues and its signal is that of one compartment with
    this CBF and its ATT: the world as the app's model has it, so that an estimate can be
    compared with the truth everywhere. The coil varies M0 and delta M alike and cancels.
    """
    anatomy = individual_anatomy(rng)
    fractions = np.stack([anatomy.gray_matter, anatomy.white_matter, anatomy.csf, anatomy.scalp])
    water = np.tensordot(WATER, fractions, axes=1)
    filled = fractions.sum(axis=0)
    t1 = np.tensordot(T1, fractions, axes=1) / np.maximum(filled, 1e-6)
    shape = anatomy.brain.shape
    variation = 1 + CBF_VARIATION * smooth_random_field(shape, CBF_REGION, rng)
    cbf = (GRAY_CBF * anatomy.gray_matter + WHITE_CBF * anatomy.white_matter) * variation
    sensitivity = 1 + COIL_VARIATION * smooth_random_field(shape, COIL_WIDTH, rng)
    return Phantom(
        anatomy=anatomy,
        cbf=np.maximum(cbf, 0),
        att=_draw_att(anatomy, rng),
        m0=SCANNER_UNIT * water * sensitivity,
        t1=np.where(filled > 0.01, t1, T1_TISSUE.value),
        affine=_draw_position(rng) @ anatomy.affine,
    )


def _draw_att(anatomy: Anatomy, rng: np.random.Generator) -> FloatArray:
    """Delay by vascular territory and side, longer in watersheds and in white matter."""
    x, y, z = anatomy.coordinates
    memberships, delays = [], []
    right = 1 / (1 + np.exp(-x / 6))
    for (centre_x, centre_y, centre_z), delay in TERRITORIES:
        squared = (abs(x) - centre_x) ** 2 + (y - centre_y) ** 2 + (z - centre_z) ** 2
        memberships.append(np.exp(-squared / (2 * TERRITORY_WIDTH**2)))
        of_right, of_left = rng.normal(delay, ARTERY_VARIATION, 2)
        delays.append(of_left + (of_right - of_left) * right)
    weights = np.stack(memberships) + 1e-12
    weights /= weights.sum(axis=0)
    watershed = 1.5 * (1 - weights.max(axis=0))
    white = ndimage.gaussian_filter(anatomy.white_matter, WHITE_TRANSITION / VOXEL_SIZE)
    att = (weights * np.stack(delays)).sum(axis=0)
    att = att + WATERSHED_DELAY * watershed + WHITE_DELAY * white
    att = att + ATT_VARIATION * smooth_random_field(x.shape, ATT_REGION, rng)
    clipped: FloatArray = np.clip(att, *ATT_RANGE)
    return clipped


def _draw_position(rng: np.random.Generator) -> FloatArray:
    """Draw how the subject lies: brain near the isocentre, a few mm and degrees off."""
    parameters = np.concatenate([rng.normal(0, 2, 3), np.deg2rad(rng.normal(0, 2, 3))])
    return rigid_matrix(parameters) @ rigid_matrix(np.array([0.0, 18.0, -22.0, 0.0, 0.0, 0.0]))
