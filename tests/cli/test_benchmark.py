"""``aslprep_nn-tools benchmark``."""

import json

import pytest

from aslprep_nn.cli.tools import main
from aslprep_nn.cli.tools.benchmark import render
from aslprep_nn.estimation.benchmark import speed
from aslprep_nn.estimation.benchmark.scenarios import Table


@pytest.fixture(autouse=True)
def _brief(monkeypatch):
    monkeypatch.setattr(speed, 'REPEATS', 1)
    monkeypatch.setattr(speed, 'N_SCIPY', 5)


def test_json_holds_every_table_asked_for(capsys):
    assert main(['benchmark', 'fit', '--quick', '--json', '--tables', 'speed']) == 0
    (table,) = json.loads(capsys.readouterr().out)
    assert table['name'] == 'speed'
    assert [row['PLDs'] for row in table['rows']] == [6, 21]


def test_without_json_it_prints_markdown(capsys):
    assert main(['benchmark', 'fit', '--quick', '--tables', 'speed']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == '## speed'
    assert lines[4].startswith('| PLDs |')
    assert len({len(line) for line in lines[4:8]}) == 1


def test_columns_are_as_wide_as_their_widest_cell():
    table = Table('name', 'Why?', ({'a': 1, 'long name': 2.5}, {'a': 12345, 'long name': 'x'}))
    assert render(table).splitlines()[4:] == [
        '| a     | long name |',
        '|-------|-----------|',
        '| 1     | 2.5       |',
        '| 12345 | x         |',
    ]


def test_a_bar_within_a_cell_does_not_end_it():
    table = Table('name', 'Why?', ({'|bias|': 1},))
    assert render(table).splitlines()[4:] == [r'| \|bias\| |', '|----------|', '| 1        |']


@pytest.mark.parametrize(
    'arguments', [['benchmark'], ['benchmark', 'everything'], ['benchmark', 'fit', '--tables', 'x']]
)
def test_what_it_does_not_know_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert 'usage' in capsys.readouterr().err
