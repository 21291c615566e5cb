"""Runs are handed out as cores and memory allow, and a process that dies costs its run only."""

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aslprep_nn.pipeline import cohort, memory, worker
from aslprep_nn.pipeline.memory import GIB, MemoryNeeds, memory_here, shape_of
from aslprep_nn.pipeline.outcome import End, Line, Outcome, Step
from aslprep_nn.report.records import RunRecord, RunState
from aslprep_nn.settings import Settings
from aslprep_nn.writing import PART, write_atomically

N_RUNS = 5
NEED = MemoryNeeds().of(())
#: What a run then took: with the tenth that is added, no more than was predicted.
AS_PREDICTED = int(NEED / 1.1)


def pretend_to_work(channel, series, settings, log_level):
    """Start, take a while, end; or die, where the name of the run says so."""
    name = series.name.removesuffix('_asl.nii.gz')
    channel.send(Line(logging.INFO, f'{name}: the same words'))
    channel.send(Step(name, 'step', 'start', 1.0))
    time.sleep(0.1)
    if 'dies' in name:
        os.kill(os.getpid(), signal.SIGKILL)
    channel.send(Step(name, 'step', 'end', 1.0))
    time.sleep(0.05)  # who listens has heard of the end before a place is free
    channel.send(Outcome(name, name[4:], End.DONE, memory=AS_PREDICTED))


def write_slowly(channel, series, settings, log_level):
    """Tell when a file is about to get its final name, and then take long."""
    worker.end_when_told()

    def replace(*_):
        channel.send(Step('sub-0', 'step', 'start', 1.0))
        time.sleep(60)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, 'replace', replace)
        write_atomically(settings.output_dir / 'record.json', b'{}')


@pytest.fixture
def work(tmp_path, monkeypatch):
    """Return a function that hands runs out and counts how many are at work at once."""
    monkeypatch.setattr(cohort, 'prepare', lambda: None)
    monkeypatch.setattr(cohort, 'get_context', lambda _: multiprocessing.get_context('fork'))
    monkeypatch.setattr(cohort, '_serve', pretend_to_work)

    def work(*names, **options):
        at_work, most = set(), 0

        def listen(step):
            nonlocal most
            (at_work.add if step.status == 'start' else at_work.discard)(step.run)
            most = max(most, len(at_work))

        settings = Settings(tmp_path, tmp_path / 'out', tmp_path / 'work', **options)
        series = [tmp_path / name / 'perf' / f'{name}_asl.nii.gz' for name in names]
        return list(cohort.work_through(series, settings, listen)), most

    return work


NAMES = tuple(f'sub-{number}' for number in range(N_RUNS))


def test_as_many_runs_are_at_work_as_processes_were_asked_for(work):
    outcomes, most = work(*NAMES, n_processes=3, memory=100 * NEED)
    assert {outcome.run for outcome in outcomes} == set(NAMES)
    assert most == 3


def test_runs_wait_for_memory(work):
    outcomes, most = work(*NAMES, n_processes=5, memory=2 * NEED)
    assert len(outcomes) == N_RUNS
    assert most == 2


def test_a_run_that_needs_more_than_there_is_goes_alone_and_is_named(work, caplog):
    with caplog.at_level(logging.WARNING):
        outcomes, most = work(*NAMES[:2], n_processes=2, memory=NEED // 2)
    assert (len(outcomes), most) == (2, 1)
    assert 'sub-0: may need 0.6 GB, more than the 0.3 GB there are' in caplog.text


def test_a_process_that_dies_fails_its_run_in_words_and_the_others_go_on(work, tmp_path):
    outcomes, _ = work('sub-1', 'sub-dies', 'sub-2', n_processes=2, memory=100 * NEED)
    ends = {outcome.run: outcome.end for outcome in outcomes}
    assert ends == {'sub-1': End.DONE, 'sub-2': End.DONE, 'sub-dies': End.FAILED}
    record = RunRecord.read(tmp_path / 'out' / 'logs' / 'runs' / 'sub-dies.json')
    assert record.state is RunState.FAILED
    assert 'killed, which is what the system does when memory runs out' in record.error


@pytest.mark.usefixtures('work')
def test_a_run_that_is_ended_while_it_writes_leaves_no_half_file(tmp_path, monkeypatch):
    monkeypatch.setattr(cohort, '_serve', write_slowly)
    settings = Settings(tmp_path, tmp_path / 'out', tmp_path / 'work')
    written = []

    def listen(_):
        written.extend(path.suffix for path in settings.output_dir.iterdir())
        raise OSError('the disk is full')

    with pytest.raises(OSError, match='full'):
        list(cohort.work_through([tmp_path / 'sub-0_asl.nii.gz'], settings, listen))
    assert written == [PART]
    assert list(settings.output_dir.iterdir()) == []


def test_what_all_runs_say_is_said_once_and_counted(work, caplog):
    with caplog.at_level(logging.INFO):
        work(*NAMES, n_processes=1, memory=100 * NEED)
    said = [record.getMessage() for record in caplog.records]
    assert said == ['sub-0: the same words', f'The same for {N_RUNS - 1} more: the same words']


def test_a_grid_that_was_measured_is_not_predicted_any_more():
    needs = MemoryNeeds()
    small, large = needs.of((10, 10, 10, 5)), needs.of((64, 64, 24, 100))
    assert 0.5 * GIB < small < large
    needs.learn((64, 64, 24, 100), 2 * GIB)
    needs.learn((64, 64, 24, 100), 1 * GIB)
    assert needs.of((64, 64, 24, 100)) == int(2.2 * GIB)
    assert needs.of((10, 10, 10, 5)) == small


def test_an_image_that_cannot_be_read_has_no_shape(tmp_path):
    (tmp_path / 'x.nii.gz').write_bytes(b'no image')
    assert shape_of(tmp_path / 'x.nii.gz') == ()


def test_the_least_limit_of_the_control_groups_around_a_process_counts(tmp_path, monkeypatch):
    whole = memory_here()
    own = tmp_path / 'proc'
    own.write_text('3:cpu,memory:/old\n0::/slurm/job_1/step\n', encoding='utf-8')
    (tmp_path / 'slurm' / 'job_1' / 'step').mkdir(parents=True)
    monkeypatch.setattr(memory, 'CGROUPS', tmp_path)
    monkeypatch.setattr(memory, 'OWN_CGROUPS', own)
    assert memory_here() == whole
    (tmp_path / 'slurm' / 'job_1' / 'step' / 'memory.max').write_text('max\n', encoding='ascii')
    (tmp_path / 'slurm' / 'job_1' / 'memory.max').write_text(f'{GIB}\n', encoding='ascii')
    assert memory_here() == int(0.9 * GIB) < whole
    limit = tmp_path / 'memory' / 'old' / 'memory.limit_in_bytes'
    limit.parent.mkdir(parents=True)
    limit.write_text(f'{GIB // 2}\n', encoding='ascii')
    assert memory_here() == int(0.45 * GIB)


def test_who_hands_out_runs_loads_none_of_the_libraries_that_compute():
    code = (
        'import sys; from aslprep_nn.cli import run, levels; import aslprep_nn.pipeline.summary; '
    )
    code += 'sys.exit(bool({"torch", "ants", "nipype", "pandas"} & set(sys.modules)))'
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0
