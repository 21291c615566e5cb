"""Which code made a result."""

from __future__ import annotations

import subprocess
from pathlib import Path

from aslprep_nn.version import __version__


def commit() -> str:
    """Name the commit, and whether files differ from it; without a repository the release."""
    here = Path(__file__).parent
    asked = ('git', '-C', str(here), 'describe', '--always', '--dirty', '--abbrev=40')
    try:
        done = subprocess.run(asked, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return f'version {__version__}'
    return done.stdout.strip()
