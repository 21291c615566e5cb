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

#: Fluid is taken from this volume [mm³].
FLUID_VOLUME = 300.0

#: From which repetition time on [s] voxels of which diagonal [mm] fit into a ventricle well enough:
#: M0 of blood is within 2 % in heads without noise (docs/calibration.md). Even the purest
#: voxels hold some tissue, which recovers faster than fluid.
LONGEST_DIAGONALS = ((0.0, 5.9), (4.0, 7.1), (6.0, 8.3))

#: A region of fewer voxels is a coincidence.
FEWEST_VOXELS = 5
OTHER_REGION = 'Use --m0-method voxelwise, or the other tissue of --m0-reference.'


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


def fluid_problem(
    diagonal: float, repetition_times: tuple[float, ...], file: str
) -> Problem | None:
    """Tell why voxels are too large for fluid alone; None where they are not.

    Parameters
    ----------
    diagonal
        Of a voxel, as it was measured [mm].
    repetition_times
        Of the M0 volumes [s].
    file
        Whose voxels they are.
    """
    shortest = min(repetition_times)
    longest = max(limit for since, limit in LONGEST_DIAGONALS if shortest >= since)
    if diagonal <= longest:
        return None
    at_least = ' at the shortest' if len(set(repetition_times)) > 1 else ''
    return Problem(
        file,
        f'voxels of M0 and series for a reference region of {ReferenceTissue.FLUID.label}',
        f'{diagonal:.1f} mm from corner to corner, M0 repeated every {shortest:g} s{at_least}',
        f'{longest:g} mm or less at this repetition time, to hold nothing but fluid',
        OTHER_REGION,
    )


def voxel_diagonal(affine: FloatArray) -> float:
    """Return how far a voxel reaches from corner to corner [mm]."""
    return float(np.linalg.norm(affine[:3, :3]))


def find_region(
    tissue: ReferenceTissue,
    volumes: FloatArray,
    delta_m: FloatArray,
    mask: NDArray[np.bool_],
    affine: FloatArray,
    *,
    repetition_times: tuple[float, ...],
    diagonal: float | None = None,
    file: str = 'M0',
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
    diagonal
        Of a voxel of the M0 scans as they were made [mm]; that of the grid when absent.
    file
        The M0 scans, for messages.

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
        return _not_empty(white, tissue, file)
    problem = fluid_problem(max(voxel_diagonal(affine), diagonal or 0.0), repetition_times, file)
    if problem:
        raise ImageError(problem)
    deep &= depth >= DEPTH[ReferenceTissue.FLUID]
    score = _fluid_score(image, relative, white, _fluid_over_white(repetition_times))
    voxel = float(abs(np.linalg.det(affine[:3, :3])))
    n_voxels = max(FEWEST_VOXELS, round(FLUID_VOLUME / voxel))
    if deep.sum() < n_voxels or not white.any():
        raise _not_found(tissue, int(deep.sum()), file)
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


def _not_empty(region: NDArray[np.bool_], tissue: ReferenceTissue, file: str) -> NDArray[np.bool_]:
    if region.sum() < FEWEST_VOXELS:
        raise _not_found(tissue, int(region.sum()), file)
    return region


def _not_found(tissue: ReferenceTissue, n_voxels: int, file: str) -> ImageError:
    return ImageError(
        Problem(
            file,
            f'reference region of {tissue.label}',
            f'{n_voxels} voxels',
            f'{FEWEST_VOXELS} voxels deep in the brain or more',
            OTHER_REGION,
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
