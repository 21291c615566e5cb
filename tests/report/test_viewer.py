"""The slice slider gets the numbers of the maps back from small images."""

import io

import numpy as np
from PIL import Image

from aslprep_nn.maps import FitStatus
from aslprep_nn.report.slices import AxialView
from aslprep_nn.report.viewer import FIRST, LAST, NO_ESTIMATE, OUTSIDE, layout, sprites


def decode(results, index):
    """Read a sprite as the page's script does: slices in the order of the slider."""
    sprite = list(sprites(results))[index]
    place = layout(results)
    image = np.asarray(Image.open(io.BytesIO(sprite.data)))
    slices = []
    for at in range(len(place['z'])):
        row, column = divmod(at, place['columns'])
        top, left = row * place['height'], column * place['width']
        slices.append(image[top : top + place['height'], left : left + place['width']])
    return sprite.legend, np.stack(slices)


def cut(results, volume):
    view = AxialView.of(results.mask, results.affine)
    return np.stack([view.voxels(volume, level) for level in view.covered])


def test_values_come_back_within_a_step(run):
    legend, coded = decode(run, 0)
    expected = cut(run, run.maps['cbf'].values)
    step = (legend['last'] - legend['first']) / (LAST - FIRST)
    known = coded >= FIRST
    values = legend['first'] + (coded[known].astype(float) - FIRST) * step
    assert np.abs(values - expected[known]).max() <= step / 2 + 1e-9
    assert step < 1


def test_outside_and_missing_voxels_are_told_apart(run):
    _, coded = decode(run, 0)
    mask = cut(run, run.mask)
    missing = mask & np.isnan(cut(run, run.maps['cbf'].values))
    assert np.array_equal(coded == OUTSIDE, ~mask)
    assert np.array_equal(coded == NO_ESTIMATE, missing)


def test_the_status_keeps_its_labels(run):
    legend, coded = decode(run, -1)
    assert legend['labels'][str(FIRST + FitStatus.FAILED)][0] == 'failed'
    inside = coded != OUTSIDE
    assert np.array_equal(coded[inside] - FIRST, cut(run, run.status)[inside])


def test_there_is_a_sprite_for_every_map(run, single_delay_run):
    assert [sprite.name for sprite in sprites(run)] == [
        'viewercbf', 'vieweratt', 'viewersd', 'viewerstatus',
    ]  # fmt: skip
    assert [sprite.name for sprite in sprites(single_delay_run)] == ['viewercbf', 'viewerstatus']


def test_a_tested_run_shows_its_classes_and_the_p_of_noise_and_model(full_run):
    assert [sprite.name for sprite in sprites(full_run)][3:] == [
        'viewerpnoise', 'viewerpmodel', 'viewerstatus', 'viewerclasses',
    ]  # fmt: skip


def test_classes_and_voxels_that_were_not_tested_come_back(full_run, with_classes):
    rng = np.random.default_rng(2)
    classes = rng.integers(0, 6, full_run.mask.shape).astype(float)
    classes[rng.random(classes.shape) < 0.2] = np.nan
    labelled = with_classes(full_run, np.where(full_run.mask, classes, np.nan))
    legend, coded = decode(labelled, -1)
    expected = cut(labelled, labelled.trust.classes)
    inside = cut(labelled, labelled.mask)
    assert np.array_equal(coded[inside] == NO_ESTIMATE, np.isnan(expected[inside]))
    known = np.isfinite(expected)
    assert np.array_equal(coded[known] - FIRST, expected[known])
    assert legend['missing'] == 'not tested'


def test_two_estimators_can_be_switched_and_so_can_their_difference(doubled_run):
    choices = [word for word, _ in layout(doubled_run)['choices']]
    assert choices == ['lsq', 'nn', 'difference']
    shown = {sprite.name: sprite.legend.get('choice') for sprite in sprites(doubled_run)}
    assert shown['viewercbf'] == 'lsq'
    assert shown['viewernncbf'] == shown['viewernnatt'] == shown['viewernnsd'] == 'nn'
    assert shown['viewerdifferencecbf'] == shown['viewerdifferenceatt'] == 'difference'
    assert shown['viewerstatus'] is None


def test_one_estimator_leaves_nothing_to_switch(run):
    assert layout(run)['choices'] == []
    assert all('choice' not in sprite.legend for sprite in sprites(run))


def test_the_difference_is_network_less_least_squares(doubled_run):
    names = [sprite.name for sprite in sprites(doubled_run)]
    legend, coded = decode(doubled_run, names.index('viewerdifferencecbf'))
    expected = 0.1 * cut(doubled_run, doubled_run.maps['cbf'].values)
    known = np.isfinite(expected)
    step = (legend['last'] - legend['first']) / (LAST - FIRST)
    values = legend['first'] + (coded[known].astype(float) - FIRST) * step
    assert np.abs(values - expected[known]).max() <= step / 2 + 1e-9
