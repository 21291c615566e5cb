"""Fixtures for all tests."""

from collections.abc import Callable
from pathlib import Path

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
