"""A brain mask is compared with the brain of a template, or it is said why it is not."""

import math
import re
from functools import partial

import numpy as np
import pytest
from scipy import ndimage

from aslprep_nn.preprocessing.resample import resample_volume
from aslprep_nn.quality import template
from aslprep_nn.quality.template import (
    SeenTemplate,
    TemplateOverlap,
    Volume,
    average_blocks,
    best_shift,
    bring_template,
    dice,
    find_series,
    repeat_exactly,
    template_image,
    template_overlap,
    whole_template,
)
from aslprep_nn.report.expectations import expectation
from aslprep_nn.simulation.motion import rigid_matrix

SHAPE = (48, 56, 26)
GRID = np.array([[4.0, 0, 0, -94], [0, 4.0, 0, -130], [0, 0, 6.0, -68], [0, 0, 0, 1]])
#: From the template to the T1w, whose head is smaller and nods; from the series to the T1w.
TO_T1W = rigid_matrix(np.array([12.0, -30.0, 41.0, 0.15, -0.05, 0.1])) @ np.diag(
    [0.95, 0.92, 0.97, 1.0]
)
FROM_SERIES = rigid_matrix(np.array([-4.0, 9.0, -6.0, 0.04, 0.03, -0.05]))
#: How far each face of a mask twice as large lies from the brain [mm].
GROWN = 20.0
LEAST_DICE = expectation('mask_template_dice').usual_low


def head(levels: tuple[float, ...], seed: int) -> Volume:
    """Image the template's own head, in voxels of 2 mm: brain, fluid, bone, scalp, noise."""
    shown, affine = template_image()
    brain = average_blocks(whole_template(), 2.0).data > 0.5
    brain, tissue = (np.pad(values, 10) for values in (brain, np.nan_to_num(shown)))
    distance = 2 * ndimage.distance_transform_edt(~brain)
    below, gain, fluid, scalp = levels
    image = np.where(brain, below + gain * tissue, 0)
    image += fluid * (~brain & (distance <= 3)) + scalp * ((distance > 9) & (distance <= 15))
    noise = np.random.default_rng(seed).normal(0, 0.03, image.shape)
    lower = np.eye(4)
    lower[:3, 3] = -10
    return Volume((1000 * np.abs(image + noise)).astype(np.float32), affine @ lower)


@pytest.fixture(scope='module')
def t1w() -> Volume:
    image = head((-0.1, 1.1, 0.2, 1.0), seed=1)
    return Volume(image.data, TO_T1W @ image.affine)


def on_series(image: Volume) -> np.ndarray:
    """See an image of the template's head with the series."""
    to_template = np.linalg.inv(TO_T1W) @ FROM_SERIES
    return np.nan_to_num(resample_volume(*image, SHAPE, GRID, to_template))


@pytest.fixture(scope='module')
def reference() -> Volume:
    return Volume(on_series(head((1.0, -0.35, 1.3, 0.6), seed=2)), GRID)


@pytest.fixture(scope='module')
def brain() -> np.ndarray:
    return on_series(whole_template()) > 0.5


@pytest.fixture(scope='module')
def seen(reference, t1w) -> SeenTemplate:
    return bring_template(reference, t1w, seed=1)


@pytest.fixture
def overlap(monkeypatch, reference, t1w, seen) -> partial[TemplateOverlap]:
    """Compare masks with the template as it was found once."""
    monkeypatch.setattr(template, 'bring_template', lambda *_, **__: seen)
    everywhere = np.ones(SHAPE, dtype=bool)
    return partial(template_overlap, reference=reference, t1w=t1w, fov_mask=everywhere, seed=1)


def test_the_brain_of_the_template_comes_to_where_the_brain_of_the_series_is(seen, brain):
    assert seen.obstacle == ''
    assert dice(seen.brain, brain) > 0.97


def test_a_right_mask_overlaps(overlap, brain):
    assert overlap(brain).dice > 0.97


@pytest.mark.parametrize('axis', range(3))
def test_a_mask_in_the_wrong_place_is_found(overlap, brain, axis):
    moved = np.roll(brain, round(20 / GRID[axis, axis]), axis)
    assert overlap(moved).dice < LEAST_DICE


def test_a_mask_twice_too_large_is_found(overlap, brain):
    large = ndimage.distance_transform_edt(~brain, sampling=np.diag(GRID)[:3]) < GROWN
    assert large.sum() == pytest.approx(2 * brain.sum(), rel=0.15)
    assert overlap(large).dice < LEAST_DICE


def test_what_was_not_measured_is_not_compared(overlap, brain):
    slab = np.zeros(SHAPE, dtype=bool)
    slab[..., 10:16] = True
    assert overlap(brain & slab).dice < 0.6
    assert overlap(brain & slab, fov_mask=slab).dice > 0.97


def test_a_t1w_in_another_unit_is_named_and_not_searched(reference, t1w):
    found = bring_template(
        reference, Volume(t1w.data, np.diag([1e3, 1e3, 1e3, 1]) @ t1w.affine), seed=1
    )
    assert not found.brain.any()
    assert re.fullmatch(r'it is \S+ mm long, at most 1000 mm can be a head', found.obstacle)


def test_a_t1w_that_shows_no_head_says_nothing_of_the_mask(reference, monkeypatch):
    monkeypatch.setattr(template, 'VOXEL_SIZE', 4.0)  # for speed
    noise = np.random.default_rng(0).random((40, 44, 40)).astype(np.float32)
    nowhere = Volume(ndimage.gaussian_filter(noise, 2), np.diag([4.0, 4, 4, 1]))
    found = bring_template(reference, nowhere, seed=1)
    assert not found.brain.any()
    assert found.obstacle.startswith('the template could not be registered to it')
    compared = template_overlap(
        np.ones(SHAPE, dtype=bool), reference, nowhere,
        fov_mask=np.ones(SHAPE, dtype=bool), seed=1,
    )  # fmt: skip
    assert math.isnan(compared.dice)
    assert compared.obstacle == found.obstacle


def test_a_series_that_shows_another_thing_is_not_found_in_the_t1w(t1w, monkeypatch):
    noise = np.random.default_rng(0).random(SHAPE)
    found_where_it_is = (TO_T1W, 0.9)
    monkeypatch.setattr(template, 'find_template', lambda _: found_where_it_is)
    found = bring_template(Volume(noise, GRID), t1w, seed=1)
    assert found.obstacle.startswith('it could not be registered to the series')
    assert not found.brain.any()


def test_a_series_of_few_slices_is_not_registered(reference, t1w):
    few = Volume(reference.data[..., :5], GRID)
    assert 'too few slices' in bring_template(few, t1w, seed=1).obstacle


@pytest.mark.parametrize('seed', [0, 1])
def test_a_seed_gives_the_same_place_every_time(reference, t1w, seed):
    coarse = average_blocks(t1w, 4.0)
    places = []
    for _ in range(2):
        repeat_exactly(seed)
        places.append(find_series(reference, coarse, around=TO_T1W)[0])
    np.testing.assert_array_equal(*places)


def test_a_head_is_looked_for_in_all_of_the_field_of_view(t1w):
    far = np.eye(4)
    far[:3, 3] = (90, -120, 200)
    steps = [average_blocks(image, 8.0) for image in (template_image(), t1w)]
    near = best_shift(*steps)
    away = best_shift(steps[0], Volume(steps[1].data, far @ steps[1].affine))
    np.testing.assert_allclose(away[:3, 3] - near[:3, 3], far[:3, 3], atol=8)
    middle = np.append(whole_template().affine[:3, 3] + [98, 116, 94], 1)
    assert np.linalg.norm(((near - TO_T1W) @ middle)[:3]) < 16


def test_averaging_blocks_keeps_every_place_where_it_was():
    x, y, z = np.indices((9, 8, 7), dtype=float)
    affine = rigid_matrix(np.array([3.0, -2, 1, 0.2, 0.1, 0.3])) @ np.diag([1.0, 1.1, 0.9, 1])
    coarse = average_blocks(Volume(x + 10 * y + 100 * z, affine), 2.0)
    assert coarse.data.shape == (4, 4, 3)
    place = np.linalg.inv(affine) @ coarse.affine @ np.array([1, 2, 1, 1])
    assert coarse.data[1, 2, 1] == pytest.approx(place[0] + 10 * place[1] + 100 * place[2])


def test_voxels_that_are_coarse_already_are_left_alone():
    image = Volume(np.arange(24.0).reshape(2, 3, 4), np.diag([3.0, 3, 3, 1]))
    coarse = average_blocks(image, 2.0)
    np.testing.assert_array_equal(coarse.data, image.data)
    np.testing.assert_array_equal(coarse.affine, image.affine)


def test_what_was_found_survives_being_written_down():
    for found in (TemplateOverlap(0.91), TemplateOverlap(obstacle='why')):
        again = TemplateOverlap.from_json(found.as_json())
        assert again.obstacle == found.obstacle
        np.testing.assert_equal(again.dice, found.dice)


def test_nothing_does_not_overlap_with_nothing():
    assert math.isnan(dice(np.zeros(3, dtype=bool), np.zeros(3, dtype=bool)))
