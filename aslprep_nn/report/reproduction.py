"""Figures 1 and 3 of the reproduction: what settles with repetitions, and how fast."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from aslprep_nn.misspecification.bootstrap import null_kappa
from aslprep_nn.misspecification.reproduction.convergence import OrganConvergence, Spectrum
from aslprep_nn.misspecification.reproduction.early_late import SCATTER_SCENARIOS, Scatter
from aslprep_nn.misspecification.reproduction.scenarios import Scenario
from aslprep_nn.misspecification.reproduction.suite import Reproduction
from aslprep_nn.report.curves import dress
from aslprep_nn.report.figures import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SHADE,
    Figure,
    blank,
    curve,
)
from aslprep_nn.report.reproduction_maps import own_t1_figure, subset_figure

#: Scenarios in which repetitions differ by more than noise stand out; the others are alike.
COLORS = {
    Scenario.CORRECT: BLUE,
    Scenario.OUTFLOW: GREEN,
    Scenario.FLOW: PURPLE,
    Scenario.MOVED: ORANGE,
}
KAPPA_RANGE = (1.0, 200.0)
#: Between the numbers of repetitions that are simulated the band is drawn smoothly.
BAND_REPETITIONS = range(3, 51)


def reproduction_figures(found: Reproduction) -> tuple[Figure, ...]:
    """Draw the four figures of the paper as they come out in simulation."""
    return (
        convergence_figure(found.convergence),
        subset_figure(found.subset_maps),
        scatter_figure(found.scatter),
        own_t1_figure(found.own_t1),
    )


def convergence_figure(found: Sequence[OrganConvergence]) -> Figure:
    """Plot Figure 1: kappa, eigenvalues, bias and scatter against repetitions."""
    canvas = blank(1160, 700)
    rows = canvas.subplots(len(found), 4, sharex=True, squeeze=False)
    for row, one in zip(rows, found, strict=True):
        kappa, eigenvalues, cbf, att = row
        _kappa_panel(kappa, one)
        _eigenvalue_panel(eigenvalues, one)
        settled = one.settling
        _estimate_panel(
            cbf, one, 'CBF [mL/100 g/min]', 1.0,
            (settled.std_cbf, settled.bound_cbf, settled.bias_cbf),
        )  # fmt: skip
        _estimate_panel(
            att, one, 'ATT [ms]', 1e3, (settled.std_att, settled.bound_att, settled.bias_att)
        )
    canvas.subplots_adjust(left=0.045, right=0.99, top=0.95, bottom=0.22, wspace=0.24, hspace=0.2)
    for axes in rows[-1]:
        axes.set_xlabel('repetitions M', color=INK, fontsize=9)
    for axes, place in ((rows[-1][0], 0.045), (rows[-1][1], 0.52), (rows[-1][2], 0.74)):
        handles, labels = axes.get_legend_handles_labels()
        canvas.legend(
            handles, labels, loc='upper left', bbox_to_anchor=(place, 0.145), frameon=False,
            labelcolor=INK, fontsize=8, ncols=2 if axes is rows[-1][0] else 1,
        )  # fmt: skip
    return curve(
        canvas,
        'figure1',
        'How kappa, the eigenvalues and the estimates settle with the number of repetitions M; '
        'medians over voxels. Half of all correct voxels lie above the dashed line and nine in '
        'ten in the band. Wrong models (grey) lie on the line at every M: kappa does not see '
        'them. Resampling with replacement inflates kappa. Two repetitions make it infinite.',
        'kappa of a correct model and of five wrong ones follow the same null; only changes '
        'between repetitions leave it. The standard deviation follows its bound.',
    )


def scatter_figure(found: Sequence[Scatter]) -> Figure:
    """Plot Figure 3: variance of early and late estimates against repetitions."""
    canvas = blank(1160, 560)
    panels = canvas.subplots(2, 2 * len(found), squeeze=False)
    columns = [(one, half) for one in found for half in ('early', 'late')]
    for column, (one, half) in enumerate(columns):
        for row, (key, unit) in enumerate((('cbf', '(mL/100 g/min)²'), ('att', 's²'))):
            axes = panels[row][column]
            _scatter_panel(axes, one, (key, half))
            if column == 0:
                axes.set_ylabel(f'variance of {key.upper()} [{unit}]', color=INK, fontsize=9)
            if row == 0:
                title = f'{one.organ.name}, {half} delays'
                axes.set_title(title, color=INK, fontsize=9, loc='left')
            else:
                axes.set_xlabel('repetitions M', color=INK, fontsize=9)
    canvas.subplots_adjust(left=0.06, right=0.99, top=0.95, bottom=0.17, wspace=0.24, hspace=0.14)
    handles, labels = panels[0][0].get_legend_handles_labels()
    canvas.legend(
        handles, labels, loc='lower center', frameon=False, labelcolor=INK, fontsize=8, ncols=4
    )
    return curve(
        canvas,
        'figure3',
        'Variance of estimates from the early and from the late half of the delays over ten '
        'scans, beside the Cramér-Rao bound (dotted); medians over voxels that both halves '
        'identify. A flow that changes between repetitions lifts the variance of CBF off its '
        'bound; outflow does not.',
        'The variance of a correct model lies on the bound.',
    )


def _kappa_panel(axes: Axes, one: OrganConvergence) -> None:
    _repetition_axes(axes, one, 'kappa')
    low, high = (
        [min(null_kappa(1 - share, count), KAPPA_RANGE[1]) for count in BAND_REPETITIONS]
        for share in (0.05, 0.95)
    )
    axes.fill_between(BAND_REPETITIONS, low, high, color=SHADE, linewidth=0, zorder=0)
    axes.fill_between([], [], [], color=SHADE, label='null: 5 to 95 % of voxels')
    middle = [null_kappa(0.5, count) for count in BAND_REPETITIONS]
    axes.plot(BAND_REPETITIONS, middle, '--', color=INK, linewidth=1.2, label='null: median')
    alike = [scenario for scenario in one.spectra if scenario not in COLORS]
    for scenario in [*alike, Scenario.OUTFLOW]:
        label = 'T1, duration, artery, late slice, outflow' if scenario is alike[0] else None
        _line(axes, one, one.spectra[scenario].kappa, color=FAINT, label=label)
    resampled = 'correct, resampled with replacement'
    _line(axes, one, one.resampled.kappa, color=GREEN, label=resampled)
    subsets = [value if math.isfinite(value) else math.nan for value in one.subsets.kappa]
    axes.plot(
        one.subsets.n_repetitions, subsets, 'x', color=INK, markersize=5, zorder=4,
        label='correct, subsets without replacement',
    )  # fmt: skip
    for scenario in (Scenario.MOVED, Scenario.FLOW, Scenario.CORRECT):
        kappa = one.spectra[scenario].kappa
        _line(axes, one, kappa, color=COLORS[scenario], label=str(scenario), marker='o')
    axes.text(2, 0.9 * KAPPA_RANGE[1], '∞', color=INK, fontsize=11, ha='center', va='top')
    _log_scale(axes, (1.0, 3.0))
    axes.set_ylim(*KAPPA_RANGE)


def _eigenvalue_panel(axes: Axes, one: OrganConvergence) -> None:
    _repetition_axes(axes, one, 'eigenvalues of P [1]')
    axes.axhline(1, color=INK, linewidth=1.2, linestyle='--', label='noise as assumed')
    curves: tuple[tuple[Spectrum, str, str], ...] = (
        (one.resampled, GREEN, 'resampled with replacement'),
        (one.spectra[Scenario.CORRECT], BLUE, 'correct model'),
    )
    for spectrum, color, label in curves:
        _line(axes, one, spectrum.lambda_max, color=color, label=label, marker='o')
        _line(axes, one, spectrum.lambda_min, color=color, marker='o')
    axes.set_ylim(0, 2)


def _estimate_panel(
    axes: Axes,
    one: OrganConvergence,
    title: str,
    factor: float,
    values: tuple[Sequence[float], Sequence[float], Sequence[float]],
) -> None:
    std, bound, bias = (factor * np.array(part) for part in values)
    _repetition_axes(axes, one, title)
    axes.plot(one.n_repetitions, bound, ':', color=INK, linewidth=1.6, label='Cramér-Rao bound')
    _line(axes, one, std, color=BLUE, label='standard deviation', marker='o')
    _line(axes, one, bias, color=ORANGE, label='|bias|', marker='s')
    _log_scale(axes, (1.0,))


def _scatter_panel(axes: Axes, one: Scatter, key: tuple[str, str]) -> None:
    dress(axes, '', '')
    axes.plot(
        one.n_repetitions, one.bound[key], ':', color=INK, linewidth=1.8, label='Cramér-Rao bound'
    )
    for scenario in SCATTER_SCENARIOS:
        axes.plot(
            one.n_repetitions, one.variance[*key, scenario], 'o-', color=COLORS[scenario],
            linewidth=1.5, markersize=3.5, label=str(scenario),
        )  # fmt: skip
    _log_scale(axes, (1.0, 2.0, 5.0))
    axes.set_xticks(one.n_repetitions[::2])


def _log_scale(axes: Axes, steps: tuple[float, ...]) -> None:
    """Make the vertical axis logarithmic, its ticks these steps of every decade."""
    axes.set_yscale('log')
    axes.yaxis.set_major_locator(LogLocator(subs=steps))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
    axes.yaxis.set_minor_locator(NullLocator())


def _repetition_axes(axes: Axes, one: OrganConvergence, title: str) -> None:
    dress(axes, '', '')
    axes.set_title(f'{one.organ.name}: {title}', color=INK, fontsize=9, loc='left')
    axes.set_xscale('log')
    ticks = (2, 4, 8, 16, 32, 50)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([str(tick) for tick in ticks])


def _line(
    axes: Axes,
    one: OrganConvergence,
    values: Iterable[float],
    *,
    color: str,
    label: str | None = None,
    marker: str = '',
) -> None:
    """Draw what is finite: two repetitions make kappa infinite."""
    drawn = [value if math.isfinite(value) else math.nan for value in values]
    axes.plot(
        one.n_repetitions, drawn, color=color, label=label, marker=marker, markersize=3.5,
        linewidth=1.5 if marker else 1.1,
    )  # fmt: skip
