from dataclasses import replace

import pytest

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.simulation.protocols import PROTOCOLS, Preset

ALL = [protocol for protocols in PROTOCOLS.values() for protocol in protocols]
NAMES = [f'{preset}-{n}' for preset, some in PROTOCOLS.items() for n in range(len(some))]


@pytest.mark.parametrize('protocol', ALL, ids=NAMES)
def test_labels_and_controls_alternate_and_each_pair_shares_its_timing(protocol):
    pairs = [v for v in protocol.series if v.kind is not VolumeType.M0SCAN]
    assert len(pairs) == 2 * len(protocol.pld) * protocol.n_pairs
    for first, second in zip(pairs[::2], pairs[1::2], strict=True):
        assert first.kind is pairs[0].kind
        assert second.kind is pairs[1].kind
        assert replace(first, kind=second.kind) == second
    assert {pairs[0].kind, pairs[1].kind} == {VolumeType.CONTROL, VolumeType.LABEL}
    assert (pairs[0].kind is VolumeType.LABEL) == protocol.label_first


@pytest.mark.parametrize('protocol', ALL, ids=NAMES)
def test_a_volume_ends_before_the_next_begins(protocol):
    for volume in protocol.series:
        readout = max(protocol.slice_times, default=0)
        assert volume.labeling_duration + volume.pld + readout < volume.repetition_time


@pytest.mark.parametrize('protocol', ALL, ids=NAMES)
def test_every_slice_has_a_time_or_none_has(protocol):
    assert len(protocol.slice_times) in (0, protocol.grid.shape[2])


def test_an_included_m0_opens_the_series_with_no_label_and_no_suppression(
    single_delay, multi_delay
):
    first, *others = single_delay.series
    assert first == single_delay.m0_volume
    assert (first.pld, first.labeling_duration, first.static_fraction) == (0, 0, 1)
    assert VolumeType.M0SCAN not in {v.kind for v in (*others, *multi_delay.series)}


def test_a_scanner_that_subtracts_gives_one_difference_for_each_pair(multi_delay):
    subtracted = replace(multi_delay, subtracted=True).series
    assert [v.kind for v in subtracted] == [VolumeType.DELTAM] * 48
    assert [v.pld for v in subtracted] == [v.pld for v in multi_delay.series[::2]]


def test_the_efficiency_counts_the_suppression_pulses(multi_delay, single_delay):
    of_two = multi_delay.acquisition_of(multi_delay.series[0])
    of_four = single_delay.acquisition_of(single_delay.series[1])
    assert of_two.labeling_efficiency == pytest.approx(0.85 * 0.95**2)
    assert of_four.labeling_efficiency == pytest.approx(0.85 * 0.95**4)


def test_the_demo_has_one_subject_with_six_delays_and_one_with_one():
    assert [len(protocol.pld) for protocol in PROTOCOLS[Preset.DEMO]] == [6, 1]
