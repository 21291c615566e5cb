"""Curves of a run: motion, the spread of CBF, the signal over delays and repetitions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.maps import FitStatus, FloatArray
from aslprep_nn.report.expectations import expectation
from aslprep_nn.report.figures import (
    BLUE,
    FAINT,
    GREEN,
    GRID,
    INK,
    ORANGE,
    PURPLE,
    SHADE,
    Figure,
    blank,
    curve,
)
from aslprep_nn.report.quality_number import QualityNumber
from aslprep_nn.report.regions import gm_like, signal_unit
from aslprep_nn.report.results import RunResults

VOLUME_COLORS = {
    VolumeType.CONTROL: BLUE,
    VolumeType.LABEL: ORANGE,
    VolumeType.M0SCAN: PURPLE,
    VolumeType.DELTAM: GREEN,
}


def motion(results: RunResults) -> Figure | None:
    """Plot the rigid-body parameters and framewise displacement; None where none is known."""
    table = results.confounds
    if table is None or table['trans_x'].isna().all():
        return None
    canvas = blank(1100, 430)
    upper, middle, lower = canvas.subplots(3, 1, sharex=True, height_ratios=(1, 1, 1))
    _lines(upper, table, ('trans_x', 'trans_y', 'trans_z'), 1.0, 'shift [mm]')
    _lines(middle, table, ('rot_x', 'rot_y', 'rot_z'), np.rad2deg(1.0), 'turn [°]')
    _displacement(lower, table)
    lower.set_xlabel('volume')
    canvas.subplots_adjust(left=0.06, right=0.9, top=0.98, bottom=0.11, hspace=0.14)
    moved = table['framewise_displacement'].dropna()
    largest = f'{moved.mean():.2f} mm, at most {moved.max():.2f} mm' if len(moved) else 'not known'
    return curve(
        canvas,
        'motion',
        'Head motion: shifts along and turns about x (right), y (front) and z (up), and framewise '
        'displacement since the previous volume of the same type (Power et al. 2012); above the '
        'line at 0.5 mm motion is more than usual. Colours of the points name the volume type.',
        f'Mean framewise displacement {largest}.',
    )


def histograms(results: RunResults) -> Iterator[Figure]:
    """Plot how CBF, and ATT where it was estimated, spread over the brain."""
    unit = 'mL/100 g/min' if results.has_m0 else 'over its median'
    usual = expectation('gm_like_cbf') if results.has_m0 else None
    yield _histogram(results, 'cbf', f'CBF [{unit}]', 150.0 if results.has_m0 else 4.0, usual)
    if 'att' in results.maps:
        yield _histogram(results, 'att', 'ATT [s]', 3.5, expectation('att_median'))


def _histogram(
    results: RunResults, name: str, label: str, high: float, usual: QualityNumber | None
) -> Figure:
    told = results.status != FitStatus.ATT_NOT_IDENTIFIABLE
    values = np.where(told, results.maps[name].values, np.nan)
    lowest = float(np.nanmin(values, initial=0.0, where=results.mask))
    edges = np.linspace(max(lowest, -high), high, 61)
    canvas = blank(560, 300)
    axes = canvas.subplots()
    dress(axes, label, 'voxels')
    if usual is not None:
        axes.axvspan(usual.usual_low, usual.usual_high, color=SHADE, linewidth=0, zorder=0)
    bright = _finite(values[gm_like(results)])
    for shown, color, legend in (
        (_finite(values[results.mask]), FAINT, 'brain'),
        (bright, BLUE, 'grey-matter-like'),
    ):
        counts, _ = np.histogram(shown.clip(edges[0], edges[-1]), edges)
        axes.stairs(counts, edges, color=color, linewidth=1.6, label=legend)
    if bright.size:
        axes.axvline(float(np.median(bright)), color=BLUE, linewidth=1, linestyle='--')
    axes.legend(frameon=False, labelcolor=INK, fontsize=8)
    canvas.subplots_adjust(left=0.12, right=0.98, top=0.96, bottom=0.17)
    shade = ' The shaded range is usual for grey matter.' if usual else ''
    untold = float((~told)[results.mask].mean()) if results.mask.any() else 0.0
    left_out = (
        f' Without the {100 * untold:.0f} % of the brain where these delays cannot tell the '
        'transit time.'
        if untold > 0
        else ''
    )
    return curve(
        canvas,
        f'histogram{name}',
        f'{name.upper()} of brain voxels and of the grey-matter-like ones, the third with the '
        'strongest late signal; the dashed line is their median. Values beyond the axis are '
        f'counted at its ends.{shade}{left_out}',
        f'The grey-matter-like median is {np.median(bright):.3g}.'
        if bright.size
        else 'No grey-matter-like voxel has an estimate.',
    )


def repetitions(results: RunResults) -> Figure:
    """Plot the grey-matter-like mean of every measurement in the order of acquisition."""
    factor, unit = signal_unit(results)
    bright = results.relative_delta_m[gm_like(results)]
    complete = bright[np.isfinite(bright).all(axis=-1)]
    n_measurements = results.acquisition.n_measurements
    means = complete.mean(axis=0) if len(complete) else np.full(n_measurements, np.nan)
    canvas = blank(560, 300)
    axes = canvas.subplots()
    dress(axes, 'measurement', unit)
    axes.axhline(0, color=FAINT, linewidth=0.8)
    axes.plot(np.arange(1, n_measurements + 1), factor * means, color=GRID, linewidth=1)
    delays = np.array(results.acquisition.pld)
    for index, delay in enumerate(sorted(set(delays))):
        at = np.flatnonzero(delays == delay)
        color = (BLUE, ORANGE, GREEN, PURPLE, FAINT, INK)[index % 6]
        axes.plot(at + 1, factor * means[at], 'o', color=color, markersize=4, label=f'{delay:g} s')
    if len(set(delays)) <= 8:
        axes.legend(frameon=False, labelcolor=INK, fontsize=8, ncols=8, loc='lower left',
                    bbox_to_anchor=(-0.02, 1.0), columnspacing=0.9, handletextpad=0.1)  # fmt: skip
    canvas.subplots_adjust(left=0.12, right=0.98, top=0.89, bottom=0.17)
    return curve(
        canvas,
        'repetitions',
        'Mean difference in grey-matter-like voxels, measurement by measurement, coloured by '
        'delay. Repetitions of one delay should agree; one far away was moved or disturbed.',
        f'{n_measurements} measurements.',
    )


def dress(axes: Axes, x_label: str, y_label: str) -> None:
    """Give axes the look all curves share."""
    axes.set_facecolor('none')
    axes.set_xlabel(x_label, color=INK, fontsize=9)
    axes.set_ylabel(y_label, color=INK, fontsize=9)
    axes.tick_params(colors=INK, labelsize=8, color=FAINT, length=3)
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ('left', 'bottom'))
        spine.set_color(FAINT)


def _lines(
    axes: Axes, table: pd.DataFrame, columns: tuple[str, ...], factor: float, label: str
) -> None:
    dress(axes, '', label)
    for column, color in zip(columns, (BLUE, ORANGE, GREEN), strict=True):
        axes.plot(factor * table[column].to_numpy(float), color=color, linewidth=1.3,
                  label=column[-1])  # fmt: skip
    axes.legend(frameon=False, labelcolor=INK, fontsize=8, loc='center left',
                bbox_to_anchor=(1.0, 0.5))  # fmt: skip


def _displacement(axes: Axes, table: pd.DataFrame) -> None:
    dress(axes, '', 'FD [mm]')
    moved = table['framewise_displacement'].to_numpy(float)
    axes.plot(np.nan_to_num(moved), color=GRID, linewidth=1)
    axes.axhline(expectation('fd_mean').usual_high, color=FAINT, linewidth=1, linestyle='--')
    for volume_type, color in VOLUME_COLORS.items():
        at = np.flatnonzero((table['volume_type'] == volume_type) & np.isfinite(moved))
        if len(at):
            axes.plot(at, moved[at], 'o', color=color, markersize=3.5, label=str(volume_type))
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, labelcolor=INK, fontsize=8, loc='center left',
                bbox_to_anchor=(1.0, 0.5))  # fmt: skip


def _finite(values: FloatArray) -> FloatArray:
    return np.asarray(values[np.isfinite(values)])
