"""M0 is smoothed and continued within the brain, and nothing outside reaches it."""

import numpy as np
import pytest

from aslprep_nn.calibration.resolution import blur_to_grid
from aslprep_nn.calibration.smoothing import REACH, fill_holes, smooth_within

AFFINE = np.diag([3.0, 3.0, 4.0, 1.0])
SHAPE = (20, 20, 12)
X, Y, Z = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing='ij')
BRAIN = X**2 + Y**2 + Z**2 < 0.7


def test_an_even_m0_stays_even_up_to_the_rim():
    image = np.where(BRAIN, 800.0, 3.0)
    np.testing.assert_allclose(smooth_within(image, BRAIN, AFFINE, 8.0)[BRAIN], 800.0)


def test_what_lies_outside_does_not_matter():
    image = np.where(BRAIN, 800.0 + 50 * X, 0.0)
    bright = np.where(BRAIN, image, 1e6)
    bright[0, 0, 0] = np.nan
    one, other = (smooth_within(values, BRAIN, AFFINE, 8.0) for values in (image, bright))
    np.testing.assert_allclose(one[BRAIN], other[BRAIN])


def test_smoothing_takes_noise_away_as_its_width_says():
    noisy = np.random.default_rng(0).normal(100, 10, (60, 60, 40))
    everywhere = np.ones(noisy.shape, dtype=bool)
    smooth = smooth_within(noisy, everywhere, np.diag([3.0, 3.0, 3.0, 1.0]), 9.0)
    sigma = 9.0 / 3.0 / np.sqrt(8 * np.log(2))
    expected = 10 / np.sqrt((4 * np.pi * sigma**2) ** 1.5)
    assert smooth[15:-15, 15:-15, 10:-10].std() == pytest.approx(expected, rel=0.1)


def test_a_width_of_0_leaves_the_image_as_it_is():
    image = np.random.default_rng(0).random(SHAPE)
    assert smooth_within(image, BRAIN, AFFINE, 0.0) is image


def test_holes_take_the_value_of_the_nearest_measured_voxel():
    m0 = np.where(BRAIN, 800.0 + 100 * X, np.nan)
    m0[10, 10, 6] = 0
    filled = fill_holes(m0, BRAIN, AFFINE)
    assert filled[10, 10, 6] == pytest.approx(m0[10, 10, 5])
    untouched = BRAIN & (m0 > 0)
    np.testing.assert_array_equal(filled[untouched], m0[untouched])


def test_m0_is_not_continued_farther_than_it_can_be_known():
    m0 = np.where(X < 0, 500.0, np.nan)
    filled = fill_holes(m0, np.ones(SHAPE, dtype=bool), AFFINE)
    n_filled = int(np.isfinite(filled[:, 0, 0]).sum()) - SHAPE[0] // 2
    assert n_filled == int(REACH / 3)


def test_small_m0_is_kept_where_delta_m_is_as_small():
    m0 = np.where(BRAIN, 800.0, np.nan)
    m0[10, 10, 6] = 2.0
    assert fill_holes(m0, BRAIN, AFFINE)[10, 10, 6] == 2.0


def test_a_fine_image_is_averaged_over_coarse_voxels():
    fine = np.zeros((40, 40, 40))
    fine[20] = 1.0
    blurred = blur_to_grid(fine, np.diag([1.0, 1.0, 1.0, 1.0]), np.diag([4.0, 4.0, 4.0, 1.0]))
    profile = blurred[:, 20, 20]
    width = np.sqrt((profile * (np.arange(40) - 20.0) ** 2).sum() / profile.sum())
    assert width == pytest.approx(np.sqrt(4.0**2 - 1) / np.sqrt(8 * np.log(2)), rel=0.02)
    assert profile.sum() == pytest.approx(1)


def test_an_image_as_coarse_as_the_grid_is_left_alone():
    image = np.random.default_rng(0).random((6, 6, 6))
    turned = np.array([[0, -3.0, 0, 9], [3.0, 0, 0, -2], [0, 0, 3.0, 4], [0, 0, 0, 1]])
    assert blur_to_grid(image, np.diag([3.0, 3.0, 3.0, 1]), turned) is image


def test_only_the_axes_that_are_finer_are_blurred():
    image = np.zeros((9, 9, 9))
    image[4, 4, 4] = 1.0
    blurred = blur_to_grid(image, np.diag([1.0, 1.0, 5.0, 1]), np.diag([3.0, 1.0, 5.0, 1]))
    assert (blurred[:, 4, 4] > 0.01).sum() > 3
    assert (blurred[4, :, 4] > 0).sum() == (blurred[4, 4] > 0).sum() == 1


def test_voxels_without_a_measurement_stay_so_and_dim_no_neighbour():
    image = np.full((9, 9, 9), 7.0)
    image[4, 4, 4] = np.nan
    blurred = blur_to_grid(image, np.eye(4), np.diag([2.0, 2.0, 2.0, 1]))
    assert np.isnan(blurred[4, 4, 4])
    np.testing.assert_allclose(blurred[np.isfinite(image)], 7.0)
