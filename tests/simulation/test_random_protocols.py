import pytest
import torch

from aslprep_nn.acquisition import LabelingType
from aslprep_nn.simulation import random_protocols
from aslprep_nn.simulation.dice import Dice
from aslprep_nn.simulation.held_out import HELD_OUT_PROTOCOLS
from aslprep_nn.simulation.kinds import Split
from aslprep_nn.simulation.random_protocols import KINDS, draw_protocol

N_DRAWN = 1200


@pytest.fixture(scope='module')
def drawn():
    dice = Dice(torch.Generator().manual_seed(1))
    return [draw_protocol(4, 3, dice) for _ in range(N_DRAWN)]


def test_every_kind_of_labeling_is_drawn_as_often_as_asked(drawn):
    kinds = [tuple(a.labeling for a in one.acquisitions) for one in drawn]
    assert sum(share for _, share in KINDS) == pytest.approx(1)
    for labelings, share in KINDS:
        assert kinds.count(labelings) / N_DRAWN == pytest.approx(share, abs=0.05)


def test_protocols_have_three_to_thirty_timings(drawn):
    counts = [len(one.repetitions) for one in drawn]
    assert (min(counts), max(counts)) == (3, 30)


def test_durations_span_what_scanners_offer(drawn):
    continuous = [a for one in drawn for a in one.acquisitions if a.labeling is LabelingType.PCASL]
    durations = [duration for a in continuous for duration in a.labeling_duration]
    assert 0.7 <= min(durations) < 0.75
    assert 2.95 < max(durations) <= 3.0
    varied = [len(set(a.labeling_duration)) > 1 for a in continuous]
    assert sum(varied) / len(varied) == pytest.approx(random_protocols.VARIED, abs=0.06)


def test_delays_rise_and_no_timing_is_listed_twice(drawn):
    for one in drawn:
        for acquisition in one.acquisitions:
            assert all(a < b for a, b in zip(acquisition.pld, acquisition.pld[1:], strict=False))


def test_repetitions_reach_from_one_to_fifteen_and_may_differ_between_timings(drawn):
    repetitions = [n for one in drawn for n in one.repetitions]
    assert (min(repetitions), max(repetitions)) == (1, 15)
    uneven = [len(set(one.repetitions)) > 1 for one in drawn]
    assert 0.1 < sum(uneven) / N_DRAWN < 0.35
    assert all(sum(one.repetitions) <= random_protocols.MOST_PAIRS for one in drawn)


def test_slices_follow_each_other_in_half_of_the_protocols(drawn):
    steps = torch.stack([one.slice_delay.diff(dim=1) for one in drawn])
    in_slices = steps[:, 0, 0] > 0
    assert in_slices.float().mean() == pytest.approx(random_protocols.IN_SLICES, abs=0.05)
    assert steps.min() >= 0
    assert steps.max() <= random_protocols.SLICE_DURATION.high + 1e-6
    torch.testing.assert_close(steps, steps[:, :1, :1].expand_as(steps))


def test_tests_get_each_held_out_protocol():
    dice = Dice(torch.Generator().manual_seed(2))
    drawn = {draw_protocol(1, 1, dice, split=Split.TEST).acquisitions for _ in range(100)}
    assert drawn == set(HELD_OUT_PROTOCOLS.values())
