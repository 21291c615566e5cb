"""Measure how good one run is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from aslprep_nn.maps import FitStatus, FloatArray
from aslprep_nn.quality.dvars import dvars
from aslprep_nn.quality.findings import PLAUSIBLE, Finding, Gate
from aslprep_nn.quality.tissue import gm_wm_ratio, quality_evaluation_index
from aslprep_nn.report.expectations import (
    EXPECTATIONS,
    IF_HIGH_WITH_ONE_DELAY,
    OF_KIDNEY,
    ONLY_OF_BRAIN,
)
from aslprep_nn.report.quality_number import Mark, QualityNumber
from aslprep_nn.report.regions import (
    BoolArray,
    IndexArray,
    gm_like,
    identifiable,
    mean_delta_m,
    measured_groups,
    measured_volumes,
)
from aslprep_nn.report.results import RunResults
from aslprep_nn.report.trust_numbers import trust_concerns, trust_numbers
from aslprep_nn.settings import Organ

__all__ = [
    'Mark',
    'QualityNumber',
    'describe_protocol',
    'measure_quality',
    'quality_columns',
    'quality_table',
    'relative_standard_deviation',
]

#: Numbers that mean nothing without an M0, because their unit does not.
NEED_M0 = ('gm_like_cbf', 'mean_delta_m', 'dvars_delta_m', 'qei')


def measure_quality(results: RunResults) -> tuple[QualityNumber, ...]:
    """Measure every number of quality; NaN where this run cannot tell.

    Returns
    -------
    One number per entry of ``EXPECTATIONS``, in that order.
    """
    bright = gm_like(results)
    trust = trust_numbers(results, bright)
    measured = {
        **_perfusion(results, bright),
        **_shares(results),
        **_repeatability(results, bright),
        **_motion(results),
        **_by_tissue(results),
        'mask_volume': _mask_volume(results),
        'mask_template_dice': results.template_dice,
        'n_pairs': float(results.acquisition.n_measurements),
        'fraction_pairs_left_out': _left_out(results),
        **trust,
    }
    unknown = () if results.has_m0 else NEED_M0
    is_kidney = results.organ is Organ.KIDNEY
    if is_kidney:
        unknown = (*unknown, *ONLY_OF_BRAIN)
    usual = [
        replace(number, **OF_KIDNEY.get(number.name, {})) if is_kidney else number
        for number in EXPECTATIONS
    ]
    said = trust_concerns(results, trust)
    if_high = said if 'att' in results.maps else said | IF_HIGH_WITH_ONE_DELAY
    return tuple(
        replace(
            number,
            value=math.nan if number.name in unknown else measured[number.name],
            if_low=said.get(number.name, number.if_low),
            if_high=if_high.get(number.name, number.if_high),
        )
        for number in usual
    )


def quality_table(
    numbers: Iterable[QualityNumber], protocol: str = '', findings: Sequence[Finding] = ()
) -> pd.DataFrame:
    """Lay the numbers out as one row, as ``_desc-qualitycontrol_cbf.tsv`` holds them.

    Parameters
    ----------
    numbers
        Of `measure_quality`.
    protocol
        Of `describe_protocol`: what the group page compares within.
    findings
        Of `plausibility.implausible`.
    """
    values: dict[str, object] = {number.name: number.value for number in numbers}
    gates = ', '.join(finding.gate for finding in findings) or PLAUSIBLE
    return pd.DataFrame([{'protocol': protocol, 'gates': gates, **values}])


def quality_columns() -> dict[str, dict[str, Any]]:
    """Describe the columns of `quality_table`, as BIDS wants it beside a table."""
    columns = {
        number.name: {
            'LongName': number.label,
            'Description': number.meaning,
            'Units': number.unit,
        }
        for number in EXPECTATIONS
    }
    return {
        'protocol': {'Description': 'Label type and timings of the run.'},
        'gates': {
            'LongName': 'Gates of plausibility',
            'Description': 'What makes the run implausible, separated by commas; none where it '
            'passed every gate that could be tried.',
            'Levels': {PLAUSIBLE: 'plausible', **{gate.value: gate.meaning for gate in Gate}},
        },
        **columns,
    }


def describe_protocol(results: RunResults) -> str:
    """Name a protocol in a few words, the same for runs that can be compared."""
    delays = sorted(set(results.acquisition.pld))
    timing = (
        f'delay {delays[0]:g} s'
        if len(delays) == 1
        else f'{len(delays)} delays {delays[0]:g} to {delays[-1]:g} s'
    )
    relative = '' if results.has_m0 else ', no M0'
    return f'{results.acquisition.labeling} {timing}{relative}'


def _perfusion(results: RunResults, bright: BoolArray) -> dict[str, float]:
    cbf = results.maps['cbf'].values
    att = results.maps['att'].values if 'att' in results.maps else np.full(cbf.shape, np.nan)
    has_time = results.status != FitStatus.ATT_NOT_IDENTIFIABLE
    relative_sd = relative_standard_deviation(results)
    return {
        'gm_like_cbf': _finite_median(cbf[bright & has_time]),
        'att_median': _finite_median(att[bright & identifiable(results)]),
        'relative_sd_median': _finite_median(relative_sd[bright]),
        'spatial_cov': _spatial_variation(results),
        'asymmetry': _asymmetry(results),
        'mean_delta_m': 100 * _finite_mean(mean_delta_m(results)[results.mask]),
    }


def _spatial_variation(results: RunResults) -> float:
    """Divide the scatter of CBF over voxels by its mean [%].

    Where ATT is fitted but the delays cannot tell it, CBF scatters for that reason, so only
    voxels count that can tell it; with one delay every estimate does, negative ones too.
    """
    counted = identifiable(results) if 'att' in results.maps else results.mask
    cbf = results.maps['cbf'].values[counted]
    mean = _finite_mean(cbf)
    return 100 * float(np.nanstd(cbf)) / mean if mean > 0 else math.nan


def relative_standard_deviation(results: RunResults) -> FloatArray:
    """Divide the standard deviation of CBF by CBF, ``(x, y, z)`` [%]; NaN where CBF is not > 0."""
    cbf = results.maps['cbf'].values
    if 'std_cbf' not in results.maps:
        return np.full(cbf.shape, np.nan)
    positive = np.where(cbf > 0, cbf, np.nan)
    return np.asarray(100 * results.maps['std_cbf'].values / positive)


def _shares(results: RunResults) -> dict[str, float]:
    cbf = results.maps['cbf'].values[results.mask]
    measured = results.mask & np.isfinite(results.relative_delta_m).any(axis=-1)
    negative = measured & (mean_delta_m(results) < 0)
    share = _ratio(int(identifiable(results).sum()), cbf.size)
    unbound = (FitStatus.CONVERGED, FitStatus.ON_KINK, FitStatus.ATT_NOT_IDENTIFIABLE)
    converged = results.mask & np.isin(results.status, unbound)
    return {
        'fraction_estimated': _ratio(int(np.isfinite(cbf).sum()), cbf.size),
        'fraction_converged': _ratio(int(converged.sum()), cbf.size),
        'fraction_negative_cbf': _ratio(int((cbf <= 0).sum()), int(np.isfinite(cbf).sum())),
        'fraction_identifiable': share if 'att' in results.maps else math.nan,
        'fraction_negative_delta_m': _ratio(int(negative.sum()), int(measured.sum())),
    }


def _repeatability(results: RunResults, bright: BoolArray) -> dict[str, float]:
    groups = list(measured_groups(results).values())
    measured = measured_volumes(results)
    brain = results.mask & np.isfinite(results.relative_delta_m[..., measured]).all(axis=-1)
    mean, scatter = _mean_and_scatter(results.relative_delta_m[brain], groups)
    over_scatter = mean / np.where(scatter > 0, scatter, np.nan)
    # All voxels of the brain count: those that are chosen for being bright are so in noise, too.
    in_errors = over_scatter * measured.sum() ** 0.5
    return {
        'tsnr_delta_m': _finite_median(over_scatter[bright[brain]]),
        'perfusion_z': _finite_median(in_errors),
        'dvars_delta_m': _mean_dvars(results),
    }


def _left_out(results: RunResults) -> float:
    """Measure the share of the measurements that no voxel has; NaN without a brain."""
    return 1 - float(measured_volumes(results).mean()) if results.mask.any() else math.nan


def _mean_dvars(results: RunResults) -> float:
    """Average DVARS of delta M over the measurements [% of M0]."""
    acquisition = results.acquisition
    timings = list(zip(acquisition.pld, acquisition.labeling_duration, strict=True))
    return 100 * _finite_mean(dvars(results.relative_delta_m[results.mask], timings))


def _by_tissue(results: RunResults) -> dict[str, float]:
    """Measure what needs to know the tissue; NaN without an anatomical image."""
    tissue, cbf = results.tissue, results.maps['cbf'].values
    if tissue is None:
        return {'gm_wm_ratio': math.nan, 'qei': math.nan}
    return {
        'gm_wm_ratio': gm_wm_ratio(cbf, tissue, results.mask),
        'qei': quality_evaluation_index(cbf, tissue, results.mask, results.affine),
    }


def _mean_and_scatter(
    signal: FloatArray, groups: list[IndexArray]
) -> tuple[FloatArray, FloatArray]:
    """Average over measurements, and pool the scatter of repetitions around their own timing.

    Parameters
    ----------
    signal
        ``(voxel, measurement)``.
    groups
        Indices of the repetitions of each timing.

    Returns
    -------
    Mean and standard deviation of one measurement, ``(voxel,)``; the latter NaN where nothing
    was repeated.
    """
    if not groups:
        nothing = np.full(len(signal), np.nan)
        return nothing, nothing
    repeated = [group for group in groups if len(group) > 1]
    mean = signal[:, np.concatenate(groups)].mean(axis=1, dtype=float)
    if not repeated:
        return mean, np.full(len(signal), np.nan)
    squares = sum(signal[:, group].var(axis=1, dtype=float) * len(group) for group in repeated)
    freedom = sum(len(group) - 1 for group in repeated)
    return mean, np.sqrt(np.asarray(squares) / freedom)


def _motion(results: RunResults) -> dict[str, float]:
    if results.confounds is None:
        return {'fd_mean': math.nan, 'fd_max': math.nan}
    displacement = results.confounds['framewise_displacement'].to_numpy(float)
    moved = displacement[np.isfinite(displacement)]
    if moved.size == 0:
        return {'fd_mean': math.nan, 'fd_max': math.nan}
    return {'fd_mean': float(moved.mean()), 'fd_max': float(moved.max())}


def _mask_volume(results: RunResults) -> float:
    """Count the mask's voxels [L]; a litre is 10⁶ mm³."""
    return float(abs(np.linalg.det(results.affine[:3, :3])) * results.mask.sum() / 1e6)


def _asymmetry(results: RunResults) -> float:
    """Compare the halves on both sides of the mask's median in world x [%]."""
    usable = results.mask & np.isfinite(results.maps['cbf'].values)
    if not usable.any():
        return math.nan
    indices = np.argwhere(usable)
    world_x = indices @ results.affine[0, :3] + results.affine[0, 3]
    cbf = results.maps['cbf'].values[usable]
    middle = np.median(world_x)
    right, left = cbf[world_x > middle], cbf[world_x < middle]
    if right.size == 0 or left.size == 0:
        return math.nan
    return 200 * _ratio(float(right.mean() - left.mean()), abs(float(right.mean() + left.mean())))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _finite_median(values: FloatArray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else math.nan


def _finite_mean(values: FloatArray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else math.nan
