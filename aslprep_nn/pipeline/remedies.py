"""What to do where the machine, not the dataset, stopped a run."""

from __future__ import annotations

import re
import signal

#: What libraries say, and what people can do about it.
REMEDIES = (
    (
        r'No space left on device|Disk quota exceeded|File too large',
        'Make room, or choose other folders (OUTPUT_DIR, --work-dir), and start the same command '
        'again.',
    ),
    (
        r"MemoryError|Unable to allocate|can't allocate memory|Cannot allocate memory|bad_alloc"
        '|out of memory',
        'The memory did not suffice: start again with a smaller --nprocs or on a larger machine.',
    ),
    (
        r'Permission denied|Read-only file system|Operation not permitted|Not a directory',
        'Change the permissions or choose another folder, and start the same command again.',
    ),
    (
        r'Input/output error|Stale file handle|Transport endpoint',
        'The disk or its network failed: start the same command again.',
    ),
)


def remedy_of(error: str) -> str:
    """Return the line of an error with what to do about it, where that is known.

    Parameters
    ----------
    error
        What was raised.
    """
    known = [remedy for pattern, remedy in REMEDIES if re.search(pattern, error)]
    return ' '.join([error, *known[:1]])


def why_it_died(exit_code: int) -> str:
    """Say what became of a process that ended without a word.

    Parameters
    ----------
    exit_code
        Negative: the signal that ended it.
    """
    again = 'start the same command again, and the run goes on where it stopped.'
    if exit_code == -signal.SIGKILL:
        return (
            'Its process was killed, which is what the system does when memory runs out: if '
            f'so, choose a smaller --nprocs or a larger machine; {again}'
        )
    cause = f'exit code {exit_code}' if exit_code >= 0 else signal.Signals(-exit_code).name
    return f'Its process ended unexpectedly ({cause}): {again}'
