"""Figures 2 and 4 of the reproduction: maps of two phantoms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure as Canvas
from matplotlib.image import AxesImage

from aslprep_nn.maps import FloatArray
from aslprep_nn.misspecification.reproduction.early_late import SubsetMaps
from aslprep_nn.misspecification.reproduction.own_t1 import OwnT1Maps
from aslprep_nn.report.figures import (
    INK,
    Figure,
    Mime,
    as_png,
    blank,
    screen_height,
    screen_width,
)
from aslprep_nn.report.painting import PLATE
from aslprep_nn.report.regions import BoolArray

#: Voxels of the organ in which nothing could be computed.
UNTESTED = '#6c737d'
#: Voxels shown around an organ; height of a colour bar over the width of its map.
MARGIN, BAR_HEIGHT = 1, 0.5


@dataclass(frozen=True)
class Shade:
    """How a map is coloured: a colour map of matplotlib, its ends, and what the bar says."""

    colors: str
    norm: Normalize
    label: str


ATT = Shade('viridis', Normalize(0, 2), 'ATT [s]')
DIFFERENCE = Shade('cividis', Normalize(0, 50), '[% of the estimate]')
P_VALUE = Shade('magma', LogNorm(1e-3, 1), 'p')
CHANGE = Shade('RdBu_r', Normalize(-50, 50), 'after − before [%]')
CHANGE_OF_P = Shade('RdBu_r', Normalize(-1, 1), 'after − before')
#: The end of the scale of CBF, by organ [mL/100 g/min].
CBF_END = {'brain': 100.0, 'kidney': 500.0}


def subset_figure(rows: Sequence[SubsetMaps]) -> Figure:
    """Draw Figure 2: estimates from early and from late delays."""
    heights = [_aspect(row.maps['cbf early']) + BAR_HEIGHT for row in rows]
    canvas = _white(1160, 160 * sum(heights))
    panels = canvas.subplots(len(rows), 7, squeeze=False, height_ratios=heights)
    for axes, row in zip(panels, rows, strict=True):
        cbf = Shade('inferno', Normalize(0, CBF_END[row.organ.name]), 'CBF [mL/100 g/min]')
        inside = _inside(row)
        _pair(canvas, axes[:3], row, 'cbf', cbf)
        _pair(canvas, axes[3:6], row, 'att', ATT)
        image = _show(axes[6], row.maps['p'], inside, P_VALUE, 'p of the difference')
        _bar(canvas, image, [axes[6]], P_VALUE)
        axes[0].set_ylabel(row.title, color=INK, fontsize=9)
    rejected = '; '.join(f'{row.title}: {100 * row.rejected:.0f} %' for row in rows)
    return _picture(
        canvas,
        'figure2',
        'CBF and ATT of simulated slices from the early and from the late half of the delays, '
        'their relative difference and the p-value of the difference where both halves identify '
        'the voxel (grey: they do not). Differences of several per cent are what noise alone '
        f'makes; only p tells them from a wrong model. Share with p < .05: {rejected}.',
        'The correct kidney differs by several per cent, too.',
    )


def _pair(canvas: Canvas, axes: Sequence[Axes], row: SubsetMaps, key: str, shade: Shade) -> None:
    """Show one parameter from early and late delays, and how far they differ."""
    early, late, error = axes
    inside = _inside(row)
    _show(early, row.maps[f'{key} early'], inside, shade, 'early')
    image = _show(late, row.maps[f'{key} late'], inside, shade, 'late')
    _bar(canvas, image, [early, late], shade)
    mean = row.cbf_error if key == 'cbf' else row.att_error
    title = f'|early − late|, mean {100 * mean:.0f} %'
    image = _show(error, 100 * row.maps[f'{key} error'], inside, DIFFERENCE, title)
    _bar(canvas, image, [error], DIFFERENCE)


def _inside(row: SubsetMaps) -> BoolArray:
    early, late = (np.isfinite(row.maps[f'cbf {half}']) for half in ('early', 'late'))
    return np.asarray(early | late)


def _aspect(values: FloatArray) -> float:
    """Find how high the organ's part of a map is for its width."""
    rows, columns = _window(np.isfinite(values))
    return float(rows.stop - rows.start) / float(columns.stop - columns.start)


def own_t1_figure(organs: Sequence[OwnT1Maps]) -> Figure:
    """Draw Figure 4: eigenvalues, kappa and lack of fit with one T1 and with a T1 map."""
    quantities: Mapping[str, Shade] = {
        'lambdamax': Shade('inferno', Normalize(0, 3), 'λ max [1]'),
        'lambdamin': Shade('inferno', Normalize(0, 1.5), 'λ min [1]'),
        'kappa': Shade('inferno', LogNorm(1, 20), 'κ [1]'),
        'pmodel': Shade('magma', LogNorm(1e-3, 1), 'p of the fit'),
    }
    widths = [1 / _aspect(organ.before['kappa']) for organ in organs for _ in range(3)]
    canvas = _white(1160, 780)
    panels = canvas.subplots(len(quantities), 3 * len(organs), squeeze=False, width_ratios=widths)
    for column, organ in enumerate(organs):
        for axes, (name, shade) in zip(panels, quantities.items(), strict=True):
            before, after = organ.before[name], organ.after[name]
            inside = np.isfinite(organ.before['kappa'])
            first, second, third = axes[3 * column : 3 * column + 3]
            _show(first, before, inside, shade, f'{organ.organ.name}, one T1')
            image = _show(second, after, inside, shade, 'T1 map')
            _bar(canvas, image, [first, second], shade)
            is_p = name == 'pmodel'
            difference = after - before if is_p else 100 * (after / before - 1)
            change = CHANGE_OF_P if is_p else CHANGE
            image = _show(third, difference, inside, change, 'change')
            _bar(canvas, image, [third], change)
    return _picture(
        canvas,
        'figure4',
        'The brightest 10 % of voxels have a tissue T1 20 % longer. Eigenvalues of P, kappa and '
        'the p-value of the lack of fit when all voxels are fitted with one T1 and when each is '
        'fitted with its own. Eigenvalues and kappa hardly move where T1 was wrong; the lack of '
        'fit, dark there before, is mended.',
        'Only the p-value of the fit shows where T1 was wrong.',
    )


def _show(axes: Axes, values: FloatArray, inside: BoolArray, shade: Shade, title: str) -> AxesImage:
    """Show a map on a dark plate, cut to the organ."""
    window = _window(inside)
    picture = values[window]
    colors = mpl.colormaps[shade.colors]
    axes.imshow(np.where(inside[window], 1.0, np.nan), cmap=mpl.colors.ListedColormap([UNTESTED]))
    image = axes.imshow(picture, cmap=colors, norm=shade.norm, interpolation='nearest')
    axes.set_facecolor(PLATE)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, color=INK, fontsize=8)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return image


def _window(inside: BoolArray) -> tuple[slice, slice]:
    """Find the rows and columns that the organ takes, and a margin."""
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    return (
        slice(max(rows[0] - MARGIN, 0), rows[-1] + 1 + MARGIN),
        slice(max(columns[0] - MARGIN, 0), columns[-1] + 1 + MARGIN),
    )


def _bar(canvas: Canvas, image: AxesImage, axes: list[Axes], shade: Shade) -> None:
    bar = canvas.colorbar(image, ax=axes, location='bottom', shrink=0.8, aspect=18, pad=0.03)
    bar.set_label(shade.label, color=INK, fontsize=7.5)
    bar.ax.tick_params(labelsize=7, colors=INK, length=2)


def _white(width: float, height: float) -> Canvas:
    canvas = blank(width, height)
    canvas.set_facecolor('white')
    canvas.set_layout_engine('constrained', rect=(0, 0, 1, 0.99))
    return canvas


def _picture(canvas: Canvas, name: str, caption: str, alt: str) -> Figure:
    return Figure(
        name, caption, alt, Mime.PNG, as_png(canvas), screen_width(canvas), screen_height(canvas)
    )
