"""A run is read right, or everything wrong with it is named."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from datasets import AFFINE

from aslprep_nn.acquisition import LabelingType, VolumeType
from aslprep_nn.bids.query import find_series, open_dataset
from aslprep_nn.bids.reader import read_run
from aslprep_nn.errors import NothingToProcessError
from aslprep_nn.run import ASLRun, M0Route, RefusedRun
from aslprep_nn.settings import PhysicsOptions, Settings


def read(root: Path, **physics: float) -> ASLRun | RefusedRun:
    settings = Settings(root, root, root, physics=PhysicsOptions(**physics))
    layout = open_dataset(root)
    return read_run(layout, find_series(layout)[0], settings)


def row(run: ASLRun, name: str) -> tuple[str, str]:
    return next((r.value, r.source) for r in run.plan if r.name == name)


def test_a_complete_run_becomes_an_acquisition_with_one_entry_per_pair(make_dataset, subject):
    run = read(make_dataset(subject()))
    assert run.name == 'sub-01'
    assert run.acquisition.labeling is LabelingType.PCASL
    assert run.acquisition.pld == (0.5, 1.0, 1.5, 0.5, 1.0, 1.5)
    assert run.acquisition.labeling_duration == (1.5,) * 6
    assert run.acquisition.slice_times == (0.0, 0.1, 0.2, 0.3)
    assert run.m0.route is M0Route.SEPARATE
    assert run.m0.repetition_times == (6.0,)
    assert {path.name for path in run.sources} == {
        'sub-01_asl.nii.gz', 'sub-01_asl.json', 'sub-01_aslcontext.tsv',
        'sub-01_m0scan.nii.gz', 'sub-01_m0scan.json',
    }  # fmt: skip


def test_a_field_is_inherited_from_the_top_and_the_nearest_file_wins(make_dataset, subject):
    one = subject()
    del one.sidecar['LabelingDuration']
    root = make_dataset(one)
    above = {'LabelingDuration': 1.8, 'M0Type': 'Absent'}
    (root / 'asl.json').write_text(json.dumps(above), encoding='utf-8')
    run = read(root)
    assert set(run.acquisition.labeling_duration) == {1.8}
    assert run.m0.route is M0Route.SEPARATE


def test_a_sidecar_of_another_acquisition_says_nothing(make_dataset, subject):
    root = make_dataset(subject())
    other = root / 'sub-01' / 'perf' / 'sub-01_acq-fast_asl.json'
    other.write_text(json.dumps({'LabelingDuration': 0.8}), encoding='utf-8')
    assert set(read(root).acquisition.labeling_duration) == {1.5}


def test_an_integer_duration_is_a_duration(make_dataset, subject):
    one = subject()
    one.sidecar['LabelingDuration'] = 2
    assert set(read(make_dataset(one)).acquisition.labeling_duration) == {2.0}


def test_the_zero_delay_of_an_included_m0_does_not_make_it_a_measurement(make_dataset, subject):
    one = subject()
    one.sidecar |= {'M0Type': 'Included', 'PostLabelingDelay': [0.0] + [1.8] * 12}
    one.context = ['m0scan', *one.context]
    one.series = np.concatenate([one.m0[..., None], one.series], axis=-1)
    run = read(make_dataset(one))
    assert set(run.acquisition.pld) == {1.8}
    assert not run.estimates_att
    assert run.m0.route is M0Route.INCLUDED
    assert run.m0.repetition_times == (4.0,)


def test_differences_without_m0_give_relative_cbf_and_say_so(make_dataset, subject):
    one = subject()
    one.context = ['deltam'] * 12
    one.sidecar['M0Type'] = 'Absent'
    run = read(make_dataset(one))
    assert run.m0.route is M0Route.NONE
    assert not run.has_raw_volumes
    assert any('CBF is relative' in note for note in run.notes)


@pytest.mark.parametrize(('suppressed', 'route'), [(False, M0Route.CONTROL), (True, M0Route.NONE)])
def test_absent_m0_is_replaced_by_controls_only_if_they_are_not_suppressed(
    make_dataset, subject, suppressed, route
):
    one = subject()
    one.sidecar |= {'M0Type': 'Absent', 'BackgroundSuppression': suppressed}
    assert read(make_dataset(one)).m0.route is route


def test_an_m0_estimate_is_taken_from_the_sidecar(make_dataset, subject):
    one = subject()
    one.sidecar |= {'M0Type': 'Estimate', 'M0Estimate': 1234.5}
    assert read(make_dataset(one)).m0.estimate == 1234.5


def test_suppression_pulses_take_their_share_of_the_label(make_dataset, subject):
    one = subject()
    one.sidecar |= {'BackgroundSuppression': True, 'BackgroundSuppressionNumberPulses': 2}
    run = read(make_dataset(one))
    assert run.acquisition.labeling_efficiency == pytest.approx(0.85 * 0.95**2)
    assert 'Garcia' in row(run, 'Labelling efficiency')[1]


def test_an_option_wins_over_sidecar_and_default_and_says_so(make_dataset, subject):
    one = subject()
    one.sidecar |= {'LabelingEfficiency': 0.7, 'BackgroundSuppression': True}
    run = read(make_dataset(one), labeling_efficiency=0.6, t1_blood=1.7)
    assert run.acquisition.labeling_efficiency == 0.6
    assert run.acquisition.t1_blood == 1.7
    assert row(run, 'Labelling efficiency')[1].startswith('option')


@pytest.mark.parametrize(('direction', 'first'), [('k', 0.0), ('k-', 0.3)])
def test_slice_times_follow_the_slice_encoding_direction(make_dataset, subject, direction, first):
    one = subject()
    one.sidecar['SliceEncodingDirection'] = direction
    assert read(make_dataset(one)).acquisition.slice_times[0] == first


def test_slice_times_of_a_3d_readout_are_ignored_aloud(make_dataset, subject):
    one = subject()
    one.sidecar['MRAcquisitionType'] = '3D'
    run = read(make_dataset(one))
    assert run.acquisition.slice_times == ()
    assert any('SliceTiming was ignored' in note for note in run.notes)


def test_sessions_and_runs_are_found_and_named(make_dataset, subject):
    root = make_dataset(subject())
    source = root / 'sub-01' / 'perf'
    target = root / 'sub-02' / 'ses-a' / 'perf'
    target.mkdir(parents=True)
    for path in source.iterdir():
        name = path.name.replace('sub-01', 'sub-02_ses-a_run-1')
        (target / name).write_bytes(path.read_bytes())
    layout = open_dataset(root, participants=('02',), sessions=('a',))
    series = find_series(layout, participants=('02',), sessions=('a',))
    run = read_run(layout, series[0], Settings(root, root, root))
    assert (run.name, run.subject, run.session) == ('sub-02_ses-a_run-1', '02', 'a')
    assert len(series) == 1


def test_a_session_asked_for_leaves_series_without_session_out(make_dataset, subject):
    root = make_dataset(subject())
    assert open_dataset(root, sessions=('a',)).series == ()


def test_only_folders_that_can_hold_series_are_looked_into(make_dataset, subject):
    root = make_dataset(subject())
    for folder in ('sub-01/anat', 'sub-01/.git', 'derivatives/sub-01/perf', 'sub-01/extra'):
        (root / folder).mkdir(parents=True)
        (root / folder / 'sub-01_asl.nii').touch()
    (root / 'sub-01' / 'loop').symlink_to('loop')
    found = [str(path.relative_to(root)) for path in open_dataset(root).series]
    assert found == ['sub-01/perf/sub-01_asl.nii.gz']


def test_a_participant_that_does_not_exist_is_named(make_dataset, subject):
    layout = open_dataset(make_dataset(subject()), participants=('99',))
    with pytest.raises(NothingToProcessError, match='sub-99'):
        find_series(layout, participants=('99',))


def test_an_empty_dataset_has_nothing_to_process(make_dataset):
    with pytest.raises(NothingToProcessError, match='at least one ASL series'):
        find_series(open_dataset(make_dataset()))


def without(field):
    return lambda s: s.sidecar.pop(field)


def stating(**fields):
    return lambda s: s.sidecar.update(fields)


def setting(attribute, value):
    return lambda s: setattr(s, attribute, value)


def shifted(distance):
    affine = AFFINE.copy()
    affine[0, 3] = distance
    return affine


PASL = {
    'ArterialSpinLabelingType': 'PASL',
    'BolusCutOffFlag': True,
    'BolusCutOffTechnique': 'Q2TIPS',
}
IN_ASLCONTEXT = ('no aslcontext', 'a row too few', 'an unknown word',
                 'an unknown word in many rows', 'maps of CBF', 'a label too many',
                 'no volumes to use')  # fmt: skip
IN_M0SCAN = ('M0 that never recovered', 'M0 without a repetition time', 'an M0 of zeros',
             'an M0 repetition time of null', 'M0 repetition times in ms', 'an M0 beside the head',
             'an M0 over less than half the head')  # fmt: skip
BAD_INPUT = {
    'no aslcontext': (setting('context', None), '', 'absent'),
    'a row too few': (setting('context', ['control', 'label'] * 5), 'volume_type', '10 rows'),
    'an unknown word': (
        setting('context', ['tag', *['label', 'control'] * 5, 'label']),
        'volume_type, row 1', "'tag'"),
    'an unknown word in many rows': (
        setting('context', ['tag', 'control'] * 6), 'volume_type, rows 1, 3, 5, 7, 9, 11', "'tag'"),
    'a delay of null': (stating(PostLabelingDelay=None), 'PostLabelingDelay', 'null'),
    'a duration of null': (stating(LabelingDuration=None), 'LabelingDuration', 'null'),
    'an M0 type of null': (stating(M0Type=None), 'M0Type', 'null'),
    'an estimate of null': (stating(M0Type='Estimate', M0Estimate=None), 'M0Estimate', 'null'),
    'an estimate in quotes': (stating(M0Type='Estimate', M0Estimate='9'), 'M0Estimate', "'9'"),
    'an M0 repetition time of null': (
        setting('m0_sidecar', {'RepetitionTimePreparation': None}),
        'RepetitionTimePreparation', 'null'),
    'a cut-off of null': (
        stating(**PASL | {'BolusCutOffDelayTime': None}), 'BolusCutOffDelayTime', 'null'),
    'a cut-off in quotes': (
        stating(**PASL | {'BolusCutOffDelayTime': '0.7'}), 'BolusCutOffDelayTime', "'0.7'"),
    'a number no float can hold': (
        stating(PostLabelingDelay=10**400), 'PostLabelingDelay', '1000'),
    'delays in ms': (stating(PostLabelingDelay=1800), 'PostLabelingDelay', 'up to 1800'),
    'durations in ms': (stating(LabelingDuration=1500), 'LabelingDuration', 'up to 1500'),
    'a cut-off in ms': (
        stating(**PASL | {'BolusCutOffDelayTime': 700}), 'BolusCutOffDelayTime', 'up to 700'),
    'M0 repetition times in ms': (
        setting('m0_sidecar', {'RepetitionTimePreparation': 6000}),
        'RepetitionTimePreparation', 'up to 6000'),
    'pulses below none': (
        stating(BackgroundSuppressionNumberPulses=-1), 'BackgroundSuppressionNumberPulses', '-1'),
    'half a pulse': (
        stating(BackgroundSuppressionNumberPulses=1.5), 'BackgroundSuppressionNumberPulses', '1.5'),
    'an M0 beside the head': (
        setting('m0_affine', shifted(200)), 'position in space', 'over 0% of sub-01_asl.nii.gz'),
    'an M0 over less than half the head': (
        setting('m0_affine', shifted(36)), 'position in space', 'over 40%'),
    'no delay': (without('PostLabelingDelay'), 'PostLabelingDelay', 'absent'),
    'no duration': (without('LabelingDuration'), 'LabelingDuration', 'absent'),
    'no label type': (without('ArterialSpinLabelingType'), 'ArterialSpinLabelingType', 'absent'),
    'no M0 type': (without('M0Type'), 'M0Type', 'absent'),
    'an unknown label type': (
        stating(ArterialSpinLabelingType='FAIR'), 'ArterialSpinLabelingType', "'FAIR'"),
    'delays too few': (
        stating(PostLabelingDelay=[0.5, 1.0]), 'PostLabelingDelay', 'an array of 2'),
    'durations too many': (
        stating(LabelingDuration=[1.5] * 13), 'LabelingDuration', 'an array of 13'),
    'a delay in quotes': (stating(PostLabelingDelay='1.8'), 'PostLabelingDelay', "'1.8'"),
    'a negative delay': (stating(PostLabelingDelay=-1.8), 'PostLabelingDelay', '-1.8 s'),
    'a duration of zero': (stating(LabelingDuration=0), 'LabelingDuration', '0.0 s'),
    'slice times too few': (stating(SliceTiming=[0, 0.1]), 'SliceTiming', 'an array of 2'),
    'slice times in ms': (stating(SliceTiming=[0, 40, 80, 120]), 'SliceTiming', 'up to 120'),
    'slices later than the next volume': (
        stating(SliceTiming=[0, 2, 4, 6]), 'SliceTiming', 'up to 6'),
    'a slice axis of words': (
        stating(SliceEncodingDirection='z'), 'SliceEncodingDirection', "'z'"),
    'a label too many': (
        setting('context', ['control', 'label'] * 5 + ['label', 'label']),
        'volume_type and PostLabelingDelay', '1 control and 3 label at PLD 1.5 s'),
    'no volumes to use': (
        setting('context', ['noRF'] * 12), 'volume_type', 'neither kind'),
    'M0 that never recovered': (
        setting('m0_sidecar', {'RepetitionTimePreparation': 0}),
        'RepetitionTimePreparation', '0 s'),
    'M0 without a repetition time': (
        setting('m0_sidecar', {}), 'RepetitionTimePreparation', 'absent'),
    'no M0 file': (setting('m0', None), 'M0Type', "'Separate'"),
    'no M0 volume': (stating(M0Type='Included'), 'M0Type', "'Included'"),
    'no estimate of M0': (stating(M0Type='Estimate'), 'M0Estimate', 'absent'),
    'an M0 of zeros': (setting('m0', np.zeros((10, 10, 4))), 'values', 'nothing but zeros'),
    'a series of NaN': (
        setting('series', np.full((10, 10, 4, 12), np.nan)), 'values', 'nothing but NaN'),
    'a field nobody scans at': (
        stating(MagneticFieldStrength=0.2), 'MagneticFieldStrength', '0.2'),
    'an efficiency above one': (
        stating(LabelingEfficiency=85), 'LabelingEfficiency', '85'),
    'an efficiency of zero': (stating(LabelingEfficiency=0), 'LabelingEfficiency', '0'),
    'PASL of unknown bolus': (
        stating(ArterialSpinLabelingType='PASL'), 'BolusCutOffFlag', 'absent'),
}  # fmt: skip


@pytest.mark.parametrize('name', BAD_INPUT)
def test_bad_input_is_refused_with_file_field_value_and_remedy(make_dataset, subject, name):
    spoil, field, found = BAD_INPUT[name]
    one = subject()
    spoil(one)
    refused = read(make_dataset(one))
    assert isinstance(refused, RefusedRun)
    problem = next(p for p in refused.problems if p.field == field)
    suffix = 'aslcontext' if name in IN_ASLCONTEXT else 'm0scan' if name in IN_M0SCAN else 'asl'
    assert problem.file.startswith(f'sub-01/perf/sub-01_{suffix}.')
    assert found in problem.found
    assert problem.expected
    assert problem.remedy
    if found.startswith('up to'):
        assert problem.remedy == 'Give the times in seconds.'


@pytest.mark.parametrize('name', IN_ASLCONTEXT[:4])
def test_a_bad_aslcontext_is_not_blamed_on_the_m0_type(make_dataset, subject, name):
    one = subject()
    one.sidecar['M0Type'] = 'Included'
    BAD_INPUT[name][0](one)
    assert {p.file for p in read(make_dataset(one)).problems} == {
        'sub-01/perf/sub-01_aslcontext.tsv'
    }


def test_blanks_after_the_words_of_aslcontext_are_no_part_of_them(make_dataset, subject):
    one = subject()
    one.context = [f'{word} ' for word in one.context]
    assert read(make_dataset(one)).has_raw_volumes


@pytest.mark.parametrize('suffix', ['aslcontext.tsv', 'asl.json'])
def test_a_text_that_is_not_utf8_is_refused_by_name(make_dataset, subject, suffix):
    root = make_dataset(subject())
    path = root / 'sub-01' / 'perf' / f'sub-01_{suffix}'
    path.write_text(path.read_text(encoding='utf-8'), encoding='utf-16')
    problem = read(root).problems[0]
    assert problem.file == f'sub-01/perf/sub-01_{suffix}'
    assert 'not readable' in problem.found
    assert problem.remedy


@pytest.mark.parametrize('suffix', ['aslcontext.tsv', 'asl.json'])
def test_a_text_that_cannot_be_opened_is_refused_by_name(
    make_dataset, subject, monkeypatch, suffix
):
    root = make_dataset(subject())
    settings = Settings(root, root, root)
    layout = open_dataset(root)
    read_text = Path.read_text

    def deny(path, *args, **kwargs):
        if path.name == f'sub-01_{suffix}':
            raise PermissionError('no permission')
        return read_text(path, *args, **kwargs)

    monkeypatch.setattr(Path, 'read_text', deny)
    problem = read_run(layout, find_series(layout)[0], settings).problems[0]
    assert problem.file == f'sub-01/perf/sub-01_{suffix}'
    assert 'no permission' in problem.found


def test_slice_times_of_null_are_none(make_dataset, subject):
    one = subject()
    one.sidecar |= {'SliceTiming': None, 'SliceEncodingDirection': None}
    run = read(make_dataset(one))
    assert run.acquisition.slice_times == ()
    assert any('SliceTiming is absent' in note for note in run.notes)


def test_an_efficiency_on_the_command_line_replaces_a_bad_one(make_dataset, subject):
    one = subject()
    one.sidecar['LabelingEfficiency'] = 85
    run = read(make_dataset(one), labeling_efficiency=0.85)
    assert run.acquisition.labeling_efficiency == 0.85


def test_a_refusal_without_a_reason_is_a_bug_and_says_so(make_dataset, subject, monkeypatch):
    monkeypatch.setattr('aslprep_nn.bids.reader.read_m0', lambda *_: None)
    with pytest.raises(RuntimeError, match='sub-01 was refused without a reason'):
        read(make_dataset(subject()))


def test_a_truncated_image_is_refused(make_dataset, subject):
    root = make_dataset(subject())
    path = root / 'sub-01' / 'perf' / 'sub-01_asl.nii.gz'
    path.write_bytes(path.read_bytes()[:-300])
    refused = read(root)
    assert 'not readable' in refused.problems[0].found


def test_a_short_but_valid_stream_is_refused(make_dataset, subject):
    root = make_dataset(subject())
    path = root / 'sub-01' / 'perf' / 'sub-01_asl.nii.gz'
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-300]))
    assert 'not readable' in read(root).problems[0].found


def test_a_sidecar_that_is_not_json_is_refused_by_name(make_dataset, subject):
    root = make_dataset(subject())
    path = root / 'sub-01' / 'perf' / 'sub-01_asl.json'
    path.write_text('{"PostLabelingDelay": 1.8,', encoding='utf-8')
    refused = read(root)
    assert any(p.file == 'sub-01/perf/sub-01_asl.json' and 'JSON' in p.found
               for p in refused.problems)  # fmt: skip


def test_all_problems_of_a_run_are_listed_at_once(make_dataset, subject):
    one = subject()
    for name in ('no delay', 'no duration', 'no M0 type', 'an unknown label type'):
        BAD_INPUT[name][0](one)
    one.context = None
    refused = read(make_dataset(one))
    assert {p.field for p in refused.problems} >= {
        'PostLabelingDelay', 'LabelingDuration', 'M0Type', 'ArterialSpinLabelingType', '',
    }  # fmt: skip


def test_the_volume_types_keep_their_order(make_dataset, subject):
    run = read(make_dataset(subject()))
    assert run.volume_types == (VolumeType.CONTROL, VolumeType.LABEL) * 6
