"""One process per run: two that write the same files would destroy each other's work."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from aslprep_nn.run import ASLRun
from aslprep_nn.settings import Settings


@contextmanager
def claim(runs: Sequence[ASLRun], settings: Settings) -> Iterator[tuple[ASLRun, ...]]:
    """Yield the runs that no other process is working on, and keep others away from them.

    The operating system releases the lock of a process that was killed. Different runs may be
    processed into one output folder at once, as array jobs do.

    Parameters
    ----------
    runs
        The runs wanted.
    settings
        Names the output folder.
    """
    with ExitStack() as locks:
        yield tuple(run for run in runs if locks.enter_context(_lock(_lock_path(run, settings))))


def _lock_path(run: ASLRun, settings: Settings) -> Path:
    return settings.output_dir / 'logs' / 'runs' / f'.{run.name}.lock'


@contextmanager
def _lock(path: Path) -> Iterator[bool]:
    """Yield whether the lock could be had; its file goes with it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w', encoding='utf-8') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        try:
            yield True
        finally:
            path.unlink(missing_ok=True)
