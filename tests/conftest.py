"""Fixtures for all tests."""

import os
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault('OMP_NUM_THREADS', '1')  # workers share the cores; read when torch loads

import pytest
from datasets import Subject, write_dataset


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Path]:
    """Write a dataset of the subjects given and return its root."""
    return lambda *subjects: write_dataset(tmp_path / 'bids', *subjects)


@pytest.fixture
def subject() -> type[Subject]:
    """Make a subject."""
    return Subject


@pytest.fixture
def close(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Take away the right to read a folder; root, who often runs tests, may read everything."""
    closed, read = set(), Path.iterdir

    def iterdir(self):
        if self in closed:
            raise PermissionError(13, 'Permission denied', str(self))
        return read(self)

    monkeypatch.setattr(Path, 'iterdir', iterdir)
    return closed.add
