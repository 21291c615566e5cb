"""CBF made elsewhere is passed on under a name of its own, and said to be so."""

import json

import nibabel as nib
import numpy as np
import pytest

from aslprep_nn.bids.query import find_series, open_dataset
from aslprep_nn.bids.reader import read_run
from aslprep_nn.pipeline.given import pass_on
from aslprep_nn.report.group import collect
from aslprep_nn.report.page import write_subject_page
from aslprep_nn.report.records import RunState, read_records
from aslprep_nn.run import ASLRun, GivenRun
from aslprep_nn.settings import Settings


@pytest.fixture
def given(make_dataset, subject, tmp_path):
    """Make a dataset of two maps of CBF beside an M0, and read it."""
    one = subject()
    one.sidecar = {'Units': 'mL/100 g/min'}
    one.context = ['m0scan', 'cbf', 'cbf']
    one.series = np.stack([one.m0, one.m0 * 0.5, one.m0 * 0.7], axis=-1)
    return one, lambda: read(make_dataset(one), tmp_path / 'out')


def read(root, output):
    settings = Settings(root, output, output / 'work')
    layout = open_dataset(root)
    return read_run(layout, find_series(layout)[0], settings), settings


def test_only_cbf_needs_no_other_metadata_and_is_planned_as_given(given):
    run, _ = given[1]()
    assert isinstance(run, GivenRun)
    assert run.volumes == (1, 2)
    assert ('CBF', 'passed on as it is given') in [(row.name, row.value) for row in run.plan]


def test_the_map_has_its_own_name_its_unit_and_says_that_nothing_was_estimated(given):
    one, make = given
    run, settings = make()
    assert pass_on(run, settings).state is RunState.DONE
    folder = settings.output_dir / 'sub-01' / 'perf'
    names = sorted(path.name for path in folder.iterdir())
    assert names[:2] == ['sub-01_desc-given_cbf.json', 'sub-01_desc-given_cbf.nii.gz']
    assert names[2:] == ['sub-01_desc-qualitycontrol_cbf.tsv']
    data = np.asarray(nib.load(folder / names[1]).dataobj)
    np.testing.assert_allclose(data, 0.6 * one.m0, rtol=1e-6)
    fields = json.loads((folder / names[0]).read_text(encoding='utf-8'))
    assert fields['Units'] == 'mL/100 g/min'
    assert 'nothing was estimated' in fields['Description']
    assert 'mean of 2 volumes' in fields['Description']
    assert fields['Sources'][0] == 'bids:raw:sub-01/perf/sub-01_asl.nii.gz'


def test_the_page_of_the_subject_says_what_was_done(given):
    run, settings = given[1]()
    pass_on(run, settings)
    page = write_subject_page(settings.output_dir, '01').read_text(encoding='utf-8')
    assert 'Given, not estimated' in page
    assert 'left no report' not in page
    assert [record.run for record in read_records(settings.output_dir)] == ['sub-01']
    (row,) = collect(settings.output_dir).to_dict('records')
    assert (row['state'], row['protocol']) == ('done', 'CBF given')


def test_a_unit_that_is_not_stated_is_not_invented(given):
    one, make = given
    one.sidecar = {}
    run, settings = make()
    pass_on(run, settings)
    sidecar = settings.output_dir / 'sub-01' / 'perf' / 'sub-01_desc-given_cbf.json'
    fields = json.loads(sidecar.read_text(encoding='utf-8'))
    assert 'Units' not in fields
    assert 'Units is not stated' in fields['Description']


def test_cbf_beside_differences_is_left_aside_aloud(make_dataset, subject, tmp_path):
    one = subject()
    one.context = [*['deltam'] * 11, 'cbf']
    run, _ = read(make_dataset(one), tmp_path / 'out')
    assert isinstance(run, ASLRun)
    assert run.acquisition.n_measurements == 11
    assert any('Volumes of type cbf were not used' in note for note in run.notes)
