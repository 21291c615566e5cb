"""Figures of the reproduction of Mao et al.: losses, estimates, maps and bases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from aslprep_nn.estimation.benchmark.scenarios import PCASL_21
from aslprep_nn.estimation.subspace.reproduction.cases import LOOK_LOCKER
from aslprep_nn.estimation.subspace.reproduction.compression import CRB_WEIGHTS, CaseLosses
from aslprep_nn.estimation.subspace.reproduction.maps import PlaneMaps
from aslprep_nn.estimation.subspace.reproduction.scatter import WEIGHTS, CaseScatter, Scatter
from aslprep_nn.estimation.subspace.reproduction.suite import SubspaceReproduction
from aslprep_nn.report.curves import dress
from aslprep_nn.report.figures import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    Figure,
    blank,
    curve,
)

#: One for each size of subspace, the smallest first.
SIZE_COLORS = (ORANGE, BLUE, GREEN)
#: One for each weight of the bounds that estimates are made with.
WEIGHT_COLORS = dict(zip(WEIGHTS, (BLUE, ORANGE), strict=True))
UNITS = {'cbf': 'CBF', 'att': 'ATT', 't1': 'T1', 't2': 'T2'}
#: Along the axis of T1 [ms].
TICKS = (600, 1000, 1400)
#: Ends of the colours of mean errors and of root mean squares [%].
WORST_BIAS, WORST_ERROR = 3.0, 12.0


def subspace_figures(found: SubspaceReproduction) -> tuple[Figure, ...]:
    """Draw figures 2, 4 and 6 of the paper as they come out in simulation, and bases of ASL."""
    return (
        loss_figure(found.losses),
        estimate_figure(found.scatter),
        plane_figure(found.plane),
        basis_figure(found.losses),
    )


def loss_figure(found: Sequence[CaseLosses]) -> Figure:
    """Plot Figure 2: losses of energy and of bounds, and R, against the weight."""
    canvas = blank(1160, 560)
    rows = canvas.subplots(3, len(found), sharex=True, squeeze=False)
    for column, one in enumerate(found):
        energy, bound, ratio = (row[column] for row in rows)
        for size, color in zip(one.case.n_components, SIZE_COLORS, strict=True):
            losses = [one.losses[size, weight] for weight in CRB_WEIGHTS]
            energy.plot(
                CRB_WEIGHTS, [loss.energy for loss in losses], color=color,
                label=f'{size} components',
            )  # fmt: skip
            bound.plot(CRB_WEIGHTS, [loss.mean_exact for loss in losses], color=color)
            bound.plot(CRB_WEIGHTS, [loss.mean_approximate for loss in losses], ':', color=color)
            ratio.plot(CRB_WEIGHTS, [loss.ratio for loss in losses], color=color)
        for axes in (energy, bound, ratio):
            dress(axes, '', '')
        energy.set_title(one.case.name.replace(', T1', ',\nT1'), color=INK, fontsize=9, loc='left')
        energy.set_yscale('log')
        energy.set_ylim(1e-6, 1)
        bound.set_ylim(0, 0.9)
        ratio.set_ylim(0.2, 1.02)
        ratio.set_xlabel('lambda', color=INK, fontsize=9)
        energy.legend(frameon=False, labelcolor=INK, fontsize=7, loc='lower right')
    for row, label in zip(
        rows, ('energy loss', 'CRB loss (dotted: approximate)', 'R'), strict=True
    ):
        row[0].set_ylabel(label, color=INK, fontsize=8)
    canvas.subplots_adjust(left=0.055, right=0.995, top=0.92, bottom=0.085, wspace=0.3, hspace=0.12)
    return curve(
        canvas,
        'figure2',
        'What subspaces lose in tissues they were not made from, against the weight of the bounds: '
        'energy of the signals, one minus the ratio of the bound of all data to that of the '
        'coefficients (dotted: the approximate one), and R, their mean ratio.',
        'With T1 unknown and in MRF-FISP the loss of three components falls steeply from weight 0 '
        'to .1; with two parameters it hardly falls.',
    )


def estimate_figure(found: Sequence[CaseScatter]) -> Figure:
    """Plot Figure 4: bias and standard deviation against the number of components."""
    canvas = blank(1160, 470)
    columns = [(one, scatter) for one in found for scatter in one.parameters]
    rows = canvas.subplots(2, len(columns), sharex=True, squeeze=False)
    for column, (one, scatter) in enumerate(columns):
        bias, std = (row[column] for row in rows)
        for axes in (bias, std):
            dress(axes, '', '')
        _estimate_panels(bias, std, scatter)
        name = one.case.name.replace(', T1 unknown', '').replace(', ', ',\n')
        bias.set_title(f'{name}\n{UNITS[scatter.parameter]}', color=INK, fontsize=9, loc='left')
        std.set_xlabel('components', color=INK, fontsize=9)
    for row, label in zip(rows, ('bias [%]', 'standard deviation [%]'), strict=True):
        row[0].set_ylabel(label, color=INK, fontsize=9)
    canvas.subplots_adjust(left=0.05, right=0.995, top=0.87, bottom=0.19, wspace=0.3, hspace=0.12)
    handles, labels = rows[1][0].get_legend_handles_labels()
    canvas.legend(
        handles, labels, loc='lower center', frameon=False, labelcolor=INK, fontsize=8, ncols=5
    )
    return curve(
        canvas,
        'figure4',
        'Bias (bars: two standard errors) and standard deviation of estimates from coefficients, '
        'relative to the truth, at a signal to noise ratio of 50: matched T1 and T2 of white '
        'matter, fitted CBF and ATT of grey matter with T1 fitted too. Dotted: the bound of the '
        'coefficients; dashed: that of all data.',
        'Standard deviations lie on their bounds, which are lower with the bounds in the weight '
        'for all but T2 of this white matter.',
    )


def plane_figure(found: PlaneMaps) -> Figure:
    """Plot Figure 6: errors of R1 over all grey and white matter."""
    canvas = blank(1160, 560)
    rows = canvas.subplots(2, len(found.r1_error), sharex=True, sharey=True, squeeze=False)
    extent = tuple(float(1e3 * end) for axis in (found.t1, found.t2) for end in (axis[0], axis[-1]))
    kinds: tuple[tuple[Mapping[tuple[int, float], object], float, float, str, str], ...] = (
        (found.r1_error, -WORST_BIAS, WORST_BIAS, 'RdBu_r', 'mean error of R1 [%]'),
        (found.r1_rms, 0.0, WORST_ERROR, 'viridis', 'root mean square error of R1 [%]'),
    )
    for row, (maps, low, high, colors, label) in zip(rows, kinds, strict=True):
        for axes, ((n, weight), values) in zip(row, maps.items(), strict=True):
            image = axes.imshow(
                100 * np.asarray(values), origin='lower', extent=extent, aspect='auto',
                vmin=low, vmax=high, cmap=colors, interpolation='nearest',
            )  # fmt: skip
            axes.tick_params(colors=INK, labelsize=8)
            axes.set_xticks(TICKS)
            if maps is found.r1_error:
                title = f'{n} components,\nlambda {weight:g}'
                axes.set_title(title, color=INK, fontsize=9, loc='left')
            else:
                axes.set_xlabel('T1 [ms]', color=INK, fontsize=9)
        row[0].set_ylabel('T2 [ms]', color=INK, fontsize=9)
        bar = canvas.colorbar(image, ax=list(row), fraction=0.012, pad=0.01)
        bar.ax.tick_params(colors=INK, labelsize=8)
        bar.set_label(label, color=INK, fontsize=8)
    return curve(
        canvas,
        'figure6',
        'Mean error (16 measurements each) and root mean square error of R1, matched in subspaces '
        'of MRF-FISP, over the relaxation times of grey and white matter at a signal to noise '
        'ratio of 50.',
        'With three components errors are largest where T2 is short, and smaller with the bounds '
        'in the weight; with ten nothing is left to gain.',
    )


def basis_figure(found: Sequence[CaseLosses]) -> Figure:
    """Plot the first vectors of perfusion bases over delays: who carries the information."""
    delays = {len(one.pld): np.array(one.pld) for one in (PCASL_21, LOOK_LOCKER)}
    shown = [one for one in found if one.case.n_times in delays]
    canvas = blank(1160, 330)
    panels = canvas.subplots(1, len(shown), sharex=True, squeeze=False)[0]
    for axes, one in zip(panels, shown, strict=True):
        dress(axes, '', '')
        when = delays[one.case.n_times]
        for weight, style in ((0.0, ':'), (0.5, '-')):
            vectors = one.bases[weight].vectors[:, : one.case.n_components[0]].numpy()
            for place, (vector, color) in enumerate(zip(vectors.T, SIZE_COLORS, strict=False)):
                upright = vector * np.sign(vector[np.abs(vector).argmax()])
                label = f'component {place + 1}, lambda {weight:g}'
                axes.plot(when, upright, style, color=color, label=label, linewidth=1.4)
        axes.axhline(0, color=FAINT, linewidth=0.8)
        axes.set_title(one.case.name.replace(', T1', ',\nT1'), color=INK, fontsize=9, loc='left')
        axes.set_xlabel('delay [s]', color=INK, fontsize=9)
    canvas.subplots_adjust(left=0.035, right=0.995, top=0.86, bottom=0.29, wspace=0.2)
    handles, labels = max(
        (axes.get_legend_handles_labels() for axes in panels), key=lambda h: len(h[0])
    )
    canvas.legend(
        handles, labels, loc='lower center', frameon=False, labelcolor=INK, fontsize=8, ncols=6
    )
    return curve(
        canvas,
        'bases',
        'Which combinations of delays the smallest subspaces keep: dotted of signals alone, solid '
        'with half the weight on the bounds of CBF and ATT.',
        'The second and third vector with weight on the bounds change more abruptly with delay.',
    )


def _estimate_panels(bias: Axes, std: Axes, scatter: Scatter) -> None:
    sizes = sorted({n for n, _ in scatter.std})
    bias.axhline(0, color=FAINT, linewidth=0.8)
    for weight, color in WEIGHT_COLORS.items():
        keys = [(n, weight) for n in sizes]
        bias.errorbar(
            sizes, [100 * scatter.bias[key] for key in keys],
            [200 * scatter.bias_error[key] for key in keys],
            fmt='o-', color=color, markersize=3.5, linewidth=1.4,
        )  # fmt: skip
        std.plot(
            sizes, [100 * scatter.std[key] for key in keys], 'o-', color=color,
            markersize=3.5, linewidth=1.4, label=f'lambda {weight:g}',
        )  # fmt: skip
        std.plot(
            sizes, [100 * scatter.exact_bound[key] for key in keys], ':', color=color,
            linewidth=1.8, label=f'bound of coefficients, lambda {weight:g}',
        )  # fmt: skip
    std.axhline(
        100 * scatter.uncompressed_bound, color=INK, linestyle='--', linewidth=1.2,
        label='bound of all data',
    )  # fmt: skip
    std.set_xticks(sizes)
