"""The work folder: what it takes on disk, and what may go."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from aslprep_nn.pipeline.bookkeeping import WORKFLOW, work_folder
from aslprep_nn.pipeline.lock import claim_shared_files
from aslprep_nn.settings import Settings

#: st_blocks counts these, whatever the blocks of the file system are (stat(2)).
BLOCK = 512


def bytes_of_work(run_name: str, settings: Settings) -> int:
    """Return what the intermediate files of a run take on disk [B]."""
    files = work_folder(run_name, settings).rglob('*')
    return sum(path.lstat().st_blocks * BLOCK for path in files if path.is_file())


def settle_work(run_name: str, settings: Settings, *, is_done: bool) -> tuple[int, bool]:
    """Remove the intermediate files of a run that is done, unless they are to be kept.

    Parameters
    ----------
    run_name, settings
        Whose.
    is_done
        False where the next start is to go on from them.

    Returns
    -------
    What they take on disk [B], and whether they are still there.
    """
    n_bytes = bytes_of_work(run_name, settings)
    is_kept = settings.keep_work or not is_done
    if not is_kept:
        shutil.rmtree(work_folder(run_name, settings), ignore_errors=True)
    return n_bytes, is_kept


def discard_empty_work(settings: Settings) -> None:
    """Remove the work folder once nobody's files are in it and nobody is about to put some."""
    with claim_shared_files(settings):
        if _somebody_works(settings):
            return
        for folder in (settings.work_dir / WORKFLOW, settings.work_dir):
            with suppress(OSError):  # not empty, or not there
                folder.rmdir()


def _somebody_works(settings: Settings) -> bool:
    runs: Path = settings.output_dir / 'logs' / 'runs'
    return any(runs.glob('.*.lock'))
