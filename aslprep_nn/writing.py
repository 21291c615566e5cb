"""Files that are either whole or not there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from aslprep_nn.errors import OutputError, Problem

#: How the name of a file that is not whole yet ends.
PART = '.part'


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that nobody ever sees half of it under its final name.

    Parameters
    ----------
    path
        The file; its folder is made if absent.
    data
        The content.

    Raises
    ------
    OutputError
        If the disk is full, the folder read-only, or the like.
    """
    try:
        _write(path, data)
    except OSError as error:
        found = f'not writable ({error.strerror or error})'
        expected = f'room for {len(data)} bytes in a folder to write to'
        remedy = 'Make room or choose another folder, and start the same command again.'
        raise OutputError(Problem(str(path), '', found, expected, remedy)) from error


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f'.{path.name}.', suffix=PART, dir=path.parent)
    try:
        with os.fdopen(handle, 'wb') as file:
            file.write(data)
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    """Return the process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
