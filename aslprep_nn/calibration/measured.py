"""M0 of tissue from the volumes that show it."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.calibration.evidence import compare_volumes, describe_holes
from aslprep_nn.calibration.m0 import equilibrium_magnetisation, recovered_fraction
from aslprep_nn.calibration.reference_region import blood_from_region, find_region, impurity_bias
from aslprep_nn.calibration.smoothing import fill_holes, smooth_within
from aslprep_nn.errors import ImageError
from aslprep_nn.maps import FloatArray
from aslprep_nn.run import M0Plan
from aslprep_nn.settings import M0Method, M0Options, ReferenceTissue

Mask = NDArray[np.bool_]

#: A part by which tissue in voxels of fluid may change M0 without being mentioned.
LARGEST_BIAS = 0.02
#: Two regions that disagree by more than this share were not both found.
LARGEST_DISAGREEMENT = 0.25


def measured_m0(
    volumes: FloatArray,
    late_delta_m: FloatArray,
    mask: Mask,
    affine: FloatArray,
    *,
    plan: M0Plan,
    acquisition: Acquisition,
    options: M0Options,
    voxel_volume: float | None = None,
) -> tuple[FloatArray, list[str]]:
    """Make M0 of tissue from M0 scans or unsuppressed controls.

    Parameters
    ----------
    volumes
        On the grid of the series, aligned with it, ``(x, y, z, volume)`` [scanner units].
    late_delta_m
        Mean difference over the later delays, ``(x, y, z)`` [scanner units].
    mask
        The brain.
    affine
        Voxel to world [mm].
    plan
        Times of the volumes.
    acquisition
        T1 of tissue and partition coefficient.
    options
        How to make it.
    voxel_volume
        Of the volumes before they were brought onto the grid [mm³]; that of the grid when absent.

    Returns
    -------
    M0 ``(x, y, z)`` [units of the series], and sentences on what was met on the way.
    """
    recovered = np.array(
        [recovered_fraction(time, acquisition.t1_tissue) for time in plan.repetition_times]
    )
    scale = options.scale * plan.echo_correction
    m0 = equilibrium_magnetisation(volumes, recovered, scale)
    notes = compare_volumes(volumes / recovered, mask)
    if options.method is M0Method.REFERENCE:
        regions = _regions(
            volumes,
            late_delta_m,
            mask,
            affine,
            plan=plan,
            options=options,
            voxel_volume=voxel_volume,
        )
        blood, about = _of_blood(volumes, regions, plan, options)
        return np.full(m0.shape, blood * acquisition.partition_coefficient), [*notes, *about]
    filled = fill_holes(m0, mask, affine)
    notes += describe_holes(m0, filled, mask)
    return smooth_within(filled, mask, affine, options.smoothing), notes


def _regions(
    volumes: FloatArray,
    late_delta_m: FloatArray,
    mask: Mask,
    affine: FloatArray,
    *,
    plan: M0Plan,
    options: M0Options,
    voxel_volume: float | None,
) -> dict[ReferenceTissue, Mask]:
    """Find the region asked for, and white matter, which is found most surely, to compare.

    Without white matter there is nothing to compare with, which spoils nothing.
    """

    def region(tissue: ReferenceTissue) -> Mask:
        return find_region(
            tissue,
            volumes,
            late_delta_m,
            mask,
            affine,
            repetition_times=plan.repetition_times,
            voxel_volume=voxel_volume,
        )

    regions = {options.reference: region(options.reference)}
    if options.reference is not ReferenceTissue.WHITE_MATTER:
        with suppress(ImageError):
            regions[ReferenceTissue.WHITE_MATTER] = region(ReferenceTissue.WHITE_MATTER)
    return regions


def _of_blood(
    volumes: FloatArray, regions: dict[ReferenceTissue, Mask], plan: M0Plan, options: M0Options
) -> tuple[float, list[str]]:
    """Measure M0 of blood in a region, and say how, and whether white matter agrees."""
    echo_times, about = (0.0, 0.0), ' Echo times are not stated, so T2* was not corrected.'
    if plan.echo_time is not None and plan.series_echo_time is not None:
        echo_times, about = (plan.echo_time, plan.series_echo_time), ''
    blood = {
        tissue: options.scale
        * blood_from_region(
            volumes, plan.repetition_times, region, tissue=tissue, echo_times=echo_times
        )
        for tissue, region in regions.items()
    }
    found = blood[options.reference]
    said = [
        f'M0 of blood is {found:.4g}, from {int(regions[options.reference].sum())} voxels of '
        f'{options.reference.label}; the receive field was not corrected, so CBF is wrong where '
        f'it differs from that of the region.{about}'
    ]
    bias = impurity_bias(options.reference, plan.repetition_times)
    if abs(bias) > LARGEST_BIAS:
        said.append(
            f'M0 repeats every {min(plan.repetition_times):g} s, in which fluid hardly recovers: '
            f'a little tissue in the voxels of a ventricle may change M0 by {bias:+.0%}. '
            'Use --m0-reference wm or --m0-method voxelwise.'
        )
    other = blood.get(ReferenceTissue.WHITE_MATTER)
    if other is None:
        said.append('White matter was not found, so this M0 was compared with nothing.')
    elif abs(found / other - 1) > LARGEST_DISAGREEMENT:
        said.append(
            f'White matter gives an M0 of blood of {other:.4g} instead, {other / found:.2f} times '
            'as much: the fluid was probably not found. Do not trust CBF; use --m0-method '
            'voxelwise or --m0-reference wm.'
        )
    return found, said
