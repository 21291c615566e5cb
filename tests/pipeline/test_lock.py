"""Locks exclude, are left by the dead, and leave no file."""

import multiprocessing
import os
import signal
import time

import pytest
from filelock import FileLock

from aslprep_nn.errors import OutputError
from aslprep_nn.pipeline import lock
from aslprep_nn.pipeline.gpu import lock_of, turn_on
from aslprep_nn.settings import Settings

N_PROCESSES, N_TIMES = 4, 25
FORK = multiprocessing.get_context('fork')


def count(path, number):
    for _ in range(N_TIMES):
        with lock.locked(path, 60.0) as mine:
            assert mine
            value = int(number.read_text(encoding='ascii'))
            time.sleep(0.001)
            number.write_text(str(value + 1), encoding='ascii')


def test_no_count_is_lost_among_processes_though_each_removes_the_file_of_the_lock(tmp_path):
    number = tmp_path / 'number'
    number.write_text('0', encoding='ascii')
    processes = [
        FORK.Process(target=count, args=(tmp_path / 'lock', number)) for _ in range(N_PROCESSES)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert number.read_text(encoding='ascii') == str(N_PROCESSES * N_TIMES)
    assert not (tmp_path / 'lock').exists()


def keep(path, is_kept):
    with lock.locked(path, 0.0):
        is_kept.set()
        time.sleep(60)


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    is_kept = FORK.Event()
    process = FORK.Process(target=keep, args=(tmp_path / 'lock', is_kept))
    process.start()
    assert is_kept.wait(10)
    with lock.locked(tmp_path / 'lock', 0.0) as mine:
        assert not mine
    os.kill(process.pid, signal.SIGKILL)
    with lock.locked(tmp_path / 'lock', 5.0) as mine:
        assert mine


def test_who_waits_in_vain_for_the_shared_files_says_for_what(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, 'PATIENCE', 0.1)
    path = tmp_path / 'logs' / '.shared.lock'
    path.parent.mkdir()
    settings = Settings(tmp_path, tmp_path, tmp_path)
    with (
        FileLock(path),
        pytest.raises(OutputError, match=r'shared.lock is kept by another process'),
        lock.claim_shared_files(settings),
    ):
        pass


def test_one_process_at_a_time_computes_on_a_gpu(tmp_path, monkeypatch):
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    other = FileLock(lock_of('cuda:1'), timeout=0, is_singleton=False)
    with turn_on('cuda:1'), pytest.raises(TimeoutError):
        other.acquire()
    with other, turn_on('cpu'), turn_on('cuda'):  # another device, and the first GPU
        pass
    with turn_on('cuda:1'):
        pass


def test_a_gpu_has_one_lock_whatever_its_place_among_the_visible_ones(monkeypatch):
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    assert lock_of('cuda') == lock_of('cuda:0') != lock_of('cuda:1')
    third = lock_of('cuda:3')
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '3,1')
    assert lock_of('cuda:0') == third
