"""Maps of classes and p-values show what is claimed, and only that."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from aslprep_nn.misspecification.multiplicity import VoxelClass
from aslprep_nn.report.painting import CLASSES, NO_ESTIMATE
from aslprep_nn.report.trust_maps import classes_in_full, p_maps, p_quantities
from aslprep_nn.report.trust_tests import TESTS, claim_threshold


def colors_of(figure):
    picture = np.asarray(Image.open(io.BytesIO(figure.data)).convert('RGB')) / 255
    return picture.reshape(-1, 3)


def share_of(figure, color):
    return (np.abs(colors_of(figure) - np.array(to_rgb(color))).max(axis=-1) < 0.01).mean()


def share_in_colour(figure):
    """Of the slices, without the bar below them."""
    picture = np.asarray(Image.open(io.BytesIO(figure.data)).convert('RGB')) / 255
    return (np.ptp(picture[: -2 * 60], axis=-1) > 0.3).mean()


@pytest.fixture(scope='module')
def shifted(full_run):
    """A run in which a quarter of the voxels has a lack of fit that nobody can doubt."""
    p = full_run.trust.maps['pmodel'].copy()
    p[tuple(np.argwhere(full_run.mask)[::4].T)] = 1e-6
    trust = replace(full_run.trust, maps={**full_run.trust.maps, 'pmodel': p})
    return replace(full_run, trust=trust)


def alone(results, name):
    """Keep a single test."""
    maps = {name: results.trust.maps[name]}
    return replace(results, trust=replace(results.trust, maps=maps))


def row_of(results, name):
    (figure,) = p_maps(alone(results, name))
    return figure


def caption_of(results, name):
    (quantity,) = p_quantities(alone(results, name))
    return quantity.caption


def test_there_is_a_row_for_every_test_that_was_made(full_run):
    assert [quantity.name for quantity in p_quantities(full_run)] == [test.p for test in TESTS]
    nothing = np.full(full_run.mask.shape, np.nan)
    maps = {**full_run.trust.maps, 'pnoise': nothing}
    del maps['phausman']
    fewer = replace(full_run, trust=replace(full_run.trust, maps=maps))
    assert [quantity.name for quantity in p_quantities(fewer)] == [
        test.p for test in TESTS if test.p not in ('pnoise', 'phausman')
    ]


def test_a_run_without_tests_has_no_maps_of_them(run):
    assert list(p_maps(run)) == []
    assert classes_in_full(run) is None


def test_only_claimed_voxels_have_a_colour(full_run, shifted):
    assert share_in_colour(row_of(full_run, 'pmodel')) < 1e-3
    assert share_in_colour(row_of(shifted, 'pmodel')) > 0.02


def test_the_caption_counts_the_claims_and_states_the_threshold(full_run, shifted):
    assert 'Nothing can be claimed' in caption_of(full_run, 'pmodel')
    p = shifted.trust.maps['pmodel']
    threshold = claim_threshold(p, 0.05)
    caption = caption_of(shifted, 'pmodel')
    assert f'{int((p <= threshold).sum())} of {int(np.isfinite(p).sum())} are claimed' in caption
    assert f'p ≤ {threshold:.2g}' in caption


def test_the_threshold_is_the_largest_p_that_benjamini_and_hochberg_claim():
    p = np.array([0.001, 0.009, 0.03, 0.2, 0.5, np.nan])
    # ordered p against .05 k / 5: .01, .02, .03, .04, .05
    assert claim_threshold(p, 0.05) == 0.03
    assert math.isnan(claim_threshold(np.array([0.4, 0.9]), 0.05))


def test_p_values_of_zero_are_drawn(full_run):
    p = np.where(full_run.mask, 0.0, np.nan)
    trust = replace(full_run.trust, maps={'pmodel': p})
    (quantity,) = p_quantities(replace(full_run, trust=trust))
    assert np.isfinite(quantity.values[full_run.mask]).all()
    assert quantity.scale.threshold < np.nanmin(quantity.values) + 1e-9


def test_the_classes_have_their_colours_and_untested_voxels_their_stripes(full_run, with_classes):
    classes = np.where(full_run.mask, float(VoxelClass.NOISE), np.nan)
    half = np.argwhere(full_run.mask)[::2]
    classes[tuple(half.T)] = np.nan
    figure = classes_in_full(with_classes(full_run, classes))
    assert share_of(figure, CLASSES.colors[VoxelClass.NOISE]) > 0.05
    assert share_of(figure, NO_ESTIMATE[0]) > 0.02
    assert share_of(figure, CLASSES.colors[VoxelClass.MODEL]) < 1e-3
    assert 'as assumed 0 %, noise 100 %' in figure.alt


def test_early_against_late_delays_claims_voxels_like_any_other_test(full_run):
    p = np.where(full_run.mask, 0.5, np.nan)
    p[tuple(np.argwhere(full_run.mask)[::4].T)] = 1e-9
    maps = {**full_run.trust.maps, 'phausman': p}
    sure = replace(full_run, trust=replace(full_run.trust, maps=maps))
    assert f'{int((p < 0.05).sum())} of {int(full_run.mask.sum())} are' in caption_of(
        sure, 'phausman'
    )
