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

#: How deep in the brain regions lie [mm]: deeper than sulci for the ventricles, deeper than cortex
#: for white matter.
DEPTH = {ReferenceTissue.FLUID: 20.0, ReferenceTissue.WHITE_MATTER: 14.0}

#: delta M / M0 relative to the strongest third of the brain: what white matter has (a third of
#: the flow of cortex, later arrival), and within which bounds it is looked for.
WHITE_PERFUSION, WHITE_RANGE = 0.33, (0.15, 0.45)

#: White matter whose M0 is farther than this share from the median of its region is a mixture.
SPREAD = 0.08

#: Scatter of M0, and of delta M, between voxels of one tissue, relative to white matter's M0 and
#: to the strongest third: how much each is believed when fluid is told from white matter.
M0_SCATTER, PERFUSION_SCATTER = 0.05, 0.15

#: Of delta M before regions are sought in it: noise looks like no perfusion [mm].
SMOOTHING = 4.0

#: Fluid is taken from this volume [mm³]; larger voxels do not fit into a ventricle [mm³].
FLUID_VOLUME, LARGEST_VOXEL = 300.0, 100.0

#: Tissue that the purest voxels of a ventricle hold [1].
IMPURITY = 0.05

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


def impurity_bias(tissue: ReferenceTissue, repetition_times: tuple[float, ...]) -> float:
    """Tell by which part a little tissue in the voxels of fluid changes M0 of blood.

    Parameters
    ----------
    tissue
        Of the region; white matter is found pure.
    repetition_times
        Of the M0 volumes [s].
    """
    if tissue is not ReferenceTissue.FLUID:
        return 0.0
    return IMPURITY * (1 / _fluid_over_white(repetition_times) - 1)


def find_region(
    tissue: ReferenceTissue,
    volumes: FloatArray,
    delta_m: FloatArray,
    mask: NDArray[np.bool_],
    affine: FloatArray,
    *,
    repetition_times: tuple[float, ...],
    voxel_volume: float | None = None,
) -> NDArray[np.bool_]:
    """Find deep white matter, or the fluid of the ventricles, without an anatomical image.

    Parameters
    ----------
    tissue
        What to look for.
    volumes
        M0 scans ``(x, y, z, volume)`` [scanner units].
    delta_m
        Mean difference over the later delays, ``(x, y, z)`` [scanner units].
    mask
        The brain.
    affine
        Voxel to world [mm].
    repetition_times
        Of each volume [s].
    voxel_volume
        Of the M0 scans as they were made [mm³]; that of the grid when absent.

    Raises
    ------
    ImageError
        If fewer than `FEWEST_VOXELS` are found, or if voxels are too large for fluid.
    """
    image = volumes.mean(axis=-1)
    relative = _relative_perfusion(image, delta_m, mask, affine)
    depth = ndimage.distance_transform_edt(mask, sampling=np.linalg.norm(affine[:3, :3], axis=0))
    deep = mask & np.isfinite(relative) & (depth >= DEPTH[ReferenceTissue.WHITE_MATTER])
    white = _white_matter(image, relative, deep)
    if tissue is ReferenceTissue.WHITE_MATTER:
        return _not_empty(white, tissue)
    voxel = float(abs(np.linalg.det(affine[:3, :3])))
    seen_in = max(voxel, voxel_volume or 0.0)
    if seen_in > LARGEST_VOXEL:
        raise _not_found(tissue, f'sought in voxels of {seen_in:.0f} mm³')
    deep &= depth >= DEPTH[ReferenceTissue.FLUID]
    score = _fluid_score(image, relative, white, _fluid_over_white(repetition_times))
    n_voxels = max(FEWEST_VOXELS, round(FLUID_VOLUME / voxel))
    if deep.sum() < n_voxels or not white.any():
        raise _not_found(tissue, f'{int(deep.sum())} voxels')
    return np.asarray(deep & (score >= np.sort(score[deep])[-n_voxels]))


def _white_matter(
    image: FloatArray, relative: FloatArray, deep: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Take the largest connected part of what is perfused as white matter is."""
    low, high = WHITE_RANGE
    region = deep & (relative > low) & (relative < high)
    if not region.any():
        return region
    typical = float(np.median(image[region]))
    region &= np.abs(image - typical) <= SPREAD * typical
    labels, n_parts = ndimage.label(region)
    if not n_parts:
        return region
    return np.asarray(labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:])))


def _fluid_score(
    image: FloatArray, relative: FloatArray, white: NDArray[np.bool_], expected: float
) -> FloatArray:
    """Tell fluid from white matter by Fisher's linear discriminant of M0 and delta M.

    M0 alone does not tell them apart at every repetition time: at about 6 s fluid is as bright
    as white matter, and darker at shorter ones. Whether label arrives always does, but less
    sharply.
    """
    brightness = image / np.median(image[white]) if white.any() else image
    by_m0 = (brightness - 1) * (expected - 1) / M0_SCATTER**2
    by_perfusion = (WHITE_PERFUSION - relative) * WHITE_PERFUSION / PERFUSION_SCATTER**2
    return np.asarray(by_m0 + by_perfusion)


def _fluid_over_white(repetition_times: tuple[float, ...]) -> float:
    """Return the signal of fluid over that of white matter that these times should give."""
    signals = [
        np.mean([recovered_fraction(time, tissue.t1.value) for time in repetition_times])
        / tissue.blood_over_tissue.value
        for tissue in (FLUID, WHITE_MATTER)
    ]
    return float(signals[0] / signals[1])


def _not_empty(region: NDArray[np.bool_], tissue: ReferenceTissue) -> NDArray[np.bool_]:
    if region.sum() < FEWEST_VOXELS:
        raise _not_found(tissue, f'{int(region.sum())} voxels')
    return region


def _not_found(tissue: ReferenceTissue, found: str) -> ImageError:
    return ImageError(
        Problem(
            'the M0 image',
            f'reference region of {tissue.label}',
            found,
            f'{FEWEST_VOXELS} voxels deep in the brain or more, small enough to hold one tissue',
            'Use --m0-method voxelwise, or the other tissue of --m0-reference.',
        )
    )


def _relative_perfusion(
    image: FloatArray, delta_m: FloatArray, mask: NDArray[np.bool_], affine: FloatArray
) -> FloatArray:
    """Divide smoothed delta M / M0 by that of the strongest third of the brain."""
    usable = mask & np.isfinite(image) & (image > 0)
    perfusion = np.where(usable, delta_m / np.where(usable, image, 1), np.nan)
    smooth = smooth_within(perfusion, usable, affine, SMOOTHING)
    inside = smooth[usable]
    strong = float(np.mean(inside[inside >= np.quantile(inside, 2 / 3)])) if inside.size else 0.0
    return np.where(usable, smooth / strong if strong > 0 else np.nan, np.nan)
