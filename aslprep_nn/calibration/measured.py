"""M0 of tissue from the volumes that show it."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.calibration.evidence import compare_volumes, describe_holes
from aslprep_nn.calibration.m0 import equilibrium_magnetisation, recovered_fraction
from aslprep_nn.calibration.reference_region import blood_from_region, find_region
from aslprep_nn.calibration.smoothing import fill_holes, smooth_within
from aslprep_nn.errors import ImageError
from aslprep_nn.maps import FloatArray
from aslprep_nn.run import M0Plan
from aslprep_nn.settings import M0Method, M0Options, ReferenceTissue

Mask = NDArray[np.bool_]


class MeasuredM0(NamedTuple):
    """M0 of tissue, and what was met on the way.

    Parameters
    ----------
    m0
        ``(x, y, z)`` [units of the series].
    notes
        Sentences for the reader of the results.
    white_over_fluid
        M0 of blood as white matter gives it over that of fluid, where fluid is the reference and
        both were found.
    """

    m0: FloatArray
    notes: list[str]
    white_over_fluid: float | None = None


def measured_m0(
    volumes: FloatArray,
    late_delta_m: FloatArray,
    mask: Mask,
    affine: FloatArray,
    *,
    plan: M0Plan,
    acquisition: Acquisition,
    options: M0Options,
) -> MeasuredM0:
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
        Times of the volumes, and the voxels they were measured in.
    acquisition
        T1 of tissue and partition coefficient.
    options
        How to make it.
    """
    recovered = np.array(
        [recovered_fraction(time, acquisition.t1_tissue) for time in plan.repetition_times]
    )
    scale = options.scale * plan.echo_correction
    m0 = equilibrium_magnetisation(volumes, recovered, scale)
    notes = compare_volumes(volumes / recovered, mask)
    if options.method is M0Method.REFERENCE:
        regions = _regions(volumes, late_delta_m, mask, affine, plan=plan, options=options)
        blood = _of_blood(volumes, regions, plan, options)
        tissue = np.full(m0.shape, blood[options.reference] * acquisition.partition_coefficient)
        about = _about_blood(blood, regions, plan, options)
        return MeasuredM0(tissue, [*notes, *about], _white_over_fluid(blood))
    filled = fill_holes(m0, mask, affine)
    notes += describe_holes(m0, filled, mask)
    return MeasuredM0(smooth_within(filled, mask, affine, options.smoothing), notes)


def _regions(
    volumes: FloatArray,
    late_delta_m: FloatArray,
    mask: Mask,
    affine: FloatArray,
    *,
    plan: M0Plan,
    options: M0Options,
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
            diagonal=plan.voxel_diagonal,
            file=plan.name,
        )

    regions = {options.reference: region(options.reference)}
    if options.reference is not ReferenceTissue.WHITE_MATTER:
        with suppress(ImageError):
            regions[ReferenceTissue.WHITE_MATTER] = region(ReferenceTissue.WHITE_MATTER)
    return regions


def _of_blood(
    volumes: FloatArray, regions: dict[ReferenceTissue, Mask], plan: M0Plan, options: M0Options
) -> dict[ReferenceTissue, float]:
    """Measure M0 of blood in each region [units of the series]."""
    echo_times = plan.echo_times or (0.0, 0.0)
    return {
        tissue: options.scale
        * blood_from_region(
            volumes, plan.repetition_times, region, tissue=tissue, echo_times=echo_times
        )
        for tissue, region in regions.items()
    }


def _about_blood(
    blood: dict[ReferenceTissue, float],
    regions: dict[ReferenceTissue, Mask],
    plan: M0Plan,
    options: M0Options,
) -> list[str]:
    """Say where M0 of blood was measured, and with what it was compared."""
    about = ''
    if plan.echo_times is None:
        about = ' Echo times are not stated, so T2* was not corrected.'
    said = [
        f'M0 of blood is {blood[options.reference]:.4g}, from '
        f'{int(regions[options.reference].sum())} voxels of {options.reference.label}; the receive '
        f'field was not corrected, so CBF is wrong where it differs from that of the region.{about}'
    ]
    if ReferenceTissue.WHITE_MATTER not in blood:
        said.append('White matter was not found, so this M0 was compared with nothing.')
    elif options.reference is ReferenceTissue.FLUID:
        white = blood[ReferenceTissue.WHITE_MATTER]
        said.append(f'White matter gives an M0 of blood of {white:.4g}.')
    return said


def _white_over_fluid(blood: dict[ReferenceTissue, float]) -> float | None:
    if set(blood) != set(ReferenceTissue):
        return None
    return blood[ReferenceTissue.WHITE_MATTER] / blood[ReferenceTissue.FLUID]
