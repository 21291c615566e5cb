from itertools import pairwise

import pytest
from voxels import DELAYS, pcasl

from aslprep_nn.misspecification.subsets import early_and_late, split


def test_21_delays_are_split_as_published():
    early, late = early_and_late(21)
    assert early == (0, 1, 2, 3, 4, 5, 7, 10, 14, 19)
    assert late == (8, 9, 11, 12, 13, 15, 16, 17, 18, 20)


@pytest.mark.parametrize('n_timings', range(4, 40))
def test_any_protocol_is_split_into_disjoint_halves_one_earlier_than_the_other(n_timings):
    early, late = early_and_late(n_timings)
    assert len(early) == len(late) == n_timings // 2
    assert not set(early) & set(late)
    assert set(early) | set(late) <= set(range(n_timings))
    assert sum(early) < sum(late)
    gaps = [b - a for a, b in pairwise(early)]
    assert gaps == sorted(gaps)


def test_all_repetitions_of_a_delay_go_to_the_same_subset():
    early, late = split(pcasl(repetitions=3))
    assert len(early.measurements) == len(late.measurements) == 30
    assert not set(early.acquisition.pld) & set(late.acquisition.pld)


def test_delays_are_split_in_temporal_order_however_they_were_measured():
    early, _ = split(pcasl(delays=DELAYS[::-1], repetitions=1))
    expected = [DELAYS[i] for i in early_and_late(21)[0]]
    assert sorted(early.acquisition.pld) == expected


def test_three_delays_cannot_be_split():
    assert split(pcasl(delays=(0.5, 1.0, 1.5))) is None
