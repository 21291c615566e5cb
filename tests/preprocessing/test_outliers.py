"""Corrupted pairs are found, named and left out; sound ones are not."""

import numpy as np
import pytest

from aslprep_nn.preprocessing.outliers import FEWEST_PAIRS, Reason, notes_on, weigh_pairs

GRID = (12, 12, 6)
BRAIN = np.zeros(GRID, dtype=bool)
BRAIN[2:-2, 2:-2, 1:-1] = True
TIMINGS = [(pld, 1.8) for pld in (0.5, 1.0, 1.5, 2.0) for _ in range(5)]


@pytest.fixture
def delta_m() -> np.ndarray:
    """Return twenty pairs at four delays, with perfusion of its own in each voxel."""
    rng = np.random.default_rng(0)
    perfusion = rng.uniform(0.5, 1.5, (*GRID, 1)) * np.repeat([2.0, 8.0, 6.0, 4.0], 5)
    return perfusion + rng.normal(0, 3, (*GRID, len(TIMINGS)))


def test_sound_pairs_all_count(delta_m):
    found = weigh_pairs(delta_m, BRAIN, TIMINGS)
    np.testing.assert_array_equal(found.weight, 1)
    assert set(found.reason) == {Reason.NONE}
    assert np.abs(found.spread - 1).max() < 0.35


@pytest.mark.parametrize(('moved', 'reason'), [(0.1, Reason.SPIKE), (5.0, Reason.JUMP)])
def test_a_pair_that_scatters_is_left_out_and_its_reason_told(delta_m, moved, reason):
    rng = np.random.default_rng(1)
    delta_m[..., 7] += rng.normal(0, 20, GRID)
    displacement = np.full(len(TIMINGS), np.nan)
    displacement[7] = moved
    found = weigh_pairs(delta_m, BRAIN, TIMINGS, displacement)
    assert np.flatnonzero(found.weight == 0).tolist() == [7]
    assert found.reason[7] is reason
    assert found.spread[7] > 4


@pytest.mark.parametrize('fault', ['stripes', 'lost'])
@pytest.mark.parametrize('axis', [0, 1])
def test_a_pair_with_one_spoilt_slice_is_left_out(delta_m, fault, axis):
    one = [slice(None)] * 3
    one[axis] = 4
    if fault == 'stripes':
        delta_m[(*one, 7)] += 60 * np.cos(2.0 * np.indices(GRID)[1 - axis])[tuple(one)]
    else:
        delta_m[(*one, 7)] = -300
    found = weigh_pairs(delta_m, BRAIN, TIMINGS, slice_axis=axis)
    assert np.flatnonzero(found.weight == 0).tolist() == [7]
    assert found.reason[7] is Reason.SLICE


def test_movement_alone_is_no_reason(delta_m):
    found = weigh_pairs(delta_m, BRAIN, TIMINGS, np.full(len(TIMINGS), 9.0))
    np.testing.assert_array_equal(found.weight, 1)


def test_a_pair_that_is_brighter_as_a_whole_is_left_out(delta_m):
    delta_m[..., 3] += 7
    found = weigh_pairs(delta_m, BRAIN, TIMINGS)
    assert np.flatnonzero(found.weight == 0).tolist() == [3]
    assert found.reason[3] is Reason.LEVEL


def test_two_repetitions_of_a_timing_are_compared_with_other_timings(delta_m):
    twice = np.concatenate([delta_m[..., :2], delta_m[..., 5:7], delta_m[..., 10:12]], axis=-1)
    timings = [(pld, 1.8) for pld in (0.5, 0.5, 1.0, 1.0, 1.5, 1.5)]
    np.testing.assert_array_equal(weigh_pairs(twice, BRAIN, timings).weight, 1)
    twice[..., 2] *= 20
    assert np.flatnonzero(weigh_pairs(twice, BRAIN, timings).weight == 0).tolist() == [2]


def test_fewer_than_four_pairs_all_count(delta_m):
    few = delta_m[..., : FEWEST_PAIRS - 1] * [1, 1, 100]
    np.testing.assert_array_equal(weigh_pairs(few, BRAIN, TIMINGS[:3]).weight, 1)


def test_missing_slices_and_missing_pairs_are_no_outliers(delta_m):
    delta_m[:, :, 2, 4] = np.nan
    delta_m[..., 9] = np.nan
    np.testing.assert_array_equal(weigh_pairs(delta_m, BRAIN, TIMINGS).weight, 1)


def test_a_constant_series_has_no_outliers():
    found = weigh_pairs(np.zeros((*GRID, 20)), BRAIN, TIMINGS)
    np.testing.assert_array_equal(found.weight, 1)


def test_pairs_left_out_are_named_by_number():
    reasons = [Reason.NONE] * 18 + [Reason.SPIKE, Reason.JUMP]
    assert notes_on(reasons) == ('2 of 20 pairs were left out: 19 (spike), 20 (jump).',)
    assert notes_on([Reason.NONE] * 4) == ()


def test_many_pairs_left_out_are_a_warning():
    (note,) = notes_on([Reason.JUMP] * 7 + [Reason.NONE] * 13)
    assert 'more than 30%' in note
    (note,) = notes_on([Reason.JUMP] * 6 + [Reason.NONE] * 14)
    assert 'more than' not in note
