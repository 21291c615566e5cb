"""``aslprep_nn-tools reproduce``."""

import csv
import json

import pytest

from aslprep_nn.cli.tools import main, reproduce
from aslprep_nn.misspecification.reproduction import correlated, phantoms, region_levels
from aslprep_nn.misspecification.reproduction.suite import Effort

TINY = Effort(
    n_voxels=160,
    n_gate_voxels=40,
    n_convergence=40,
    n_wrong=20,
    n_scatter=60,
    n_maps=1,
    n_regions=4,
)


@pytest.fixture
def tiny(monkeypatch):
    """A brain takes twelve seconds to make; a second kidney takes none."""
    monkeypatch.setattr(reproduce, 'QUICK', TINY)
    monkeypatch.setattr(phantoms, 'brain_slice', phantoms.kidney_slice)
    monkeypatch.setattr(correlated, 'WIDTHS', (2.0,))
    for module in (correlated, region_levels):
        monkeypatch.setattr(module, 'SHAPE', (6, 6, 6))


def test_quick_json_and_files_hold_the_same_evidence(tiny, tmp_path, capsys):
    folder = tmp_path / 'out'
    assert main(['reproduce', 'wang', '--quick', '--json', '--output', str(folder)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((folder / 'reproduction.json').read_text())
    with (folder / 'evidence.tsv').open() as file:
        rows = list(csv.DictReader(file, delimiter='\t'))
    assert [row['quantity'] for row in rows] == [one['quantity'] for one in printed['evidence']]
    assert list(rows[0]) == [
        'figure', 'quantity', 'ours', 'error', 'reference', 'tolerance', 'agrees', 'note',
    ]  # fmt: skip
    figures = {path.name for path in folder.iterdir() if path.suffix in ('.svg', '.png')}
    assert figures == {'figure1.svg', 'figure2.png', 'figure3.svg', 'figure4.png'}
    assert {table['name'] for table in printed['tables']} == {
        'scenarios', 'outflow', 'strata', 'tails', 'noise', 'own T1', 'readings',
        'false discoveries', 'coverage', 'regions', 'region power', 'scatter',
    }  # fmt: skip


def test_a_paper_it_does_not_know_is_refused(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(['reproduce', 'einstein'])
    assert stopped.value.code == 2
    assert 'wang' in capsys.readouterr().err
