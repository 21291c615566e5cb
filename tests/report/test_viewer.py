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
