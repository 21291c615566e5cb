"""Images of a run: axial slices of its maps, its reference and its differences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.colors import to_rgb
from scipy import ndimage

from aslprep_nn.maps import FloatArray
from aslprep_nn.report.drawn_map import CONVENTION, PAGE, PANEL, DrawnMap, label_map, value_map
from aslprep_nn.report.figures import Figure, Mime, as_png, screen_height
from aslprep_nn.report.painting import (
    BELOW_ZERO,
    OUTLINE,
    STATUS,
    Scale,
    paint,
    paint_grey,
)
from aslprep_nn.report.quantities import Quantity, quantities
from aslprep_nn.report.regions import BoolArray, mean_delta_m, measurements_by_timing, signal_unit
from aslprep_nn.report.results import RunResults
from aslprep_nn.report.sheet import Grid, color_bar, draw_sheet, swatches
from aslprep_nn.report.slices import AxialView
from aslprep_nn.report.trust_maps import class_map

N_AT_A_GLANCE = 4


def maps_at_a_glance(results: RunResults) -> list[Figure]:
    """Draw up to nine slices of four images, the same slices for all, for the first screen.

    Values first, then the classes of trust, then the status of the fit. Where a run has fewer
    maps, as with one delay, the mask and the mean difference fill up.
    """
    view = AxialView.of(results.mask, results.affine)
    levels = view.spread(9)
    n_columns = min(3, math.ceil(len(levels) ** 0.5))
    fillers = [_mask_map(results, view), _mean_difference_map(results, view)]
    trust = class_map(results, view)
    known = [*_value_maps(results, view), *([trust] if trust else []), _status_map(results, view)]
    return [
        each.on_slices(view, levels, name=f'glance{each.name}', n_columns=n_columns, width=PANEL)
        for each in [*known, *fillers][:N_AT_A_GLANCE]
    ]


def maps_in_full(results: RunResults) -> list[Figure]:
    """Draw up to 48 slices of each map, as wide as the page."""
    view = AxialView.of(results.mask, results.affine)
    levels = view.spread(48)
    n_columns = min(8, len(levels))
    return [
        each.on_slices(view, levels, name=f'full{each.name}', n_columns=n_columns, width=PAGE)
        for each in (*_value_maps(results, view), _status_map(results, view))
    ]


def mask_over_reference(results: RunResults) -> Figure:
    """Draw the outline of the brain mask over the whole image all volumes were aligned to."""
    view = AxialView.of(np.ones_like(results.mask), results.affine)
    levels = view.spread(24)
    drawn = _mask_map(results, view)
    n_columns = min(8, len(levels))
    return drawn.on_slices(view, levels, name='mask', n_columns=n_columns, width=PAGE)


def m0_image(results: RunResults) -> Figure | None:
    """Draw the image the differences were divided by, over the whole field of view."""
    if results.m0 is None:
        return None
    view = AxialView.of(np.ones_like(results.mask), results.affine)
    levels = view.spread(24)
    finite = np.isfinite(results.m0)
    inside = results.m0[results.mask & finite]
    high = float(np.percentile(inside, 99.5)) if inside.size else 1.0
    scale = Scale('M0 of tissue [scanner units]', 0, float(f'{high:.2g}') or 1.0, 'gray')
    caption = 'The equilibrium magnetisation the differences were divided by.'
    quantity = Quantity('m0', scale, results.m0, caption)
    drawn = value_map(quantity, results.mask, view, shown=finite)
    return drawn.on_slices(view, levels, name='m0', n_columns=min(8, len(levels)), width=PAGE)


def delta_m_by_delay(results: RunResults) -> Figure:
    """Draw the mean difference image of each timing, delays from left to right, on one scale."""
    view = AxialView.of(results.mask, results.affine)
    timings = measurements_by_timing(results.acquisition)
    factor, unit = signal_unit(results)
    means = [
        factor * results.relative_delta_m[..., indices].mean(axis=-1, dtype=float)
        for indices in timings.values()
    ]
    scale = _delta_m_scale(means, results.mask, unit)
    levels = view.spread(4 if len(means) > 1 else 12)
    n_columns = len(means) if len(means) > 1 else min(6, len(levels))
    grid = Grid(len(levels) * len(means), n_columns, PAGE, view.height_over_width, widest=150)
    pictures, labels = [], []
    for level in levels:
        height = view.height_label(level)
        for (pld, _), volume in zip(timings, means, strict=True):
            plane = view.plane(volume, level, grid.picture_width)
            mask = view.plane(results.mask, level, grid.picture_width)
            pictures.append(paint(plane, mask, scale))
            delay = [f'{pld:g} s'] if level == levels[0] else []
            is_first = volume is means[0]
            labels.append('\n'.join([*delay, *([height] if is_first else [])]))
    title = f'Mean difference by delay: {scale.label}'
    canvas = draw_sheet(grid, pictures, labels, title=title, draw_legend=color_bar(scale))
    return Figure(
        'deltambydelay',
        'The difference of control and label, averaged over repetitions; one column for each '
        f'delay, one scale for all. {CONVENTION}',
        f'Mean difference images at {len(means)} delays in {len(levels)} slices.',
        Mime.PNG,
        as_png(canvas),
        PAGE,
        screen_height(canvas),
    )


def _value_maps(results: RunResults, view: AxialView) -> Iterator[DrawnMap]:
    for quantity in quantities(results):
        yield value_map(quantity, results.mask, view)


def _status_map(results: RunResults, view: AxialView) -> DrawnMap:
    caption = (
        'What became of the fit in each voxel. On a kink: the transit time equals a delay, where '
        'least squares often ends; unclear: these delays cannot tell the transit time.'
    )
    return label_map(
        'status', results.status, STATUS, caption=caption, mask=results.mask, view=view
    )


def _mask_map(results: RunResults, view: AxialView) -> DrawnMap:
    finite = results.reference[np.isfinite(results.reference)]
    low, high = np.percentile(finite, (1, 99.5)) if finite.size else (0.0, 1.0)

    def outlined(level: int, width: int) -> FloatArray:
        plane = view.plane(results.reference, level, width)
        mask = view.plane(results.mask, level, width)
        picture = paint_grey(plane, float(low), float(high))
        picture[mask & ~ndimage.binary_erosion(mask, iterations=2)] = to_rgb(OUTLINE)
        return picture

    volume = results.mask.sum() * abs(np.linalg.det(results.affine[:3, :3])) / 1e6
    return DrawnMap(
        'mask',
        'Brain mask over the reference',
        'The line encloses what was taken as brain, over the image all volumes were aligned to.',
        f'The mask holds {volume:.2f} litres.',
        outlined,
        swatches({'outline of the brain mask': OUTLINE}),
    )


def _mean_difference_map(results: RunResults, view: AxialView) -> DrawnMap:
    factor, unit = signal_unit(results)
    mean = factor * np.where(results.mask, mean_delta_m(results), np.nan)
    scale = _delta_m_scale([mean], results.mask, unit)
    caption = 'The difference of control and label, averaged over all measurements.'
    return value_map(Quantity('difference', scale, mean, caption), results.mask, view)


def _delta_m_scale(means: Sequence[FloatArray], mask: BoolArray, unit: str) -> Scale:
    inside = np.concatenate([mean[mask & np.isfinite(mean)] for mean in means])
    high = float(np.percentile(inside, 99)) if inside.size else 0.0
    return Scale(unit, 0, float(f'{high:.1g}') if high > 0 else 1.0, 'gray', BELOW_ZERO)
