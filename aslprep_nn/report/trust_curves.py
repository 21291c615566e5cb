"""Curves of the tests: kappa against its null, convergence, early against late delays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from aslprep_nn.estimation.information import FEWEST_DEGREES_OF_FREEDOM
from aslprep_nn.maps import FloatArray
from aslprep_nn.misspecification.bootstrap import null_kappa
from aslprep_nn.misspecification.null import p_of_kappa
from aslprep_nn.misspecification.sandwich import Spread
from aslprep_nn.misspecification.summary import Convergence
from aslprep_nn.report.curves import dress
from aslprep_nn.report.drawn_map import percent
from aslprep_nn.report.figures import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    SHADE,
    Figure,
    blank,
    curve,
)
from aslprep_nn.report.regions import BoolArray, gm_like, measured_groups
from aslprep_nn.report.results import RunResults
from aslprep_nn.report.trust_tests import n_repetitions
from aslprep_nn.testability import N_PARAMETERS

KAPPA_EDGES = np.geomspace(1, 300, 56)
HAUSMAN_EDGES = np.linspace(0, 20, 41)
#: Relative differences of early and late estimates [%].
ERROR_EDGES = np.linspace(0, 100, 41)
#: Axes reach so many times as far as their curves, to make room for a legend.
HEADROOM = 1.3


def kappa_histogram(results: RunResults) -> Figure | None:
    """Plot how kappa spreads beside what correct noise gives; None where kappa has no null."""
    n_repeated = n_repetitions(results)
    kappa = _map(results, 'kappa')
    brain, bright = _finite_in(kappa, results.mask), _finite_in(kappa, gm_like(results))
    expected = null_kappa(0.5, n_repeated)
    if not brain.size or np.isinf(expected):
        return None
    canvas = blank(560, 300)
    axes = canvas.subplots()
    dress(axes, 'kappa', 'voxels [%]')
    axes.axvspan(
        null_kappa(0.95, n_repeated), min(null_kappa(0.05, n_repeated), KAPPA_EDGES[-1]),
        color=SHADE, linewidth=0, zorder=0,
    )  # fmt: skip
    _stairs(axes, brain, KAPPA_EDGES, FAINT, 'brain')
    _stairs(axes, bright, KAPPA_EDGES, BLUE, 'grey-matter-like')
    _null_line(axes, kappa_tails(n_repeated), KAPPA_EDGES, 'noise as assumed')
    axes.set_xscale('log')
    axes.set_xticks([1, 3, 10, 30, 100, 300], ['1', '3', '10', '30', '100', '300'])
    axes.minorticks_off()
    axes.legend(frameon=False, labelcolor=INK, fontsize=8)
    canvas.subplots_adjust(left=0.1, right=0.98, top=0.96, bottom=0.17)
    median = float(np.median(bright)) if bright.size else float(np.median(brain))
    return curve(
        canvas,
        'kappa',
        f'kappa, the ratio of the largest to the smallest scatter of the estimates, from '
        f'{n_repeated} repetitions. With so few it is far from 1 even where nothing is wrong: '
        f'its median is then {expected:.2f}, and nine in ten correct voxels lie in the shaded '
        'band. Only what lies to the right of the orange line is news. Values beyond the axis '
        'are counted at its end.',
        f'The median is {median:.2f}, with noise as assumed {expected:.2f}.',
    )


def subset_curves(results: RunResults) -> Figure | None:
    """Plot how far early and late delays agree; None where they could not be compared."""
    statistic = _finite_in(_map(results, 'hausman'), results.mask)
    if not statistic.size:
        return None
    canvas = blank(560, 300)
    left, right = canvas.subplots(1, 2)
    dress(left, 'squared distance (Hausman)', 'voxels [%]')
    _stairs(left, statistic, HAUSMAN_EDGES, BLUE, 'brain')
    freedom = _noise_freedom(results)
    _null_line(left, hausman_tails(freedom), HAUSMAN_EDGES, 'nothing wrong')
    left.legend(frameon=False, labelcolor=INK, fontsize=8)
    dress(right, 'difference [% of the estimate]', '')
    medians = []
    for name, color, label in (('subsetcbf', BLUE, 'CBF'), ('subsetatt', GREEN, 'ATT')):
        errors = 100 * _finite_in(_map(results, name), results.mask)
        _stairs(right, errors, ERROR_EDGES, color, label)
        medians.append(f'{np.median(errors):.0f} % in {label}')
    right.legend(frameon=False, labelcolor=INK, fontsize=8)
    canvas.subplots_adjust(left=0.1, right=0.98, top=0.96, bottom=0.17, wspace=0.2)
    compared = percent(statistic.size / max(1, int(results.mask.sum())))
    return curve(
        canvas,
        'subsets',
        'CBF and ATT from the early and from the late half of the delays, where each half can '
        f'tell both ({compared} of the brain). On the left their squared distance in units '
        'of its own uncertainty: the line is what remains where nothing is wrong. On the right '
        'the distances themselves: they are not zero even then.',
        f'Compared in {compared} of the brain; the median difference is {" and ".join(medians)}.',
    )


def convergence_curves(results: RunResults) -> Figure | None:
    """Plot how kappa and the estimates settle with the repetitions; None without `Convergence`."""
    settled = results.trust.summary.convergence if results.trust is not None else None
    if settled is None:
        return None
    canvas = blank(1100, 290)
    kappa, eigenvalues, cbf, att = canvas.subplots(1, 4)
    _kappa_panel(kappa, settled)
    _eigenvalue_panel(eigenvalues, settled)
    unit = 'CBF [mL/100 g/min]' if results.has_m0 else 'CBF over its median'
    flow = settled.bias_cbf, settled.std_cbf, settled.bound_cbf
    time = settled.bias_att, settled.std_att, settled.bound_att
    _estimate_panel(cbf, settled, unit, flow)
    _estimate_panel(att, settled, 'ATT [s]', time)
    canvas.subplots_adjust(left=0.05, right=0.99, top=0.9, bottom=0.17, wspace=0.3)
    return curve(
        canvas,
        'convergence',
        f'How estimates settle: up to {settled.n_draws} subsets of the repetitions, drawn without '
        f'replacement, for each number of repetitions; medians over {settled.n_voxels} voxels. '
        'Dashed: what correct noise gives. kappa should run along the dashed line within the '
        'shaded band, which is that of a single voxel (two repetitions make it infinite); the '
        'standard deviation should fall with its bound. The bias is the distance to the estimate '
        'from all repetitions, so it ends at zero; it should be there early.',
        f'From {settled.n_repetitions[0]} to {settled.n_repetitions[-1]} repetitions. With all '
        f'kappa is {settled.kappa[-1]:.2f}, with correct noise {settled.kappa_null[-1]:.2f}.',
    )


def _kappa_panel(axes: Axes, settled: Convergence) -> None:
    dress(axes, 'repetitions', '')
    axes.set_title('kappa', color=INK, fontsize=9, loc='left')
    axes.fill_between(
        settled.n_repetitions, _drawable(settled.kappa_null_low),
        _drawable(settled.kappa_null_high), color=SHADE, linewidth=0,
    )  # fmt: skip
    _line(axes, settled, settled.kappa, ORANGE, 'measured')
    _line(axes, settled, settled.kappa_null, FAINT, 'noise as assumed', dashed=True)
    axes.set_yscale('log')
    largest = np.nanmax([*_drawable(settled.kappa), *_drawable(settled.kappa_null), 3.0])
    high = max(30.0, 1.5 * float(largest))
    axes.set_ylim(1, high)
    ticks = [tick for tick in (1, 3, 10, 30, 100, 300) if tick <= high]
    axes.set_yticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.legend(frameon=False, labelcolor=INK, fontsize=8)


def _eigenvalue_panel(axes: Axes, settled: Convergence) -> None:
    dress(axes, 'repetitions', '')
    axes.set_title('scatter over assumed scatter', color=INK, fontsize=9, loc='left')
    axes.axhline(1, color=FAINT, linewidth=0.8)
    for values, null, color, label in (
        (settled.lambda_max, settled.lambda_max_null, BLUE, 'largest'),
        (settled.lambda_min, settled.lambda_min_null, GREEN, 'smallest'),
    ):
        _line(axes, settled, values, color, label)
        _line(axes, settled, null, color, '', dashed=True)
    axes.set_ylim(0, HEADROOM * axes.get_ylim()[1])
    axes.legend(frameon=False, labelcolor=INK, fontsize=8)


def _estimate_panel(
    axes: Axes,
    settled: Convergence,
    title: str,
    values: tuple[Sequence[float], Sequence[float], Sequence[float]],
) -> None:
    dress(axes, 'repetitions', '')
    axes.set_title(title, color=INK, fontsize=9, loc='left')
    bias, deviation, bound = values
    _line(axes, settled, deviation, BLUE, 'standard deviation')
    _line(axes, settled, bound, BLUE, 'its bound', dashed=True)
    _line(axes, settled, bias, ORANGE, 'bias')
    axes.set_ylim(0, HEADROOM * axes.get_ylim()[1])
    axes.legend(frameon=False, labelcolor=INK, fontsize=8)


def _line(
    axes: Axes,
    settled: Convergence,
    values: Sequence[float],
    color: str,
    label: str,
    *,
    dashed: bool = False,
) -> None:
    axes.plot(
        settled.n_repetitions, _drawable(values), '--' if dashed else 'o-',
        color=color, linewidth=1.2, markersize=3, label=label or '_nolegend_',
    )  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))


def _drawable(values: Sequence[float]) -> FloatArray:
    """Leave out what is infinite: no axis holds it."""
    array = np.asarray(values, dtype=float)
    return np.where(np.isfinite(array), array, np.nan)


def kappa_tails(n_repeated: int) -> FloatArray:
    """Compute the share of correct voxels with a kappa above each edge."""
    edges = torch.from_numpy(KAPPA_EDGES)
    spread = Spread(edges, torch.ones_like(edges))
    return p_of_kappa(spread, torch.tensor(n_repeated)).numpy()


def hausman_tails(freedom: int) -> FloatArray:
    """Compute the share of correct voxels with a Hausman statistic above each edge.

    Half of it follows F with 2 degrees of freedom above the line, whose tail is
    elementary; with many degrees of freedom of the noise it is that of chi-squared.
    """
    return np.asarray((1 + HAUSMAN_EDGES / freedom) ** (-freedom / 2))


def shares_in_bins(values: FloatArray, edges: FloatArray) -> FloatArray:
    """Count values into bins [%], those beyond the ends into the outermost."""
    counts, _ = np.histogram(values.clip(edges[0], edges[-1]), edges)
    return np.asarray(100 * counts / max(1, values.size))


def null_shares_in_bins(tails: FloatArray) -> FloatArray:
    """Turn the shares above each edge into those of each bin [%], the last without an end."""
    return np.asarray(100 * (tails[:-1] - np.append(tails[1:-1], 0.0)))


def _stairs(axes: Axes, values: FloatArray, edges: FloatArray, color: str, label: str) -> None:
    shares = shares_in_bins(values, edges)
    axes.stairs(shares, edges, color=color, linewidth=1.6, label=label)


def _null_line(axes: Axes, tails: FloatArray, edges: FloatArray, label: str) -> None:
    middle = (edges[:-1] + edges[1:]) / 2
    shares = null_shares_in_bins(tails)
    axes.plot(middle, shares, color=ORANGE, linewidth=1.3, linestyle='--', label=label)


def _noise_freedom(results: RunResults) -> int:
    """Count the degrees of freedom of the noise level: of repetitions, or of the residuals."""
    groups = measured_groups(results)
    n_measurements, n_timings = sum(map(len, groups.values())), len(groups)
    repeated = n_measurements - n_timings
    of_halves = 2 * (n_timings // 2) - 2 * N_PARAMETERS
    return max(1, repeated if repeated >= FEWEST_DEGREES_OF_FREEDOM else repeated + of_halves)


def _map(results: RunResults, name: str) -> FloatArray:
    nothing = np.full(results.mask.shape, np.nan)
    return nothing if results.trust is None else results.trust.maps.get(name, nothing)


def _finite_in(values: FloatArray, region: BoolArray) -> FloatArray:
    inside = values[region]
    return np.asarray(inside[np.isfinite(inside)])
