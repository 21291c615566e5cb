"""What is written down about a run, and which files are its own.

Light to import: the process that hands out the work computes nothing.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aslprep_nn.errors import OutputError, Problem
from aslprep_nn.report.records import RunRecord, RunState
from aslprep_nn.run import RefusedRun
from aslprep_nn.settings import Settings
from aslprep_nn.version import __version__
from aslprep_nn.writing import write_atomically

log = logging.getLogger(__name__)

WORKFLOW = 'aslprep_nn_wf'
#: The name of a run holds all of these that its series has, so a file in which one of them
#: follows belongs to another run.
ENTITIES_OF_SERIES = 'ses|task|acq|ce|rec|dir|run|echo|part|chunk'


def record_path(settings: Settings, run_name: str) -> Path:
    """Return where the record of a run lies."""
    return settings.output_dir / 'logs' / 'runs' / f'{run_name}.json'


def previous_record(settings: Settings, run_name: str) -> dict[str, Any]:
    """Read the record of an earlier run; one that cannot be read counts as none."""
    try:
        content = json.loads(record_path(settings, run_name).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_record(
    settings: Settings, record: RunRecord, extra: dict[str, Any] | None = None
) -> None:
    """Write down how a run ended.

    Parameters
    ----------
    settings
        Where.
    record
        What pages and tables show.
    extra
        What only a later start of the app reads.
    """
    text = json.dumps(asdict(record) | (extra or {}), indent=1, ensure_ascii=False)
    write_atomically(record_path(settings, record.run), (text + '\n').encode())


def refuse(refused: RefusedRun, settings: Settings) -> RunRecord:
    """Write down that a run cannot be processed; earlier maps of it go."""
    discard_previous(refused.name, settings)
    record = RunRecord(
        refused.name, refused.subject, RunState.REFUSED, refused.problems, version=__version__
    )
    write_record(settings, record)
    return record


def fail(
    run_name: str,
    subject: str,
    settings: Settings,
    *,
    problems: tuple[Problem, ...] = (),
    error: str = '',
) -> RunRecord:
    """Write down, if that can be, that a run failed outside its steps.

    Parameters
    ----------
    run_name, subject, settings
        What failed.
    problems, error
        Why.
    """
    record = RunRecord(
        run_name, subject, RunState.FAILED, problems, error=error, version=__version__
    )
    try:
        write_record(settings, record)
    except OutputError as why:
        log.error('%s: that it failed could not be written down: %s', run_name, why)
    return record


def discard_previous(run_name: str, settings: Settings) -> int:
    """Remove what earlier attempts at a run left; return how many finished files.

    Left in place, an old map would be taken for one of the new run. What a killed process was
    writing goes as well. The record goes last, so that an attempt that ends here is seen to be
    unfinished.
    """
    own = [path for path in _own_files(run_name, settings) if path.is_file()]
    for path in own:
        path.unlink()
    record_path(settings, run_name).unlink(missing_ok=True)
    return sum(not path.name.startswith('.') for path in own)


def work_folder(run_name: str, settings: Settings) -> Path:
    """Return where the intermediate files of a run lie."""
    return settings.work_dir / WORKFLOW / re.sub(r'\W', '_', run_name)


def _own_files(run_name: str, settings: Settings) -> Iterator[Path]:
    """Yield what an attempt at a run wrote, finished or not."""
    subject, *rest = run_name.split('_')
    session = [part for part in rest[:1] if part.startswith('ses-')]
    own = re.compile(rf'\.?{re.escape(run_name)}_(?!({ENTITIES_OF_SERIES})-)')
    for folder in ('perf', 'figures'):
        for path in settings.output_dir.joinpath(subject, *session, folder).glob('*'):
            if own.match(path.name):
                yield path
    yield from record_path(settings, run_name).parent.glob(f'.{run_name}.json.*')
