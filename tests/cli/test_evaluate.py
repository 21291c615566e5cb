"""``aslprep_nn-tools evaluate``."""

import json

import pytest

from aslprep_nn.cli.tools import evaluate, main
from aslprep_nn.evaluation import estimators, phantoms, suite
from aslprep_nn.evaluation.suite import Effort
from aslprep_nn.simulation.held_out import HELD_OUT_PROTOCOLS

TINY = Effort(
    snr=(5.0,),
    central_snr=(5.0,),
    n_known=1,
    n_correlated=1,
    n_wrong=1,
    n_protocol=1,
    n_lesions=1,
    factors=(1.1,),
    total_variation=False,
)


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    monkeypatch.setattr(evaluate, 'QUICK', TINY)
    monkeypatch.setattr(evaluate, 'default_weights', lambda: tmp_path / 'absent.safetensors')
    monkeypatch.setattr(phantoms, 'SHAPE', (3, 24, 24))
    monkeypatch.setattr(phantoms, 'FEWEST_VOXELS', 100)
    monkeypatch.setattr(estimators, 'SIGMAS', (1.0, 2.0))
    monkeypatch.setattr(estimators, 'SIGMAS_OF_ATT', (1.0,))
    name = 'PCASL, 6 long delays'
    monkeypatch.setattr(suite, 'HELD_OUT_PROTOCOLS', {name: HELD_OUT_PROTOCOLS[name]})


def test_files_and_output_hold_the_same_numbers_and_say_how_to_get_them(tiny, tmp_path, capsys):
    folder = tmp_path / 'out'
    assert main(['evaluate', '--quick', '--json', '--output', str(folder), '--seed', '5']) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((folder / 'evaluation.json').read_text())
    assert printed['seed'] == 5
    assert printed['weights'] is None
    assert printed['effort']['n_known'] == 1
    assert printed['scores']
    assert {path.name for path in folder.iterdir()} == {
        'evaluation.json', 'evaluation.md', 'maps.png', 'errors.svg', 'reliability.svg',
    }  # fmt: skip
    markdown = (folder / 'evaluation.md').read_text()
    assert markdown.startswith('No weights were found')
    assert '## requirements' not in markdown
    assert '## lesions' in markdown


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['--speed'], '--weights is absent'),
        (['--weights', 'nowhere.safetensors'], 'nowhere.safetensors'),
        (['--ablations', 'nowhere'], 'without weights'),
        (['--in-vivo', 'nowhere'], 'without a run to halve'),
    ],
)
def test_what_cannot_be_done_is_named(tiny, arguments, words, capsys):
    assert main(['evaluate', '--quick', *arguments]) == 2
    assert words in capsys.readouterr().err
