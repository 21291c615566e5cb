"""Figures of an evaluation: maps side by side, errors against SNR, intervals against errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from aslprep_nn.evaluation.estimators import Family
from aslprep_nn.evaluation.gallery import Gallery
from aslprep_nn.evaluation.in_vivo import Stability
from aslprep_nn.evaluation.scores import Parameter, Region
from aslprep_nn.evaluation.suite import Evaluation
from aslprep_nn.evaluation.tables import UNITS
from aslprep_nn.report.curves import dress
from aslprep_nn.report.figures import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    Figure,
    Mime,
    as_png,
    blank,
    curve,
    screen_height,
    screen_width,
)
from aslprep_nn.report.painting import ATT, CBF, PLATE, Scale, paint
from aslprep_nn.report.sheet import TEXT

#: Colour and line of each estimator.
LINES = {
    Family.LEAST_SQUARES: (FAINT, ':'),
    Family.POSTERIOR: (FAINT, '-'),
    Family.SMOOTHED: (BLUE, '-'),
    Family.TOTAL_VARIATION: (PURPLE, '-'),
    Family.HYBRID_AS_SHIPPED: (GREEN, ':'),
    Family.HYBRID: (GREEN, '-'),
    Family.LEAST_ERROR: (ORANGE, '-'),
    Family.LEAST_BIAS: (ORANGE, '--'),
}
#: Voxels shown around the brain; pixels of each.
MARGIN, ENLARGED = 2, 4
REGIONS = (Region.BRAIN, Region.GRAY_MATTER, Region.WHITE_MATTER)


def evaluation_figures(found: Evaluation) -> tuple[Figure, ...]:
    """Draw all figures."""
    return gallery_figure(found.gallery), error_figure(found), reliability_figure(found)


def gallery_figure(gallery: Gallery) -> Figure:
    """Show the maps of one brain beside each other."""
    columns = {'truth': gallery.truth} | {str(f): maps for f, maps in gallery.maps.items()}
    mask = gallery.mask.numpy()
    places = [np.flatnonzero(mask.any(axis)) for axis in (1, 0)]
    window = tuple(slice(max(place[0] - MARGIN, 0), place[-1] + 1 + MARGIN) for place in places)
    shape = mask[window].shape
    width = 190
    height = width * shape[1] / shape[0]
    canvas = blank(width * len(columns) + 90, 2 * height + 40)
    canvas.set_facecolor(PLATE)
    panels = canvas.subplots(2, len(columns), squeeze=False)
    canvas.subplots_adjust(left=0.005, right=0.93, top=0.93, bottom=0.005, wspace=0.02, hspace=0.03)
    for column, (name, maps) in enumerate(columns.items()):
        for row, scale in enumerate((CBF, ATT)):
            axes = panels[row][column]
            plane = _upright(maps[row].numpy()[window])
            axes.imshow(paint(plane, _upright(mask[window]), scale), interpolation='nearest')
            axes.axis('off')
            if row == 0:
                axes.set_title(name, color=TEXT, fontsize=9)
    for row, scale in enumerate((CBF, ATT)):
        _color_bar(canvas, panels[row][-1], scale)
    return Figure(
        'maps',
        f'CBF and ATT of a simulated brain with lesions at SNR {gallery.snr:g}: the truth, and '
        'what the estimators make of one measurement. Baselines marked ** have the settings that '
        'are best for the whole brain, which only the truth can tell.',
        'Maps side by side.',
        Mime.PNG,
        as_png(canvas),
        screen_width(canvas),
        screen_height(canvas),
    )


def error_figure(found: Evaluation) -> Figure:
    """Plot the error of each estimator against SNR."""
    canvas = blank(1100, 620)
    panels = canvas.subplots(2, len(REGIONS), sharex=True, squeeze=False)
    snr = [one.condition.snr for one in found.known]
    for row, parameter in zip(panels, Parameter, strict=True):
        factor, unit = UNITS[parameter]
        for axes, region in zip(row, REGIONS, strict=True):
            dress(axes, 'SNR', f'RMSE of {parameter.name} [{unit}]')
            for family in (f for f in LINES if f in found.typical.families):
                color, style = LINES[family]
                values = [factor * one.score(family, parameter, region).rmse for one in found.known]
                axes.plot(snr, values, color=color, linestyle=style, marker='o', markersize=3,
                          linewidth=1.4, label=str(family))  # fmt: skip
            axes.set(xscale='log', yscale='log')
            axes.set_xticks(snr, [f'{one:g}' for one in snr])
            axes.minorticks_off()
            axes.set_title(region.words, color=INK, fontsize=9, loc='left')
    canvas.subplots_adjust(left=0.06, right=0.99, top=0.95, bottom=0.17, wspace=0.24, hspace=0.2)
    handles, labels = panels[0][0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc='lower center', frameon=False, labelcolor=INK, fontsize=8,
                  ncols=4)  # fmt: skip
    return curve(
        canvas,
        'errors',
        'Root mean square error against the signal-to-noise ratio, physics known. Baselines '
        'marked ** have their best setting in every point.',
        'Errors fall with SNR.',
    )


def reliability_figure(found: Evaluation) -> Figure:
    """Plot how often the truth lies in the predictive intervals."""
    canvas = blank(1000, 330)
    panels = canvas.subplots(1, 2, sharey=True)
    snr = [one.condition.snr for one in found.known]
    stated = (Family.LEAST_SQUARES, Family.POSTERIOR, Family.LEAST_ERROR, Family.LEAST_BIAS)
    for axes, parameter in zip(panels, Parameter, strict=True):
        dress(axes, 'SNR', 'share of voxels' if parameter is Parameter.CBF else '')
        for level in (0.68, 0.95):
            axes.axhline(level, color=FAINT, linewidth=0.8)
        for family in (f for f in stated if f in found.typical.families):
            _coverage_lines(axes, found, family, parameter)
        axes.set(xscale='log', ylim=(0, 1.02))
        axes.set_xticks(snr, [f'{one:g}' for one in snr])
        axes.minorticks_off()
        axes.set_title(parameter.name, color=INK, fontsize=9, loc='left')
    canvas.subplots_adjust(left=0.07, right=0.99, top=0.92, bottom=0.27, wspace=0.08)
    handles, labels = panels[0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc='lower center', frameon=False, labelcolor=INK, fontsize=8,
                  ncols=4)  # fmt: skip
    return curve(
        canvas,
        'reliability',
        'Share of the voxels of the brain whose truth lies within the 68 % (lower curves) and '
        '95 % (upper curves) predictive interval; right are the grey lines.',
        'Coverage against SNR.',
    )


def joint_figure(found: Stability) -> Figure | None:
    """Show how the network's estimates of a real brain agree with those of least squares."""
    if Family.LEAST_ERROR not in found.everything:
        return None
    fitted, network = (found.everything[f] for f in (Family.LEAST_SQUARES, Family.LEAST_ERROR))
    canvas = blank(900, 420)
    canvas.set_facecolor('white')
    panels = canvas.subplots(1, 2)
    for axes, parameter, scale in zip(panels, Parameter, (CBF, ATT), strict=True):
        dress(axes, f'least squares: {scale.label}', f'network, dial 1: {scale.label}')
        ends = [scale.low, 1.2 * scale.high]
        x, y = (one[parameter].numpy() for one in (fitted, network))
        counts = axes.hist2d(x, y, bins=80, range=[ends, ends], norm=LogNorm(), cmap='viridis')
        axes.plot(ends, ends, color=FAINT, linewidth=0.8)
        axes.set_aspect('equal')
        canvas.colorbar(counts[3], ax=axes, label='voxels')
    canvas.subplots_adjust(left=0.07, right=0.97, top=0.96, bottom=0.13, wspace=0.3)
    return Figure(
        'joint',
        f'Joint histogram of the estimates of {found.scan.name} from all repetitions, voxels '
        'where least squares converged. The network pulls noisy voxels towards their neighbours.',
        'Network against least squares.',
        Mime.PNG,
        as_png(canvas),
        screen_width(canvas),
        screen_height(canvas),
    )


def _coverage_lines(axes: Axes, found: Evaluation, family: Family, parameter: Parameter) -> None:
    color, style = LINES[family]
    snr = [one.condition.snr for one in found.known]
    scores = [one.score(family, parameter, Region.BRAIN) for one in found.known]
    for name in ('within_68', 'within_95'):
        axes.plot(snr, [getattr(one, name) for one in scores], color=color, linestyle=style,
                  marker='o', markersize=3, linewidth=1.4,
                  label=str(family) if name == 'within_68' else None)  # fmt: skip


def _upright(plane: NDArray[Any]) -> NDArray[Any]:
    """Turn ``(x, y)`` into rows and columns of enlarged voxels, y upwards."""
    return np.repeat(np.repeat(plane.T[::-1], ENLARGED, 0), ENLARGED, 1)


def _color_bar(canvas: Canvas, axes: Axes, scale: Scale) -> None:
    """Draw the bar of a scale to the right of axes."""
    box = axes.get_position()
    place = canvas.add_axes((box.x1 + 0.01, box.y0 + 0.1 * box.height, 0.01, 0.8 * box.height))
    colors = ScalarMappable(norm=scale.norm, cmap=scale.color_map)
    bar = canvas.colorbar(colors, cax=place)
    bar.set_label(scale.label, color=TEXT, fontsize=8)
    place.tick_params(labelsize=7, colors=TEXT, length=2)
