"""M0 of blood from one region, instead of M0 of tissue from every voxel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from aslprep_nn.calibration.m0 import recovered_fraction
from aslprep_nn.calibration.smoothing import smooth_within
from aslprep_nn.constants import FLUID, T2_STAR_BLOOD, WHITE_MATTER
from aslprep_nn.errors import ImageError, Problem
from aslprep_nn.maps import FloatArray
from aslprep_nn.settings import ReferenceTissue

CONSTANTS = {ReferenceTissue.FLUID: FLUID, ReferenceTissue.WHITE_MATTER: WHITE_MATTER}

#: How deep in the brain a region lies [mm]: deeper than sulci for the ventricles, deeper than
#: cortex for white matter.
DEPTH = {ReferenceTissue.FLUID: 25.0, ReferenceTissue.WHITE_MATTER: 12.0}

#: delta M of a region, relative to the strongest third of the brain. White matter has a third
#: of the flow of cortex and later arrival; fluid has none.
PERFUSION = {ReferenceTissue.FLUID: (-np.inf, 0.12), ReferenceTissue.WHITE_MATTER: (0.15, 0.5)}

#: White matter and fluid differ in M0: a voxel whose M0 is farther than this share from the
#: median of its region is a mixture.
SPREAD = 0.15

#: Of delta M before regions are sought in it: noise looks like no perfusion [mm].
SMOOTHING = 6.0

#: A region of fewer voxels is a coincidence.
FEWEST_VOXELS = 5


def blood_from_region(
    volumes: FloatArray,
    repetition_times: tuple[float, ...],
    region: NDArray[np.bool_],
    *,
    tissue: ReferenceTissue,
    echo_times: tuple[float, float],
) -> float:
    """Turn the signal of a region into M0 of arterial blood (Çavuşoğlu et al. 2009).

    The region's own T1 says how far it has recovered and its own T2* how far it has decayed; the
    ratio of the magnetisations makes it blood, which then decays until the series' echo.

    Parameters
    ----------
    volumes
        M0 scans ``(x, y, z, volume)``.
    repetition_times
        Of each volume [s].
    region
        Voxels of one tissue.
    tissue
        Which it is.
    echo_times
        Of the volumes and of the series [s].

    Returns
    -------
    M0 of blood as the series would show it [scanner units].
    """
    constants = CONSTANTS[tissue]
    recovered = [recovered_fraction(time, constants.t1.value) for time in repetition_times]
    signal = float(np.median((volumes[region] / recovered).mean(axis=-1)))
    of_region, of_series = echo_times
    decay = np.exp(of_region / constants.t2_star.value - of_series / T2_STAR_BLOOD.value)
    return float(constants.blood_over_tissue.value * signal * decay)


def find_region(
    tissue: ReferenceTissue,
    m0: FloatArray,
    delta_m: FloatArray,
    mask: NDArray[np.bool_],
    affine: FloatArray,
) -> NDArray[np.bool_]:
    """Find fluid or white matter by depth and perfusion, where there is no anatomical image.

    M0 alone does not tell them apart at every repetition time: at about 6 s fluid is as bright
    as white matter. Whether label arrives does. The largest connected part is taken.

    Parameters
    ----------
    tissue
        What to look for.
    m0
        ``(x, y, z)`` [scanner units].
    delta_m
        Mean difference over the later delays, ``(x, y, z)`` [scanner units].
    mask
        The brain.
    affine
        Voxel to world [mm].

    Raises
    ------
    ImageError
        If fewer than `FEWEST_VOXELS` are found.
    """
    relative = _relative_perfusion(m0, delta_m, mask, affine)
    depth = ndimage.distance_transform_edt(mask, sampling=np.linalg.norm(affine[:3, :3], axis=0))
    low, high = PERFUSION[tissue]
    region = mask & (depth >= DEPTH[tissue]) & (relative > low) & (relative < high)
    if region.any():
        typical = float(np.median(m0[region]))
        region &= np.abs(m0 - typical) <= SPREAD * typical
        labels, n_parts = ndimage.label(region)
        if n_parts:
            region = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    if region.sum() < FEWEST_VOXELS:
        raise ImageError(
            Problem(
                'the M0 image',
                f'reference region of {tissue.label}',
                f'{int(region.sum())} voxels',
                f'{FEWEST_VOXELS} connected voxels deep in the brain or more',
                'Use --m0-method voxelwise, or the other tissue of --m0-reference.',
            )
        )
    return region


def _relative_perfusion(
    m0: FloatArray, delta_m: FloatArray, mask: NDArray[np.bool_], affine: FloatArray
) -> FloatArray:
    """Divide smoothed delta M / M0 by that of the strongest third of the brain."""
    usable = mask & np.isfinite(m0) & (m0 > 0)
    perfusion = np.where(usable, delta_m / np.where(usable, m0, 1), np.nan)
    smooth = smooth_within(perfusion, usable, affine, SMOOTHING)
    inside = smooth[usable]
    strong = float(np.mean(inside[inside >= np.quantile(inside, 2 / 3)]))
    return np.where(usable, smooth / strong if strong > 0 else np.nan, np.nan)
