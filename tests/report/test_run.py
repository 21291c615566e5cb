"""The files of one run's report."""

import json
from dataclasses import replace

import pytest

from aslprep_nn.maps import ParameterMap
from aslprep_nn.report.page import write_subject_page
from aslprep_nn.report.quality import measure_quality
from aslprep_nn.report.run import write_run_report


@pytest.fixture(scope='module')
def small(simulate_run):
    return simulate_run('sub-01_ses-a', shape=(10, 12, 3), repetitions=2)


@pytest.fixture(scope='module')
def report_path(tmp_path_factory, small):
    return write_run_report(small, tmp_path_factory.mktemp('figures'), 'sub-01_ses-a')


@pytest.fixture(scope='module')
def report(report_path):
    return json.loads(report_path.read_text())


def test_every_file_it_names_exists_and_none_else(report_path, report):
    named = {figure['file'] for figure in report['figures']}
    named |= {sprite['file'] for sprite in report['viewer']['maps']}
    assert named | {report_path.name} == {path.name for path in report_path.parent.iterdir()}
    assert all(name.startswith('sub-01_ses-a_desc-') for name in named)


def test_numbers_that_are_known_are_not_measured_again(small, tmp_path, monkeypatch):
    numbers = tuple(replace(each, value=1.0) for each in measure_quality(small))
    monkeypatch.setattr('aslprep_nn.report.run.measure_quality', None)
    path = write_run_report(small, tmp_path, 'sub-01', numbers=numbers)
    assert {each['value'] for each in json.loads(path.read_text())['quality']} == {1.0}


def test_five_numbers_come_first(report):
    assert report['key_numbers'] == [
        'gm_like_cbf', 'att_median', 'fd_mean', 'fraction_identifiable', 'relative_sd_median',
    ]  # fmt: skip


def test_the_share_of_consistent_voxels_is_the_fifth_number_of_a_tested_run(
    small, trust_in, tmp_path
):
    report = json.loads(write_run_report(trust_in(small), tmp_path, 'sub-01').read_text())
    assert report['key_numbers'][4] == 'fraction_consistent'


def test_numbers_that_are_not_known_are_null(report, simulate_run, tmp_path):
    single = simulate_run(shape=(10, 12, 3), delays=(1.8,), repetitions=4)
    path = write_run_report(single, tmp_path, 'sub-02')
    numbers = {each['name']: each for each in json.loads(path.read_text())['quality']}
    assert numbers['att_median']['value'] is None
    assert numbers['att_median']['mark'] == 'unknown'


def test_the_same_run_gives_the_same_files(report_path, small, tmp_path):
    write_run_report(small, tmp_path, 'sub-01_ses-a')
    for path in report_path.parent.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize('part', ['mask', 'maps', 'confounds', 'signal'])
def test_a_run_that_lacks_something_still_gets_a_report_and_a_page(small, tmp_path, part):
    nothing = small.mask & False
    empty = nothing * 1.0 + float('nan')
    changes = {
        'mask': {'mask': nothing},
        'maps': {'maps': {name: ParameterMap(empty, '1', '') for name in small.maps}},
        'confounds': {'confounds': None},
        'signal': {'relative_delta_m': small.relative_delta_m * 0},
    }
    lacking = replace(small, **changes[part])
    write_run_report(lacking, tmp_path / 'sub-01' / 'figures', 'sub-01_ses-a')
    assert 'sub-01_ses-a' in write_subject_page(tmp_path, '01').read_text()
