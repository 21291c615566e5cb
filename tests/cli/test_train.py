"""`aslprep_nn-tools train` leaves weights the app can load, and what shows how they came about."""

import csv
import json

import pytest
import torch

from aslprep_nn.cli.tools import main
from aslprep_nn.network.weights import load_weights

TINY = """
n_steps = 2
n_phantoms = 1
batch = 1
slices = 1
size = 32
pool = 1
width = 8
n_levels = 2
"""


@pytest.fixture(autouse=True)
def few_checks(monkeypatch):
    monkeypatch.setattr('aslprep_nn.network.training.N_CHECKS', 1)


def train(folder, *options, recipe=TINY):
    path = folder / 'recipe.toml'
    path.write_text(recipe)
    words = ['train', str(folder / 'out'), '--recipe', str(path), '--device', 'cpu']
    return main([*words, '--workers', '0', *options])


def test_training_leaves_weights_card_history_and_curves(tmp_path, capsys):
    assert train(tmp_path, '--until', '1', '--name', 'tiny') == 0
    assert train(tmp_path, '--name', 'tiny', '--check-every', '1') == 0
    path = tmp_path / 'out' / 'tiny.safetensors'
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [str(path)] * 2
    loaded = load_weights(path)
    assert loaded.network.settings.width == 8
    card = json.loads(path.with_suffix('.json').read_text())
    assert card['n_steps'] == 2
    assert card['seed'] == 1
    assert card['metrics']['recipe']['n_phantoms'] == 1
    with (tmp_path / 'out' / 'history.tsv').open() as file:
        history = list(csv.DictReader(file, delimiter='\t'))
    assert [row['step'] for row in history] == ['0', '1', '2']
    assert history[0]['loss'] == 'n/a'
    assert b'efficient estimator' in (tmp_path / 'out' / 'learning.svg').read_bytes()


def test_another_seed_does_not_go_on_from_the_checkpoint_of_the_first(tmp_path, capsys):
    assert train(tmp_path) == 0
    assert train(tmp_path, '--seed', '2', '--name', 'second') == 2
    assert 'seed is 1; expected 2' in capsys.readouterr().err
    assert not (tmp_path / 'out' / 'second.safetensors').exists()


def test_a_wrong_recipe_ends_with_the_exit_code_of_wrong_use(tmp_path, capsys):
    assert train(tmp_path, recipe='width = "wide"\nhieght = 2\n') == 2
    told = capsys.readouterr().err
    assert 'width' in told
    assert 'hieght' in told
    assert not (tmp_path / 'out').exists()


def test_training_does_not_touch_the_global_stream(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    train(tmp_path)
    assert torch.equal(torch.rand(1), expected)


def test_the_card_names_the_code_that_began(tmp_path, monkeypatch):
    """Hours pass before it is written, and files may have changed."""
    now = ['the code that began']
    monkeypatch.setattr('aslprep_nn.cli.tools.train.commit', lambda: now[0])

    def change_files(*_):
        now[0] = 'other code'

    monkeypatch.setattr('aslprep_nn.cli.tools.train.write_history', change_files)
    assert train(tmp_path) == 0
    card = load_weights(tmp_path / 'out' / 'default.safetensors').card
    assert card.commit == 'the code that began'
