"""Figures of the estimators side by side: their maps, the difference, one against the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from aslprep_nn.maps import FloatArray
from aslprep_nn.report.agreement import COMPARED, both_known, maps_of, reference_of
from aslprep_nn.report.curves import dress
from aslprep_nn.report.drawn_map import PAGE, value_map
from aslprep_nn.report.figures import FAINT, ORANGE, Figure, blank, curve
from aslprep_nn.report.painting import ATT, CBF, RELATIVE_CBF, RELATIVE_SD, Scale
from aslprep_nn.report.quantities import Quantity
from aslprep_nn.report.results import RunResults
from aslprep_nn.report.slices import AxialView
from aslprep_nn.settings import Estimator

#: Blue where the network says less, red where it says more.
DIVERGING = 'RdBu_r'
N_BINS = 60
BOTH = (Estimator.NETWORK, Estimator.LEAST_SQUARES)


def quantities_of(results: RunResults, estimator: Estimator) -> Iterator[Quantity]:
    """Yield the maps of an estimator that is not the primary one."""
    maps, name = results.others[estimator], str(estimator)

    def by(scale: Scale) -> Scale:
        return replace(scale, label=f'{scale.label}, {estimator.label}')

    flow = by(CBF if results.has_m0 else RELATIVE_CBF)
    yield Quantity(f'{name}cbf', flow, maps['cbf'].values, f'CBF by {estimator.label}.')
    if 'att' in maps:
        yield Quantity(f'{name}att', by(ATT), maps['att'].values, f'ATT by {estimator.label}.')
    if 'std_cbf' in maps:
        cbf = maps['cbf'].values
        share = 100 * maps['std_cbf'].values / np.where(cbf > 0, cbf, np.nan)
        caption = f'Standard deviation of CBF in per cent of CBF by {estimator.label}.'
        yield Quantity(f'{name}sd', by(RELATIVE_SD), share, caption)


def differences(results: RunResults) -> Iterator[Quantity]:
    """Yield network less least squares, where both served."""
    if not set(BOTH) <= set(results.estimation.estimators):
        return
    network, fitted = (maps_of(results, each) for each in BOTH)
    unit, reach = ('mL/100 g/min', 30.0) if results.has_m0 else ('1', 0.6)
    scales = {
        'cbf': Scale(f'CBF: network less least squares [{unit}]', -reach, reach, DIVERGING),
        'att': Scale('ATT: network less least squares [s]', -1.0, 1.0, DIVERGING),
    }
    for quantity, name in COMPARED.items():
        if quantity in network and quantity in fitted:
            values = network[quantity].values - fitted[quantity].values
            caption = f'{name} of the network less that of least squares: red where it is more.'
            yield Quantity(f'difference{quantity}', scales[quantity], values, caption)


def estimator_figures(results: RunResults) -> Iterator[Figure]:
    """Yield the figures of the section; nothing where one estimator stands alone."""
    if not results.others:
        return
    view = AxialView.of(results.mask, results.affine)
    levels = view.spread(24)
    reference = reference_of(results)
    for estimator in results.estimation.estimators:
        if estimator is not reference:
            yield joint_histogram(results, estimator, reference)
    beside = [
        quantity
        for estimator in results.estimation.others
        for quantity in quantities_of(results, estimator)
    ]
    for quantity in (*differences(results), *beside):
        drawn = value_map(quantity, results.mask, view)
        n_columns = min(8, len(levels))
        name = f'full{quantity.name}'
        yield drawn.on_slices(view, levels, name=name, n_columns=n_columns, width=PAGE)


def joint_histogram(results: RunResults, estimator: Estimator, reference: Estimator) -> Figure:
    """Count voxels by what two estimators say of them."""
    values, wanted = (maps_of(results, each) for each in (estimator, reference))
    shared = [each for each in COMPARED if each in values and each in wanted]
    canvas = blank(460 * len(shared), 400)
    panels = np.atleast_1d(canvas.subplots(1, len(shared)))
    relative = 'mL/100 g/min' if results.has_m0 else '1'
    ends = {'cbf': 120.0 if results.has_m0 else 3.0, 'att': 3.0}
    for axes, quantity in zip(panels, shared, strict=True):
        unit = relative if quantity == 'cbf' else 's'
        words = [
            f'{COMPARED[quantity]} by {each.label} [{unit}]' for each in (reference, estimator)
        ]
        dress(axes, *words)
        pair = both_known(wanted[quantity].values, values[quantity].values)
        _count(axes, *pair, ends[quantity])
    canvas.subplots_adjust(left=0.09, right=0.98, top=0.96, bottom=0.14, wspace=0.25)
    return curve(
        canvas,
        f'joint{estimator}',
        'How many voxels have which pair of estimates; the darker, the more, on a logarithmic '
        'scale. On the line both say the same; the cross marks the medians.',
        f'Joint histogram of {estimator.label} against {reference.label}.',
    )


def _count(axes: Axes, across: FloatArray, up: FloatArray, end: float) -> None:
    axes.set(xlim=(0, end), ylim=(0, end), aspect='equal')
    axes.plot([0, end], [0, end], color=FAINT, linewidth=1)
    if across.size == 0:
        return
    inside = (across.clip(0, end), up.clip(0, end))
    counts, _, _ = np.histogram2d(*inside, bins=N_BINS, range=((0, end), (0, end)))
    seen = np.where(counts.T > 0, counts.T, np.nan)
    axes.imshow(
        seen, origin='lower', extent=(0, end, 0, end), cmap='Blues',
        norm=LogNorm(0.2, max(2.0, float(counts.max()))), interpolation='nearest', zorder=1.5,
    )  # fmt: skip
    axes.plot(np.median(across), np.median(up), '+', color=ORANGE, markersize=14, zorder=3)
