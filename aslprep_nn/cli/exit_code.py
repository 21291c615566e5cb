"""What the shell is told."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How the app ended."""

    DONE = 0
    SOME_FAILED = 1
    USAGE = 2
    NOTHING_TO_PROCESS = 3
    DATASET_UNUSABLE = 65
    INTERRUPTED = 130
