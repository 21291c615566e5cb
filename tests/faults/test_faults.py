"""What goes wrong around the app costs no run but the one it hits, and no later start."""

import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.app import App, half_files, products, run, start
from faults.kills import QUICK, kill_often, tiny_dataset


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Run the app once where nothing goes wrong; return its folder and what it makes."""
    folder = tmp_path_factory.mktemp('undisturbed')
    tiny_dataset(folder / 'bids')
    app = run(*command(folder), log=folder / 'log')
    assert app.wait() == 0, app.said()
    made = products(folder / 'out')
    (folder / 'out').rename(folder / 'kept')
    return folder, made


@pytest.fixture
def folder(undisturbed) -> Iterator[Path]:
    """Return the folder with its dataset and without any output: paths are in what is made."""
    place, _ = undisturbed
    yield place
    (place / 'out').rename(place / f'out of {len(list(place.iterdir()))}')


def command(folder: Path) -> tuple[object, ...]:
    return folder / 'bids', folder / 'out', 'participant', '--nprocs', 2, *QUICK


def assert_the_next_start_completes(undisturbed: tuple[Path, dict[str, str]]) -> None:
    folder, expected = undisturbed
    again = run(*command(folder), log=folder / 'again')
    assert again.wait() == 0, again.said()
    made = products(folder / 'out')
    assert sorted(dict(made.items() ^ expected.items())) == []
    assert half_files(folder / 'out') == []


def is_done(folder: Path, subject: str) -> bool:
    return (folder / 'out' / f'sub-{subject}' / 'perf' / f'sub-{subject}_cbf.nii.gz').exists()


def assert_one_failed(app: App, folder: Path) -> None:
    assert app.wait() == 1, app.said()
    assert '1 of 2 runs done, 1 failed' in app.said()
    assert not app.group()
    assert is_done(folder, '01')


def test_a_start_after_kills_makes_what_one_without_makes(tmp_path):
    (ordeal,) = kill_often(tmp_path, n_ordeals=1, n_kills=3, seed=4)
    assert (ordeal.exit_code, ordeal.differences, ordeal.left) == (0, (), ())


def test_an_input_file_that_vanishes_fails_its_run_by_name(undisturbed, folder):
    app = start(*command(folder), log=folder / 'log')
    series = folder / 'bids' / 'sub-02' / 'perf' / 'sub-02_asl.nii.gz'
    app.wait_until(lambda: 'sub-02: choosing the reference' in app.said())
    series.rename(folder / 'away')
    assert_one_failed(app, folder)
    assert 'sub-02/perf/sub-02_asl.nii.gz is gone; expected as it was read' in app.said()
    assert 'start the same command again' in app.said()
    (folder / 'away').rename(series)
    assert_the_next_start_completes(undisturbed)


def test_a_folder_that_cannot_be_written_to_fails_its_run_by_name(undisturbed, folder):
    obstacle = folder / 'out' / 'sub-02'
    obstacle.parent.mkdir()
    obstacle.touch()
    assert_one_failed(run(*command(folder), log=folder / 'log'), folder)
    said = (folder / 'log').read_text(encoding='utf-8')
    assert f'{obstacle}/perf/' in said
    assert 'is not writable (Not a directory)' in said
    obstacle.unlink()
    assert_the_next_start_completes(undisturbed)


def test_a_worker_that_is_killed_for_memory_fails_its_run_only(undisturbed, folder):
    app = start(*command(folder), log=folder / 'log')
    app.wait_until(lambda: 'sub-02: estimating motion' in app.said())
    os.kill(worker_on(app, 'sub-02'), signal.SIGKILL)
    assert_one_failed(app, folder)
    assert 'sub-02: Its process was killed, which is what the system does when' in app.said()
    assert_the_next_start_completes(undisturbed)


def worker_on(app: App, run_name: str) -> int:
    """Return the process that holds the lock of a run."""
    for pid in app.workers():
        links = [path.readlink() for path in Path(f'/proc/{pid}/fd').iterdir() if path.is_symlink()]
        if any(link.name == f'.{run_name}.lock' for link in links):
            return pid
    raise LookupError(run_name)


def allow_small_files_only() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (15_000, 15_000))


def test_a_file_that_may_not_grow_leaves_no_half_of_it_and_a_remedy(undisturbed, folder):
    app = run(*command(folder), log=folder / 'log', before=allow_small_files_only)
    assert app.wait() == 1, app.said()
    assert 'File too large' in app.said()
    assert 'Make room' in app.said()
    assert half_files(folder / 'out') == []
    assert_the_next_start_completes(undisturbed)


def test_a_full_disk_leaves_no_half_file_and_a_remedy(undisturbed, folder):
    disk = folder / 'out'
    disk.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=700k', 'tmpfs', str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip('only root may make a small disk')
    try:
        app = run(*command(folder), log=folder / 'log')
        assert app.wait() == 1, app.said()
        assert 'No space left on device' in app.said()
        assert 'Make room' in app.said()
        assert half_files(disk) == []
        subprocess.run(['mount', '-o', 'remount,size=64m', str(disk)], check=True)
        assert_the_next_start_completes(undisturbed)
    finally:
        subprocess.run(['umount', str(disk)], check=True)
