"""A GPU that several processes share: one computes at a time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import FileLock


@contextmanager
def turn_on(device: str) -> Iterator[None]:
    """Wait until no other process of this user computes on a GPU, and leave it empty.

    Two runs that fit one after the other may not fit together, and take no less time. The lock
    is that of a file in the folder for temporary files, so jobs that share a GPU must share that
    folder; the system releases it when its process ends, however that happens.

    Parameters
    ----------
    device
        'cpu', where nobody waits, 'cuda' or 'cuda:N'.
    """
    if not device.startswith('cuda'):
        yield
        return
    with FileLock(lock_of(device)):
        try:
            yield
        finally:
            torch.cuda.empty_cache()


def choose_device(name: str) -> str:
    """Return the device to compute on; 'auto' takes a GPU where there is one."""
    if name == 'auto':
        return 'cuda' if torch.cuda.is_available() else 'cpu'
    return name


def lock_of(device: str) -> Path:
    """Return the file that stands for a GPU, by its place among those of the machine."""
    index = int(device.partition(':')[2] or 0)
    visible = os.environ.get('CUDA_VISIBLE_DEVICES', '').split(',')
    name = visible[index].strip() if index < len(visible) and visible[index] else str(index)
    return Path(tempfile.gettempdir()) / f'aslprep_nn-{os.getuid()}-gpu-{name}.lock'
