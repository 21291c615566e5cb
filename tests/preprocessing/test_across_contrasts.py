"""An image of another contrast and shading is found where it is."""

import numpy as np
import pytest

from aslprep_nn.preprocessing.across_contrasts import evened, locate, register

AFFINE = np.array([[4.0, 0, 0, -62], [0, 4.0, 0, -62], [0, 0, 5.0, -50], [0, 0, 0, 1]])
GRID = (32, 32, 21)
X, Y, Z = (AFFINE[:3, :3] @ np.indices(GRID).reshape(3, -1) + AFFINE[:3, 3:]).reshape(3, *GRID)
BRAIN = (X / 46) ** 2 + (Y / 52) ** 2 + (Z / 38) ** 2 < 1
STILL = np.eye(4)


@pytest.fixture(scope='module')
def reference() -> np.ndarray:
    rng = np.random.default_rng(0)
    inside = 30 * np.exp(-(((X - 15) / 12) ** 2 + ((Y + 10) / 10) ** 2 + (Z / 14) ** 2))
    stripes = 10 * np.sin(X / 9) * np.sin(Y / 11 + 1) * np.cos(Z / 10)
    return (100 + inside + stripes) * BRAIN + rng.normal(0, 0.5, GRID)


def shading() -> np.ndarray:
    """Brighten the slices one after the other, as recovery from suppression does."""
    return 0.2 + 0.01 * (Z - Z.min())


def test_shading_is_divided_out_within_the_brain(reference):
    even = evened(reference * shading(), reference, AFFINE, BRAIN, STILL)
    ratio = (even / np.where(BRAIN, reference, 1))[BRAIN]
    assert ratio.std() / ratio.mean() < 0.1
    uneven = shading()[BRAIN]
    assert uneven.std() / uneven.mean() > 0.2


def test_an_image_without_any_brain_is_left_as_it_is(reference):
    nothing = np.zeros_like(BRAIN)
    assert evened(reference, reference, AFFINE, nothing, STILL) is reference


def test_a_head_under_sixfold_shading_is_found_to_a_quarter_of_a_millimetre(reference):
    rng = np.random.default_rng(1)
    image = reference * shading() + rng.normal(0, 1, GRID)
    found = locate(image, reference, AFFINE, BRAIN, STILL)
    assert np.linalg.norm(found[:3, 3]) < 0.25
    uneven = register(reference, image, AFFINE)
    assert np.linalg.norm(found[:3, 3]) < np.linalg.norm(uneven[:3, 3]) / 2


def test_a_head_that_has_not_moved_since_is_found_where_it_was(reference):
    before = STILL.copy()
    before[0, 3] = 4.0  # one voxel along x
    image = np.roll(reference, 1, axis=0)
    np.testing.assert_array_equal(locate(image, reference, AFFINE, BRAIN, before), before)
