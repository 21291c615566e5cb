"""The T1w of a simulated head shows its tissues where they are, and what lies around them."""

import numpy as np
import pytest

from aslprep_nn.preprocessing.resample import resample_volume
from aslprep_nn.simulation.phantom import Phantom, draw_phantom
from aslprep_nn.simulation.t1w import NECK, t1w_image


@pytest.fixture(scope='module')
def phantom() -> Phantom:
    return draw_phantom(np.random.default_rng(4))


@pytest.fixture(scope='module')
def image(phantom) -> tuple[np.ndarray, np.ndarray]:
    return t1w_image(phantom, np.random.default_rng(1))


def test_tissues_have_the_order_of_a_t1w_where_the_phantom_has_them(phantom, image):
    anatomy = phantom.anatomy
    seen = resample_volume(*image, anatomy.brain.shape, phantom.affine)
    levels = [
        np.median(seen[tissue > 0.9])
        for tissue in (anatomy.csf, anatomy.gray_matter, anatomy.white_matter, anatomy.scalp)
    ]
    assert levels == sorted(levels)
    assert levels[0] < 0.5 * levels[2]


def test_there_is_a_neck_below_the_head(phantom, image):
    values, affine = image
    lowest = phantom.affine @ np.array([0, 0, 0, 1])
    below = affine @ np.array([0, 0, 0, 1])
    assert np.linalg.norm(lowest - below) == pytest.approx(NECK)
    middle = tuple(n // 2 for n in values.shape[:2])
    assert values[*middle, :20].mean() > 5 * values[:5, :5, :20].mean()


def test_a_seed_gives_the_same_image(phantom, image):
    np.testing.assert_array_equal(t1w_image(phantom, np.random.default_rng(1))[0], image[0])
