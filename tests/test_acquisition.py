"""A protocol is right when it is built, or it is not built."""

import pickle

import pytest

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.errors import AslprepError, MetadataError, Problem


def acquisition(**changes: object) -> Acquisition:
    facts = {
        'labeling': LabelingType.PCASL,
        'pld': (1.0, 1.8),
        'labeling_duration': (1.8, 1.8),
        'labeling_efficiency': 0.85,
    }
    return Acquisition(**facts | changes)


def test_equal_protocols_are_one_key_of_a_cache():
    assert hash(acquisition()) == hash(acquisition())
    assert acquisition() != acquisition(t1_blood=1.7)


def test_a_protocol_survives_the_way_to_a_worker():
    assert pickle.loads(pickle.dumps(acquisition())) == acquisition()  # noqa: S301


def test_one_delay_with_two_durations_is_multi_delay():
    assert acquisition(pld=(1.8, 1.8), labeling_duration=(1.0, 2.0)).is_multi_delay
    assert not acquisition(pld=(1.8, 1.8)).is_multi_delay


@pytest.mark.parametrize(
    ('changes', 'field', 'found'),
    [
        ({'pld': ()}, 'PostLabelingDelay and LabelingDuration', '0 and 2'),
        ({'pld': (1.0,)}, 'PostLabelingDelay and LabelingDuration', '1 and 2'),
        ({'pld': (1.0, -0.1)}, 'PostLabelingDelay', '-0.1 s'),
        ({'pld': (1.0, float('nan'))}, 'PostLabelingDelay', 'nan s'),
        ({'labeling_duration': (1.8, 0.0)}, 'LabelingDuration', '0.0 s'),
        ({'labeling_duration': (1.8, float('inf'))}, 'LabelingDuration', 'inf s'),
        ({'slice_times': (0.0, -1.0)}, 'SliceTiming', '-1.0 s'),
        ({'labeling_efficiency': 0.0}, 'labeling_efficiency', '0.0'),
        ({'labeling_efficiency': 1.1}, 'labeling_efficiency', '1.1'),
        ({'t1_blood': float('nan')}, 't1_blood', 'nan'),
        ({'t1_tissue': 1300.0}, 't1_tissue', '1300.0'),
        ({'partition_coefficient': -0.9}, 'partition_coefficient', '-0.9'),
    ],
)
def test_a_contradiction_is_refused_when_the_protocol_is_built(changes, field, found):
    with pytest.raises(MetadataError) as error:
        acquisition(**changes)
    problem = next(p for p in error.value.problems if p.field == field)
    assert found in problem.found


def test_all_contradictions_are_named_at_once():
    with pytest.raises(MetadataError) as error:
        acquisition(pld=(-1.0, 1.8), t1_blood=0.0, labeling_efficiency=2.0)
    assert len(error.value.problems) == 3


def test_a_problem_reads_as_what_was_found_what_was_expected_and_what_to_do():
    problem = Problem('a.json', 'TR', 'absent', 'seconds', 'Write it.')
    assert str(problem) == 'a.json: TR is absent; expected seconds. Write it.'
    assert str(AslprepError([problem, problem])).count('\n') == 1
