"""One map of a run on any number of slices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aslprep_nn.maps import FloatArray
from aslprep_nn.report.figures import Figure, Mime, as_png, screen_height
from aslprep_nn.report.painting import Labels, paint, paint_labels
from aslprep_nn.report.quantities import Quantity
from aslprep_nn.report.regions import BoolArray
from aslprep_nn.report.sheet import Grid, Legend, color_bar, draw_sheet, swatches
from aslprep_nn.report.slices import AxialView

#: Widths on a screen [px]: a panel of the first screen, and a figure as wide as the page.
PANEL, PAGE = 288, 1120
CONVENTION = (
    'Axial slices, labelled with their height z in mm, in radiological convention: R is the '
    'right of the patient.'
)

#: Takes a slice's index and the width of its picture [px] to the picture.
Painter = Callable[[int, int], FloatArray]


@dataclass(frozen=True)
class DrawnMap:
    """One map of the report and how it is drawn.

    Parameters
    ----------
    name
        For file names.
    title
        Above the slices.
    caption
        What it is, in a sentence or two.
    summary
        What someone who cannot see it should know.
    paint
        Draws one slice.
    legend
        Draws what the colours mean.
    """

    name: str
    title: str
    caption: str
    summary: str
    paint: Painter
    legend: Legend

    def on_slices(
        self, view: AxialView, levels: Sequence[int], *, name: str, n_columns: int, width: int
    ) -> Figure:
        """Draw some slices side by side.

        Parameters
        ----------
        view
            How slices are cut.
        levels
            Which slices.
        name
            Of the figure.
        n_columns
            Slices in a row.
        width
            Of the figure, on a screen [px].
        """
        grid = Grid(len(levels), n_columns, width, view.height_over_width)
        pictures = [self.paint(level, grid.picture_width) for level in levels]
        labels = [view.height_label(level) for level in levels]
        canvas = draw_sheet(grid, pictures, labels, title=self.title, draw_legend=self.legend)
        return Figure(
            name,
            f'{self.caption} {CONVENTION}',
            f'{self.caption} {len(levels)} slices. {self.summary}',
            Mime.PNG,
            as_png(canvas),
            width,
            screen_height(canvas),
        )


def value_map(
    quantity: Quantity, mask: BoolArray, view: AxialView, *, shown: BoolArray | None = None
) -> DrawnMap:
    """Describe a map by its values in the mask; show it there, or where it is told to."""
    values, scale = quantity.values, quantity.scale
    visible = mask if shown is None else shown

    def painted(level: int, width: int) -> FloatArray:
        plane = view.plane(values, level, width)
        return paint(plane, view.plane(visible, level, width), scale)

    inside = values[mask & np.isfinite(values)]
    summary = (
        f'In the brain the median is {np.median(inside):.3g}, and half of the voxels lie between '
        f'{np.percentile(inside, 25):.3g} and {np.percentile(inside, 75):.3g}.'
        if inside.size
        else 'No voxel has an estimate.'
    )
    return DrawnMap(quantity.name, scale.label, quantity.caption, summary, painted,
                    color_bar(scale))  # fmt: skip


def label_map(
    name: str,
    values: NDArray[np.number],
    labels: Labels,
    *,
    caption: str,
    mask: BoolArray,
    view: AxialView,
) -> DrawnMap:
    """Describe a map of labels by the share of the mask's labelled voxels that has each."""

    def painted(level: int, width: int) -> FloatArray:
        plane = view.plane(values, level, width)
        return paint_labels(plane, view.plane(mask, level, width), labels.colors)

    inside = values[mask & np.isfinite(values)]
    shares = {label: float((inside == label).mean()) if inside.size else 0.0
              for label in labels.colors}  # fmt: skip
    named = {
        f'{labels.words[label]} {percent(share)}': labels.colors[label]
        for label, share in shares.items()
        if share > 0 or (label == labels.expected and inside.size)
    }
    summary = f'In the brain: {", ".join(named)}.' if named else 'No voxel has a label.'
    return DrawnMap(name, labels.title, caption, summary, painted, swatches(named))


def percent(share: float) -> str:
    """Write a share for people."""
    return '<1 %' if 0 < share < 0.01 else f'{100 * share:.0f} %'
