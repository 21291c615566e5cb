"""A run is done only for the same input, options, version and files."""

import dataclasses
import json

import pytest

from aslprep_nn.bids.query import find_series, open_dataset
from aslprep_nn.bids.reader import read_run
from aslprep_nn.errors import Problem
from aslprep_nn.pipeline import bookkeeping, execution
from aslprep_nn.report.records import RunRecord, RunState, read_records
from aslprep_nn.run import RefusedRun
from aslprep_nn.settings import PhysicsOptions, Settings


@pytest.fixture
def settings(make_dataset, subject, tmp_path) -> Settings:
    return Settings(make_dataset(subject()), tmp_path / 'out', tmp_path / 'work')


def read(settings: Settings):
    layout = open_dataset(settings.bids_dir)
    return read_run(layout, find_series(layout)[0], settings)


def write_done(settings: Settings) -> None:
    run = read(settings)
    path = bookkeeping.record_path(settings, run.name)
    path.parent.mkdir(parents=True)
    (settings.output_dir / 'map.nii.gz').write_bytes(b'x')
    facts = dataclasses.asdict(RunRecord(run.name, run.subject, RunState.DONE))
    extra = {'fingerprint': execution.fingerprint(run, settings), 'outputs': ['map.nii.gz']}
    path.write_text(json.dumps(facts | extra), encoding='utf-8')


def test_a_run_without_a_record_is_not_done(settings):
    assert not execution.is_done(read(settings), settings)


def test_a_run_with_the_same_everything_is_done(settings):
    write_done(settings)
    assert execution.is_done(read(settings), settings)


def test_a_run_whose_output_is_gone_is_not_done(settings):
    write_done(settings)
    (settings.output_dir / 'map.nii.gz').unlink()
    assert not execution.is_done(read(settings), settings)


def test_changed_pixels_make_it_another_run_and_a_touched_file_does_not(settings):
    write_done(settings)
    image = next(settings.bids_dir.rglob('*_m0scan.nii.gz'))
    image.touch()
    assert execution.is_done(read(settings), settings)
    sidecar = next(settings.bids_dir.rglob('*_m0scan.json'))
    sidecar.write_text('{"RepetitionTimePreparation": 5.0}', encoding='utf-8')
    assert not execution.is_done(read(settings), settings)


@pytest.mark.parametrize(
    'change', [{'seed': 2}, {'physics': PhysicsOptions(t1_blood=1.7)}], ids=['seed', 'constant']
)
def test_another_option_makes_it_another_run(settings, change):
    write_done(settings)
    other = dataclasses.replace(settings, **change)
    assert not execution.is_done(read(other), other)


def test_more_processes_do_not_make_it_another_run(settings):
    write_done(settings)
    other = dataclasses.replace(settings, n_processes=8)
    assert execution.is_done(read(other), other)


def test_a_refused_run_is_recorded_with_its_problems(settings):
    problem = Problem('f', 'TR', '0', 'above 0', 'Mend it.')
    bookkeeping.refuse(RefusedRun('sub-09', '09', (problem,)), settings)
    (record,) = read_records(settings.output_dir)
    assert record.state is RunState.REFUSED
    assert record.problems == (problem,)


def test_everything_an_attempt_left_goes_and_nothing_of_a_run_whose_name_begins_alike(settings):
    write_done(settings)
    perf = settings.output_dir / 'sub-01' / 'perf'
    perf.mkdir(parents=True)
    own = ('sub-01_cbf.nii.gz', 'sub-01_desc-nn_cbf.json', '.sub-01_att.nii.gz.x1.part')
    others = (
        'sub-01_run-1_cbf.nii.gz',
        '.sub-01_run-1_att.nii.gz.x2.part',
        'sub-01_task-a_cbf.json',
    )
    for name in own + others:
        (perf / name).touch()
    assert bookkeeping.discard_previous('sub-01', settings) == 2
    assert {path.name for path in perf.iterdir()} == set(others)
    assert not bookkeeping.record_path(settings, 'sub-01').exists()
