"""Where in the brain noise and model were found wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from aslprep_nn.maps import FloatArray
from aslprep_nn.report.drawn_map import PAGE, DrawnMap, label_map, value_map
from aslprep_nn.report.figures import Figure
from aslprep_nn.report.painting import CLASSES, Scale
from aslprep_nn.report.quantities import Quantity
from aslprep_nn.report.results import RunResults
from aslprep_nn.report.slices import AxialView
from aslprep_nn.report.trust_tests import TrustTest, claim_threshold, is_classified, tests_made

#: Every p map has this scale: p from 1 to .0001.
LARGEST_EXPONENT = 4.0
#: Slices of a p map, in one row.
N_SLICES = 8


def class_map(results: RunResults, view: AxialView) -> DrawnMap | None:
    """Describe the map of classes; None where nothing was tested."""
    trust = results.trust
    if trust is None or not is_classified(trust):
        return None
    rate = trust.summary.false_discovery_rate
    caption = (
        'What the tests say of each voxel: as assumed (nothing was found), or what is wrong. Of '
        f'the voxels with another colour than that, {100 * rate:g} % at most are expected to be '
        'false claims. Noise: repetitions scatter otherwise than assumed. The others say which '
        'wrong assumption the signal looks like. Grey stripes: not tested.'
    )
    return label_map(
        'classes', trust.classes, CLASSES, caption=caption, mask=results.mask, view=view
    )


def classes_in_full(results: RunResults) -> Figure | None:
    """Draw up to 48 slices of the classes, as wide as the page; None where nothing was tested."""
    view = AxialView.of(results.mask, results.affine)
    drawn = class_map(results, view)
    if drawn is None:
        return None
    levels = view.spread(48)
    n_columns = min(8, len(levels))
    return drawn.on_slices(view, levels, name='fullclasses', n_columns=n_columns, width=PAGE)


def p_quantities(results: RunResults) -> Iterator[Quantity]:
    """Yield −log10 p of every test that could be made, grey up to the threshold of its claims."""
    trust = results.trust
    if trust is None:
        return
    rate = trust.summary.false_discovery_rate
    for test in tests_made(trust):
        p = np.where(results.mask, trust.maps[test.p], np.nan)
        threshold = claim_threshold(p, rate)
        exponent = -np.log10(np.clip(p, 1e-30, 1.0)) + 0.0
        yield Quantity(
            test.p, _scale(test, threshold), exponent, _caption(test, p, threshold, rate)
        )


def p_maps(results: RunResults) -> Iterator[Figure]:
    """Draw one row of slices for each test."""
    view = AxialView.of(results.mask, results.affine)
    levels = view.spread(N_SLICES)
    for quantity in p_quantities(results):
        drawn = value_map(quantity, results.mask, view)
        yield drawn.on_slices(
            view, levels, name=f'row{quantity.name}', n_columns=len(levels), width=PAGE
        )


def _scale(test: TrustTest, threshold: float) -> Scale:
    """Colour what is claimed; all is grey where nothing is."""
    drawn = LARGEST_EXPONENT + 1 if math.isnan(threshold) else -math.log10(max(threshold, 1e-30))
    label = f'{test.title} ({test.statistic}): −log10 p'
    return Scale(
        label, 0, LARGEST_EXPONENT, 'inferno', start=0.55, threshold=drawn, missing='not tested'
    )


def _caption(test: TrustTest, p: FloatArray, threshold: float, rate: float) -> str:
    tested = p[np.isfinite(p)]
    what = f'at a false discovery rate of {100 * rate:g} %'
    if math.isnan(threshold):
        return f'Nothing can be claimed {what} in {tested.size} voxels, so nothing has a colour.'
    n_claimed = int((tested <= threshold).sum())
    return (
        f'In coloured voxels {test.finding}: {n_claimed} of {tested.size} are claimed {what}, '
        f'those with p ≤ {threshold:.2g}. {test.meaning}'
    )
