"""Real brains pass every gate of plausibility: a gate that cries wolf is soon not listened to."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / 'shared' / 'data'


@pytest.mark.parametrize('folder', sorted(DATA.glob('invivo-*')), ids=lambda folder: folder.name)
def test_no_gate_closes_in_a_real_brain(folder, tmp_path):
    assert gates(folder, tmp_path) == []


def test_fluid_that_is_not_found_closes_the_gate(tmp_path):
    folder = DATA / 'invivo-siemens-2d-pcasl-6pld'
    if not folder.is_dir():
        pytest.skip('the data lie beside the repository of the maintainers')
    assert gates(folder, tmp_path, '--m0-method', 'reference') == ['m0_region']


def gates(folder: Path, output: Path, *options: str) -> list[str]:
    """Process the only run of a dataset, and return what it did not pass."""
    command = [sys.executable, '-m', 'aslprep_nn', str(folder), str(output), 'participant']
    command += ['--estimator', 'lsq', '--misspecification', 'off', '--omp-nthreads', '1', *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    (run,) = json.loads((output / 'logs' / 'status.json').read_text(encoding='utf-8'))['runs']
    return list(run['gates'])
