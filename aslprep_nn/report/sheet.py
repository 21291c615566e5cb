"""Tiles side by side on a dark plate, with a title, labels and a scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle

from aslprep_nn.maps import FloatArray
from aslprep_nn.report.figures import SHARPNESS, blank
from aslprep_nn.report.painting import PLATE, Scale, stripes

#: All on a screen [px].
GAP, TITLE_HEIGHT, LEGEND_HEIGHT, LINE = 3, 26, 48, 15
NARROWEST_WITH_SIDES = 50
TEXT, SOFT_TEXT = '#eef1f4', '#b8c0ca'
SMALL, NORMAL = 7.5, 8.5

Legend = Callable[[Axes, float], None]


@dataclass(frozen=True)
class Grid:
    """Where tiles of one size go.

    Parameters
    ----------
    n_tiles, n_columns
        How many, and how many beside each other.
    width
        Of the whole sheet, on a screen [px].
    aspect
        Height over width of a tile.
    widest
        No tile is wider than this, on a screen [px].
    """

    n_tiles: int
    n_columns: int
    width: int
    aspect: float
    widest: int = 240

    @property
    def tile_width(self) -> int:
        """On a screen [px]."""
        room = (self.width - GAP * (self.n_columns + 1)) // self.n_columns
        return max(8, min(self.widest, room))

    @property
    def tile_height(self) -> int:
        """On a screen [px]."""
        return max(1, round(self.tile_width * self.aspect))

    @property
    def height(self) -> int:
        """Of all rows with their gaps, on a screen [px]."""
        return math.ceil(self.n_tiles / self.n_columns) * (self.tile_height + GAP) + GAP

    @property
    def picture_width(self) -> int:
        """Of one tile in the pixels of the image."""
        return self.tile_width * SHARPNESS

    def corner(self, index: int) -> tuple[int, int]:
        """Return left and top of a tile, on a screen [px]."""
        row, column = divmod(index, self.n_columns)
        taken = self.n_columns * (self.tile_width + GAP) + GAP
        start = GAP + max(0, (self.width - taken) // 2)
        return start + column * (self.tile_width + GAP), GAP + row * (self.tile_height + GAP)


def draw_sheet(
    grid: Grid,
    pictures: Sequence[FloatArray],
    labels: Sequence[str],
    *,
    title: str,
    draw_legend: Legend,
) -> Canvas:
    """Put pictures into a grid.

    Parameters
    ----------
    grid
        The places.
    pictures
        ``(row, column, red-green-blue)`` each, of the grid's tile size in image pixels.
    labels
        Written into the lower left corner of each.
    title
        Above all.
    draw_legend
        Draws into axes whose units are screen pixels, the origin on top, given their width.
    """
    height = TITLE_HEIGHT + grid.height + LEGEND_HEIGHT
    canvas = blank(grid.width, height)
    canvas.set_facecolor(PLATE)
    axes = _plain_axes(canvas, (0, 0, 1, 1), (grid.width, height))
    axes.text(10, TITLE_HEIGHT / 2 + 1, title, color=TEXT, size=NORMAL, va='center', weight='bold')
    for index, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        left, top = grid.corner(index)
        _draw_tile(axes, picture, (left, top + TITLE_HEIGHT), grid, label)
    bottom = (0, 0, 1, LEGEND_HEIGHT / height)
    legend = _plain_axes(canvas, bottom, (grid.width, LEGEND_HEIGHT))
    draw_legend(legend, grid.width)
    return canvas


def color_bar(scale: Scale) -> Legend:
    """Make a legend of a scale, of what lies below it, and of what has no estimate."""

    def draw(axes: Axes, width: float) -> None:
        length = min(0.62 * width, 420)
        ramp = scale.color_map(np.linspace(0, 1, 128))[np.newaxis, :, :3]
        axes.imshow(ramp, extent=(10, 10 + length, 16, 6), aspect='auto')
        for value in np.linspace(scale.low, scale.high, 5):
            at = 10 + length * (value - scale.low) / (scale.high - scale.low)
            axes.plot([at, at], [16, 20], color=SOFT_TEXT, linewidth=0.8)
            side = {scale.low: 'left', scale.high: 'right'}.get(value, 'center')
            axes.text(at, 23, f'{value:g}', color=TEXT, size=SMALL, va='top', ha=side)
        if scale.threshold is not None and scale.threshold <= scale.high:
            at = 10 + length * (scale.threshold - scale.low) / (scale.high - scale.low)
            axes.plot([at, at], [3, 19], color=TEXT, linewidth=1.6)
        right = 10 + length + 16
        axes.imshow(stripes(np.ones((20, 20), dtype=bool)), extent=(right, right + 10, 16, 6))
        axes.text(right + 15, 11.5, scale.missing, color=TEXT, size=SMALL, va='center')
        if scale.below is not None:
            _swatch(axes, right, 24, scale.below, 'below zero')

    return draw


def swatches(colors: Mapping[str, str]) -> Legend:
    """Make a legend of labelled colours, as many a line as fit."""

    def draw(axes: Axes, width: float) -> None:
        n_columns = max(1, int(width // 140))
        for index, (label, color) in enumerate(colors.items()):
            row, column = divmod(index, n_columns)
            left, top = 10 + column * (width - 10) / n_columns, 3 + row * LINE
            _swatch(axes, left, top, color, label)

    return draw


def _draw_tile(
    axes: Axes, picture: FloatArray, corner: tuple[int, int], grid: Grid, label: str
) -> None:
    left, top = corner
    right, bottom = left + grid.tile_width, top + grid.tile_height
    axes.imshow(picture, extent=(left, right, bottom, top), aspect='auto', interpolation='nearest')
    axes.text(left + 2, bottom - 1, label, color=SOFT_TEXT, size=SMALL, va='bottom')
    if grid.tile_width >= NARROWEST_WITH_SIDES:
        axes.text(left + 3, top + 2, 'R', color=SOFT_TEXT, size=SMALL, va='top')
        axes.text(right - 3, top + 2, 'L', color=SOFT_TEXT, size=SMALL, va='top', ha='right')


def _swatch(axes: Axes, left: float, top: float, color: str, label: str) -> None:
    axes.add_patch(Rectangle((left, top), 10, 10, color=color))
    axes.text(left + 15, top + 5.5, label, color=TEXT, size=SMALL, va='center')


def _plain_axes(
    canvas: Canvas, box: tuple[float, float, float, float], size: tuple[float, float]
) -> Axes:
    """Add axes without a frame whose units are screen pixels, the origin on top."""
    axes = canvas.add_axes(box)
    axes.set(xlim=(0, size[0]), ylim=(size[1], 0), autoscale_on=False)
    axes.axis('off')
    return axes
