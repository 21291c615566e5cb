"""An acquisition the network never saw is refused by name; one it could have seen is not."""

import dataclasses
import json

import pytest
import torch

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.network.training_range import TIMING_MARGIN, TrainingRange, refusals
from aslprep_nn.simulation.dice import Dice, Interval
from aslprep_nn.simulation.random_protocols import draw_protocol

TRAINED = TrainingRange.of_simulation()
FAMILIAR = Acquisition(LabelingType.PCASL, (0.5, 1.0, 1.5, 2.0), (1.8,) * 4, 0.85)


def fields(*acquisitions, **facts) -> set[str]:
    return {problem.field for problem in refusals(TRAINED, acquisitions, file='f', **facts)}


def changed(**more) -> Acquisition:
    return dataclasses.replace(FAMILIAR, **more)


def test_no_protocol_of_the_training_is_refused():
    dice = Dice(torch.Generator().manual_seed(0))
    for _ in range(300):
        drawn = draw_protocol(2, 3, dice)
        times = tuple(drawn.slice_delay.flatten().tolist())
        seen = [dataclasses.replace(a, slice_times=times) for a in drawn.acquisitions]
        assert refusals(TRAINED, seen, file='f', voxel_size=(3.4, 3.4, 5.0), snr=5.0) == []


@pytest.mark.parametrize(
    ('acquisition', 'field'),
    [
        (changed(pld=(1.3, 1.6, 2.0, 2.4)), 'Shortest delay'),
        (changed(pld=(0.2, 0.4, 0.6, 0.8)), 'Longest delay'),
        (changed(pld=(0.5, 1.0, 2.0, 5.0)), 'Longest delay'),
        (changed(labeling_duration=(0.3, 1.8, 1.8, 1.8)), 'LabelingDuration'),
        (changed(pld=(0.5, 1.5), labeling_duration=(1.8,) * 2), 'Number of timings'),
        (changed(slice_times=(0.0, 2.0)), 'Latest SliceTiming'),
        (changed(t1_tissue=2.4), 'T1 of tissue'),
        (changed(t1_blood=0.9), 'T1 of blood'),
    ],
)
def test_each_fact_outside_the_range_is_named(acquisition, field):
    assert fields(FAMILIAR) == set()
    assert fields(acquisition) == {field}


def test_one_delay_is_refused_for_what_it_is_and_nothing_else():
    one = changed(pld=(1.8,) * 9, labeling_duration=(9.0,) * 9)
    (problem,) = refusals(TRAINED, [one], file='f', voxel_size=(9.0, 9.0, 9.0))
    assert problem.found == 'one delay'


def test_kinds_of_labelling_that_were_never_together_are_refused():
    pulsed = changed(labeling=LabelingType.PASL, labeling_duration=(0.7,) * 4)
    assert fields(pulsed) == set()
    assert fields(FAMILIAR, pulsed) == {'ArterialSpinLabelingType'}


def test_size_of_voxels_and_signal_to_noise_are_looked_at_where_they_are_known():
    assert fields(FAMILIAR, voxel_size=(3.4, 3.4, 12.0)) == {'Voxel across slices'}
    assert fields(FAMILIAR, voxel_size=(1.0, 1.0, 5.0)) == {'Voxel within slices'}
    assert fields(FAMILIAR, snr=0.5) == fields(FAMILIAR, snr=80.0) == {'Signal-to-noise ratio'}


def test_a_problem_says_what_was_found_and_what_was_trained():
    (problem,) = refusals(TRAINED, [changed(t1_blood=0.9)], file='sub-01_asl.nii.gz')
    assert str(problem).startswith(
        'sub-01_asl.nii.gz: T1 of blood is 0.9 s; expected 1.1 to 2.3 s as in training.'
    )


def test_a_timing_beside_the_range_is_served_up_to_the_margin():
    first = TRAINED.first_delay[LabelingType.PCASL]
    assert fields(changed(pld=(first.low - TIMING_MARGIN, 1.0, 1.5, 2.0))) == set()
    late = (first.high + TIMING_MARGIN + 0.01, 1.5, 1.8, 2.0)
    assert fields(changed(pld=late)) == {'Shortest delay'}


def test_the_range_survives_being_written():
    other = dataclasses.replace(TRAINED, snr=Interval(2.0, 3.0))
    for trained in (TRAINED, other):
        assert TrainingRange.from_plain(json.loads(json.dumps(trained.as_plain()))) == trained
