"""Labels find their controls."""

import numpy as np
import pytest

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.preprocessing.pairs import Pair, pair_volumes, subtract_label

C, L, M = VolumeType.CONTROL, VolumeType.LABEL, VolumeType.M0SCAN


def test_label_first_and_control_first_are_read_alike():
    assert pair_volumes([L, C, C, L], [(1, 1.5)] * 4) == (Pair(1, 0), Pair(2, 3))


def test_a_pair_never_mixes_delays():
    types = [C, C, L, L]
    timings = [(0.5, 1.5), (1.0, 1.5), (1.0, 1.5), (0.5, 1.5)]
    assert pair_volumes(types, timings) == (Pair(0, 3), Pair(1, 2))


def test_an_m0_volume_has_no_partner():
    assert pair_volumes([M, C, L], [(0, 0), (1, 1), (1, 1)]) == (Pair(1, 2),)


def test_a_label_without_a_control_is_an_error():
    with pytest.raises(ValueError, match='argument'):
        pair_volumes([C, L, L], [(1, 1)] * 3)


def test_control_minus_label_is_positive_where_label_lowers_the_signal():
    series = np.array([10.0, 9.0, 20.0, 18.0]).reshape(1, 1, 1, 4)
    delta_m = subtract_label(series, (Pair(0, 1), Pair(2, 3)))
    np.testing.assert_array_equal(delta_m, [[[[1.0, 2.0]]]])
