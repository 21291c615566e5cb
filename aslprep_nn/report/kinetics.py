"""The measured signal over delays beside the curve that was fitted to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from matplotlib.axes import Axes

from aslprep_nn.calibration.slice_timing import slice_delay
from aslprep_nn.maps import FloatArray
from aslprep_nn.report.curves import dress
from aslprep_nn.report.figures import (
    BLUE,
    FAINT,
    INK,
    ORANGE,
    Figure,
    blank,
    curve,
)
from aslprep_nn.report.regions import (
    BoolArray,
    brightest,
    darkest,
    gm_like,
    measured_groups,
    measured_volumes,
    signal_unit,
)
from aslprep_nn.report.results import RunResults
from aslprep_nn.signal.kinetics import delta_m
from aslprep_nn.signal.protocol import Protocol

#: More voxels than this add nothing to a mean curve.
MOST_VOXELS = 4000
N_CURVE_POINTS = 121


@dataclass(frozen=True)
class _Place:
    """Voxels whose mean signal is shown together."""

    title: str
    voxels: BoolArray


def kinetic_curves(results: RunResults) -> Figure | None:
    """Plot measured points, their spread over repetitions, and the fitted curve.

    The curve is the mean of the fitted curves of the voxels, each with the delay of its own
    slice, over the nominal delay of the first slice. None where no curve was fitted, as with one
    delay.
    """
    if 'att' not in results.maps:
        return None
    places = [place for place in _places(results) if place.voxels.any()]
    if not places:
        return None
    n_columns = min(3, len(places))
    n_rows = -(-len(places) // n_columns)
    canvas = blank(1100, 20 + 250 * n_rows)
    panels = canvas.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes in panels[len(places) :]:
        axes.axis('off')
    for index, (axes, place) in enumerate(zip(panels, places, strict=False)):
        _panel(axes, results, place, has_label=index % n_columns == 0)
    height = 20 + 250 * n_rows
    canvas.subplots_adjust(
        left=0.06, right=0.99, top=1 - 26 / height, bottom=46 / height, hspace=0.42, wspace=0.16
    )
    return curve(
        canvas,
        'kinetics',
        'Signal over post-labelling delay: dots are the mean of the repetitions, bars their '
        'standard deviation, the line is the fitted model. Voxels without a transit time have no '
        'line and are left out. Where slices are read out one after another, a line is the mean '
        'over the delays of its voxels.',
        f'Measured and fitted signal of {", ".join(place.title for place in places)}.',
    )


def residuals_by_delay(results: RunResults) -> Figure | None:
    """Plot what the fit leaves at each delay, averaged over grey-matter-like voxels.

    A model that describes the mean leaves residuals around zero at every delay. None where no
    curve was fitted.
    """
    if 'att' not in results.maps:
        return None
    voxels = _at_most(_fitted(results) & gm_like(results), MOST_VOXELS)
    if not voxels.any():
        return None
    groups = measured_groups(results)
    factor, unit = signal_unit(results)
    predicted = _predict(results, voxels, groups).mean(axis=0)
    measured = results.relative_delta_m[voxels].mean(axis=0, dtype=float)
    left = [measured[group] - fit for group, fit in zip(groups.values(), predicted, strict=True)]
    canvas = blank(560, 300)
    axes = canvas.subplots()
    dress(axes, 'post-labelling delay [s]', f'residual of {unit}')
    axes.axhline(0, color=FAINT, linewidth=0.8)
    for (pld, _), repetitions in zip(groups, left, strict=True):
        shown = factor * repetitions
        axes.plot([pld] * len(shown), shown, 'o', color=FAINT, markersize=3)
        axes.plot(pld, shown.mean(), 'D', color=ORANGE, markersize=5)
    canvas.subplots_adjust(left=0.16, right=0.98, top=0.96, bottom=0.17)
    largest = max(abs(float(each.mean())) for each in left)
    share = largest / max(float(np.abs(predicted).max()), 1e-12)
    return curve(
        canvas,
        'residuals',
        'What the fit leaves at each delay in grey-matter-like voxels: a dot for each repetition, '
        'a diamond for their mean. A pattern over delays says that the model misses something.',
        f'The largest mean residual is {100 * share:.1f} per cent of the largest signal.',
    )


def _places(results: RunResults) -> list[_Place]:
    fitted = _fitted(results)
    regions = [
        _Place('brain mean', fitted),
        _Place('brightest tenth', fitted & brightest(results, 0.1)),
        _Place('darkest tenth', fitted & darkest(results, 0.1)),
    ]
    bright = fitted & gm_like(results)
    misfit = _misfit(results, bright)
    single = {'best': 0.02, 'typical': 0.5, 'worst': 0.98}
    return regions + [
        _Place(f'one voxel, {word} fit', _voxel_at_quantile(bright, misfit, quantile))
        for word, quantile in single.items()
        if len(misfit)
    ]


def _fitted(results: RunResults) -> BoolArray:
    has_fit = np.isfinite(results.maps['cbf'].values) & np.isfinite(results.maps['att'].values)
    complete = np.isfinite(results.relative_delta_m[..., measured_volumes(results)]).all(axis=-1)
    return np.asarray(results.mask & has_fit & complete)


def _misfit(results: RunResults, voxels: BoolArray) -> FloatArray:
    """Root mean square of the mean measurement of each timing minus the fit, ``(voxel,)``."""
    groups = measured_groups(results)
    measured = results.relative_delta_m[voxels]
    means = np.stack([measured[:, group].mean(axis=1) for group in groups.values()], axis=1)
    misfit = means - _predict(results, voxels, groups)
    return np.asarray(np.sqrt((misfit**2).mean(axis=1)))


def _voxel_at_quantile(voxels: BoolArray, values: FloatArray, quantile: float) -> BoolArray:
    chosen = np.argsort(values)[round(quantile * (len(values) - 1))]
    single = np.zeros_like(voxels)
    single[tuple(np.argwhere(voxels)[chosen])] = True
    return single


def _predict(
    results: RunResults, voxels: BoolArray, timings: Iterable[tuple[float, float]]
) -> FloatArray:
    """Return the fitted signal of voxels at any delays and durations, ``(voxel, timing)``."""
    pld, labeling_duration = zip(*timings, strict=True)
    acquisition = replace(results.acquisition, pld=pld, labeling_duration=labeling_duration)
    delay = slice_delay(results.acquisition, results.mask.shape)[voxels]
    protocol = Protocol.of(acquisition, slice_delay=torch.as_tensor(delay))
    cbf = results.model_cbf_per_unit * results.maps['cbf'].values[voxels].astype(float)
    att = results.maps['att'].values[voxels].astype(float)
    return np.asarray(delta_m(torch.as_tensor(cbf), torch.as_tensor(att), protocol).numpy())


def _at_most(voxels: BoolArray, most: int) -> BoolArray:
    """Keep evenly spread voxels."""
    step = max(1, int(voxels.sum()) // most)
    kept = np.zeros_like(voxels)
    kept[tuple(np.argwhere(voxels)[::step].T)] = True
    return kept


def _panel(axes: Axes, results: RunResults, place: _Place, *, has_label: bool) -> None:
    factor, unit = signal_unit(results)
    dress(axes, 'post-labelling delay [s]', unit if has_label else '')
    axes.set_title(place.title, color=INK, fontsize=9, loc='left')
    axes.axhline(0, color=FAINT, linewidth=0.8)
    voxels = _at_most(place.voxels, MOST_VOXELS)
    groups = measured_groups(results)
    signal = factor * results.relative_delta_m[voxels].mean(axis=0, dtype=float)
    for duration in sorted({duration for _, duration in groups}):
        own = {pld: group for (pld, other), group in groups.items() if other == duration}
        delays = np.linspace(max(0, min(own) - 0.2), max(own) + 0.3, N_CURVE_POINTS)
        timings = [(float(delay), duration) for delay in delays]
        fitted = factor * _predict(results, voxels, timings).mean(axis=0)
        axes.plot(delays, fitted, color=ORANGE, linewidth=1.6)
        axes.errorbar(
            list(own),
            [signal[group].mean() for group in own.values()],
            [signal[group].std(ddof=1) if len(group) > 1 else 0 for group in own.values()],
            fmt='o', color=BLUE, markersize=4, capsize=2.5, linewidth=1.1,
        )  # fmt: skip
