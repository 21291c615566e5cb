"""One process at a time, where two would destroy each other's work.

The operating system releases the lock of a process that was killed, so none is left behind.
Several machines may share a folder: their locks need `flock` on its file system, as NFS and, with
its option of that name, Lustre have it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from aslprep_nn.errors import OutputError, Problem
from aslprep_nn.run import ASLRun
from aslprep_nn.settings import Settings

#: How long the files that all runs share may be kept by another process [s]: writing them takes
#: a second.
PATIENCE = 600.0
#: How long the worker of a process that was killed may take to notice [s].
LAST_BREATH = 3.0


@contextmanager
def claim(runs: Sequence[ASLRun], settings: Settings) -> Iterator[tuple[ASLRun, ...]]:
    """Yield the runs that no other process is working on, and keep others away from them.

    Different runs may be processed into one output folder at once, as array jobs do.

    Parameters
    ----------
    runs
        The runs wanted.
    settings
        Names the output folder.
    """
    with ExitStack() as locks:
        yield tuple(run for run in runs if locks.enter_context(claim_run(run.name, settings)))


@contextmanager
def claim_run(run_name: str, settings: Settings) -> Iterator[bool]:
    """Yield whether no other process is working on a run, and keep others away from it."""
    with locked(settings.output_dir / 'logs' / 'runs' / f'.{run_name}.lock', LAST_BREATH) as mine:
        yield mine


@contextmanager
def claim_shared_files(settings: Settings) -> Iterator[None]:
    """Wait for the turn to write what all runs share: status, pages, citation, group tables.

    Each file is written whole or not at all in any case; but who gathers the records while
    another process adds one would write down less than is known.
    """
    path = settings.output_dir / 'logs' / '.shared.lock'
    with locked(path, PATIENCE) as mine:
        if not mine:
            found = f'kept by another process for {PATIENCE:g} s'
            remedy = 'See what that process does, and start the same command again.'
            raise OutputError(Problem(str(path), '', found, 'free within seconds', remedy))
        yield


@contextmanager
def locked(path: Path, seconds: float) -> Iterator[bool]:
    """Yield whether a lock could be had in time; its file goes with it.

    Parameters
    ----------
    path
        Its file; who gets a lock on one that was removed meanwhile tries again.
    seconds
        How long to wait.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=seconds)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        path.unlink(missing_ok=True)
        lock.release()
