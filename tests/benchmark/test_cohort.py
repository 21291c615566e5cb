"""A cohort under many names: every subject is one that the app takes."""

import json

from aslprep_nn.benchmark.cohort import label, multiply, simulated_cohort
from aslprep_nn.bids import reader
from aslprep_nn.cli import plan
from aslprep_nn.cli.run import main


def test_every_subject_of_a_simulated_cohort_can_be_processed(tmp_path, capsys):
    root = simulated_cohort(tmp_path, 3)
    assert main([str(root), str(tmp_path / 'out'), 'participant', '--dry-run']) == 0
    plan = json.loads((tmp_path / 'out' / 'logs' / 'plan.json').read_text(encoding='utf-8'))
    assert len(plan['runs']) == 3
    assert capsys.readouterr().out


def test_what_one_subject_left_is_left_by_all(tmp_path):
    first = f'sub-{label(1)}'
    (tmp_path / first / 'perf').mkdir(parents=True)
    (tmp_path / first / 'perf' / f'{first}_cbf.nii.gz').write_bytes(b'an image')
    (tmp_path / first / 'perf' / f'{first}_cbf.json').write_text(f'["bids::{first}/x"]')
    (tmp_path / 'logs' / 'runs').mkdir(parents=True)
    record = {'run': first, 'subject': label(1)}
    (tmp_path / 'logs' / 'runs' / f'{first}.json').write_text(json.dumps(record))
    multiply(tmp_path, 3)
    for number in (2, 3):
        name = f'sub-{label(number)}'
        own = json.loads((tmp_path / 'logs' / 'runs' / f'{name}.json').read_text())
        assert own == {'run': name, 'subject': label(number)}
        assert (tmp_path / name / 'perf' / f'{name}_cbf.nii.gz').read_bytes() == b'an image'
        assert name in (tmp_path / name / 'perf' / f'{name}_cbf.json').read_text()


def test_many_runs_are_read_by_several_processes_as_by_one(tmp_path, capsys, monkeypatch):
    root = simulated_cohort(tmp_path, 4)
    monkeypatch.setattr(reader, 'MANY', 4)
    plans = []
    for n_processes in (1, 2):
        output = tmp_path / str(n_processes)
        words = [str(root), str(output), 'participant', '--dry-run', '--nprocs', str(n_processes)]
        monkeypatch.setattr(plan, 'MOST_SHOWN', 4 if n_processes == 1 else 3)
        assert main(words) == 0
        plans.append((output / 'logs' / 'plan.json').read_text(encoding='utf-8'))
    assert plans[0] == plans[1]
    said = capsys.readouterr().out
    assert said.count('The same for 3 other runs: sub-0002, sub-0003, sub-0004') == 1
