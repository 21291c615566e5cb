"""``aslprep_nn-tools reproduce subspace``: all experiments and figures, with little of each."""

import csv
import json
from xml.etree import ElementTree

import pytest
import torch

from aslprep_nn.cli.tools import main
from aslprep_nn.estimation.subspace.reproduction import maps, scatter, suite
from aslprep_nn.estimation.subspace.reproduction.matching import MatchingGrid
from aslprep_nn.estimation.subspace.reproduction.suite import Effort

TINY = Effort(
    n_perfused=60, n_fingerprints=4, n_samples=2000, n_draws=20, n_fits=10, n_plane=3
)  # fmt: skip


def few_entries(train):
    axes = torch.arange(0.7, 0.9, 0.05).double(), torch.arange(0.02, 0.03, 0.005).double()
    return MatchingGrid.of(train, *axes)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Run the tool once; what it printed is in ``printed.json``."""
    folder = tmp_path_factory.mktemp('out')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suite, 'QUICK', TINY)
        patch.setattr(scatter, 'N_COMPONENTS', (3, 4))
        patch.setattr(scatter, 'FITTED_CASES', scatter.FITTED_CASES[:1])
        patch.setattr(MatchingGrid, 'around_white_matter', few_entries)
        patch.setattr(maps, 'N_REPEATED', 2)
        assert main(['reproduce', 'subspace', '--quick', '--json', '--output', str(folder)]) == 0
    return folder


@pytest.fixture(scope='module')
def evidence(folder):
    return json.loads((folder / 'reproduction.json').read_text())


def words(path):
    return ' '.join(ElementTree.fromstring(path.read_bytes()).itertext())  # noqa: S314 - our own


def test_files_hold_the_same_evidence(folder, evidence):
    with (folder / 'evidence.tsv').open() as file:
        rows = list(csv.DictReader(file, delimiter='\t'))
    assert [row['quantity'] for row in rows] == [one['quantity'] for one in evidence['evidence']]
    assert {table['name'] for table in evidence['tables']} == {
        'compression', 'weighting', 'scatter', 'maps',
    }  # fmt: skip


def test_no_bound_is_out_of_order(evidence):
    found = {one['quantity']: one for one in evidence['evidence']}
    assert found['B_u <= B_ac <= B_ec: exceptions']['ours'] == 0
    assert found['samples checked']['ours'] >= TINY.n_samples
    inverse = 'B_ec against the inverse information of coefficients: largest relative difference'
    assert found[inverse]['agrees'] == 'yes'


def test_every_case_has_a_row_for_each_size_and_weight(evidence):
    rows = next(table['rows'] for table in evidence['tables'] if table['name'] == 'compression')
    keys = {(row['case'], row['components'], row['lambda']) for row in rows}
    assert len(keys) == len(rows) == 6 * 3 * 4


@pytest.mark.parametrize(
    ('name', 'phrases'),
    [
        ('figure2', ('Hadamard-8', 'MRF-FISP', 'energy loss', 'lambda', '5 components')),
        ('figure4', ('T1', 'ATT', 'bias [%]', 'bound of coefficients, lambda 0.5')),
        ('figure6', ('10 components,', 'lambda 0.3', 'T2 [ms]')),
        ('bases', ('Look-Locker PCASL', 'delay [s]', 'component 1, lambda 0.5')),
    ],
)
def test_a_figure_names_what_it_shows(name, phrases, folder):
    said = words(folder / f'{name}.svg')
    for phrase in phrases:
        assert phrase in said
