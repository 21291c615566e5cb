"""The benchmark of the tests measures what it says, on small numbers of voxels."""

import json
import time

import pytest
import torch

from aslprep_nn.cli.tools import main
from aslprep_nn.misspecification.benchmark import speed
from aslprep_nn.misspecification.benchmark.suite import trust_tables


@pytest.fixture(autouse=True)
def _brief(monkeypatch):
    monkeypatch.setattr(speed, 'REPEATS', 1)


def test_the_parts_add_up_to_everything():
    threads = torch.get_num_threads()
    for row in speed.parts(1000).rows:
        times = [value for name, value in row.items() if name not in ('PLDs', 'repetitions')]
        assert sum(times[:-1]) == pytest.approx(times[-1], rel=0.02)
        assert all(row[part] > 0 for part in (*speed.PARTS, 'rest'))
    assert torch.get_num_threads() == threads


def test_a_slow_part_is_seen_in_its_own_column(monkeypatch):
    before = speed.parts(1000).rows[0]
    classify = speed.assess.__globals__['_classes']

    def slowly(*arguments):
        end = time.process_time() + 0.1
        while time.process_time() < end:
            pass
        return classify(*arguments)

    slowly.__code__ = slowly.__code__.replace(co_name='_classes')
    monkeypatch.setitem(speed.assess.__globals__, '_classes', slowly)
    after = speed.parts(1000).rows[0]
    assert after['classes'] - before['classes'] == pytest.approx(100, rel=0.5)


def test_scaling_varies_one_thing_at_a_time():
    rows = speed.scaling(1000).rows
    assert [row['PLDs'] for row in rows if row['varied'] == 'delays'] == [6, 21, 40]
    assert [row['repetitions'] for row in rows if row['varied'] == 'repetitions'] == [4, 8, 50]
    for row in rows:
        expected = row['tests [us/voxel]'] / row['fit [us/voxel]']
        assert row['ratio'] == pytest.approx(expected, rel=0.02)


def test_the_command_line_makes_the_tables_asked_for(capsys):
    assert main(['benchmark', 'trust', '--quick', '--json', '--tables', 'parts']) == 0
    (table,) = json.loads(capsys.readouterr().out)
    assert table['name'] == 'parts'


def test_every_table_can_be_asked_for_by_name():
    assert list(trust_tables(quick=True))[:2] == ['parts', 'scaling']


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_the_tests_are_timed_on_an_accelerator():
    for row in speed.on_accelerator(10**5).rows:
        assert row['tests [us/voxel]'] > 0
