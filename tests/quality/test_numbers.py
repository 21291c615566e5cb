"""DVARS of delta M, and the numbers that need tissue maps."""

import numpy as np
import pytest
from heads import AFFINE, CBF, MASK, RADIUS, SHAPE, X

from aslprep_nn.quality.dvars import dvars
from aslprep_nn.quality.tissue import Tissue, gm_wm_ratio, quality_evaluation_index

FLUID = (abs(X) < 0.15) & (RADIUS < 0.4)
TISSUE = Tissue(
    np.where(RADIUS > 0.6, 1.0, 0.0), np.where((RADIUS <= 0.6) & ~FLUID, 1.0, 0.0), FLUID * 1.0
)
TRUE = np.where(MASK, np.where(FLUID, 0.0, CBF), np.nan)


def test_dvars_compares_repetitions_of_one_timing():
    timings = [(1.0, 1.8), (2.0, 1.8), (1.0, 1.8), (2.0, 1.8)]
    delta_m = np.array([[1.0, 50.0, 4.0, 50.0], [1.0, 50.0, 5.0, np.nan]])
    found = dvars(delta_m, timings)
    assert np.isnan(found[:2]).all()
    assert found[2] == pytest.approx(np.sqrt((9 + 16) / 2))
    assert found[3] == 0


def test_dvars_of_white_noise_is_the_root_of_two_times_its_deviation():
    noise = np.random.default_rng(0).normal(0, 3.0, (4000, 5))
    np.testing.assert_allclose(dvars(noise, [(1.0, 1.0)] * 5)[1:], 3 * np.sqrt(2), rtol=0.05)


def test_a_measurement_that_was_left_out_has_no_dvars():
    delta_m = np.ones((3, 3))
    delta_m[:, 1] = np.nan
    assert np.isnan(dvars(delta_m, [(1.0, 1.0)] * 3)).all()


def test_the_ratio_of_grey_to_white_matter_is_that_of_their_means():
    assert gm_wm_ratio(TRUE, TISSUE, MASK) == pytest.approx(60 / 22)


def test_without_white_matter_there_is_no_ratio():
    nowhere = Tissue(TISSUE.gray_matter, np.zeros(SHAPE), TISSUE.csf)
    assert np.isnan(gm_wm_ratio(TRUE, nowhere, MASK))


def index(cbf: np.ndarray) -> float:
    return quality_evaluation_index(cbf, TISSUE, MASK, AFFINE)


def test_the_index_is_high_for_tissue_and_falls_with_noise():
    rng = np.random.default_rng(0)
    ratings = [index(TRUE + rng.normal(0, noise, SHAPE)) for noise in (0, 30, 100, 1000)]
    assert ratings[0] > 0.8
    assert ratings == sorted(ratings, reverse=True)
    assert ratings[-1] < 0.1


def test_a_map_of_the_wrong_sign_or_without_structure_is_rated_zero():
    assert index(-TRUE) == pytest.approx(0)
    upside_down = np.where(MASK, 60 - CBF, np.nan)
    assert index(upside_down) == pytest.approx(0)


def test_what_lies_outside_the_brain_does_not_change_the_index():
    dark, bright = (np.where(MASK, TRUE, value) for value in (0.0, 500.0))
    assert index(dark) == pytest.approx(index(TRUE))
    assert index(bright) == pytest.approx(index(TRUE))


def test_the_index_follows_its_formula():
    rng = np.random.default_rng(1)
    cbf = np.where(MASK, TRUE + rng.normal(0, 20, SHAPE), np.nan)
    wide = np.diag([1e3, 1e3, 1e3, 1.0])  # voxels so large that smoothing does nothing
    members = [cbf[MASK & (share > 0.7)] for share in (
        TISSUE.gray_matter, TISSUE.white_matter, TISSUE.csf)]  # fmt: skip
    pss = np.corrcoef(cbf[MASK], (2.5 * TISSUE.gray_matter + TISSUE.white_matter)[MASK])[0, 1]
    pooled = sum((m.size - 1) * m.var() for m in members) / (sum(m.size for m in members) - 3)
    negative = (members[0] < 0).mean()
    expected = (
        (1 - np.exp(-3.0126 * pss**2.4419))
        * np.exp(-0.054 * (pooled / members[0].mean()) ** 0.9272)
        * np.exp(-2.8478 * negative**0.5196)
    ) ** (1 / 3)
    assert quality_evaluation_index(cbf, TISSUE, MASK, wide) == pytest.approx(expected)
