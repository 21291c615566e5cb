"""Running the workflows, and writing down how each run ended."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import nipype
from nipype.pipeline import engine

from aslprep_nn.errors import Problem
from aslprep_nn.pipeline.engines import open_engine
from aslprep_nn.pipeline.masks import mask_of
from aslprep_nn.pipeline.step import PROBLEMS_FILE
from aslprep_nn.pipeline.workflow import init_asl_wf
from aslprep_nn.report.records import RunRecord, RunState
from aslprep_nn.run import ASLRun, RefusedRun
from aslprep_nn.settings import Settings
from aslprep_nn.version import __version__
from aslprep_nn.writing import write_atomically

log = logging.getLogger(__name__)

LAST_NODE = 'report_run'
WORKFLOW = 'aslprep_nn_wf'

#: Told the run, the step and 'start', 'end' or 'exception'.
Progress = Callable[[str, str, str], None]


def record_path(settings: Settings, run_name: str) -> Path:
    """Return where the record of a run lies."""
    return settings.output_dir / 'logs' / 'runs' / f'{run_name}.json'


def fingerprint(run: ASLRun, settings: Settings) -> str:
    """Condense everything a result depends on: inputs by content, options, version."""
    digest = hashlib.sha256()
    for path in run.sources:
        digest.update(str(path.relative_to(settings.bids_dir)).encode())
        digest.update(path.read_bytes())
    mask = mask_of(run, settings)
    if mask is not None and mask.is_file():
        digest.update(mask.read_bytes())
    chosen = settings.physics, settings.trust, settings.estimators, settings.seed
    choices = (*chosen, __version__)
    weights = run.estimation.weights
    if weights is not None:  # by content, not by place
        weights = replace(weights, path=Path())
    known = replace(
        run,
        sources=(),
        series=Path(),
        m0=replace(run.m0, path=None),
        estimation=replace(run.estimation, weights=weights),
    )
    digest.update(repr((choices, known)).encode())
    return digest.hexdigest()


def is_done(run: ASLRun, settings: Settings) -> bool:
    """Tell whether a run was finished before, with the same inputs, options and version."""
    record = _previous_record(settings, run.name)
    return bool(
        record.get('state') == RunState.DONE
        and record.get('fingerprint') == fingerprint(run, settings)
        and all((settings.output_dir / output).exists() for output in record['outputs'])
    )


def discard_previous(run_name: str, settings: Settings) -> int:
    """Remove what an earlier run made from other input or options; return how many files.

    Left in place, an old map would be taken for one of the new run.
    """
    outputs = [
        settings.output_dir / name
        for name in _previous_record(settings, run_name).get('outputs', ())
    ]
    present = [path for path in outputs if path.is_file()]
    for path in present:
        path.unlink()
    return len(present)


def refuse(refused: RefusedRun, settings: Settings) -> RunRecord:
    """Write down that a run cannot be processed; earlier maps of it go."""
    discard_previous(refused.name, settings)
    record = RunRecord(
        refused.name, refused.subject, RunState.REFUSED, refused.problems, version=__version__
    )
    _write_record(settings, record)
    return record


def process(runs: Sequence[ASLRun], settings: Settings, progress: Progress) -> list[RunRecord]:
    """Process runs; one that fails leaves the others alone.

    Parameters
    ----------
    runs
        What to do.
    settings
        How.
    progress
        Told of every step.

    Returns
    -------
    How each run ended, in the order given.
    """
    _configure(settings)
    watch = _Watch({_workflow_name(run.name): run for run in runs}, settings, progress)
    parent = engine.Workflow(WORKFLOW, base_dir=str(settings.work_dir))
    parent.add_nodes([init_asl_wf(run, settings) for run in runs])
    with open_engine(len(runs), settings, watch) as plugin:
        _discard_outdated(runs, settings)
        try:
            parent.run(plugin=plugin)
        except RuntimeError:  # Nipype's summary of failed nodes; each run's record tells its own
            log.debug('some steps failed', exc_info=True)
    return [watch.records.get(run.name) or watch.failure(run) for run in runs]


def _discard_outdated(runs: Sequence[ASLRun], settings: Settings) -> None:
    for run in runs:
        n_files = discard_previous(run.name, settings)
        if n_files:
            log.info('%s: removed %d files made from other input or options', run.name, n_files)


def discard_work(run_names: Sequence[str], settings: Settings) -> None:
    """Remove the intermediate files of runs, and the work folder once it is empty."""
    for name in run_names:
        shutil.rmtree(settings.work_dir / WORKFLOW / _workflow_name(name), ignore_errors=True)
    left = [path for path in settings.work_dir.glob('*/*') if path.is_dir()]
    if not left:
        shutil.rmtree(settings.work_dir, ignore_errors=True)


def n_steps(runs: Sequence[ASLRun], settings: Settings) -> int:
    """Count the steps of all runs."""
    return sum(len(init_asl_wf(run, settings).list_node_names()) for run in runs)


@dataclass
class _Watch:
    """Listen to Nipype, and write a run's record the moment its last step ends."""

    runs: dict[str, ASLRun]
    settings: Settings
    progress: Progress

    def __post_init__(self) -> None:
        self.records: dict[str, RunRecord] = {}
        self.started = time.time()
        self.first_seen: dict[str, float] = {}
        self.failed: dict[str, engine.Node] = {}

    def __call__(self, node: engine.Node, status: str) -> None:
        workflow, step = str(node.fullname).split('.')[-2:]
        run = self.runs[workflow]
        self.first_seen.setdefault(run.name, time.time())
        if status == 'exception':
            self.failed.setdefault(run.name, node)
        # The Linear engine says 'end' of the steps it had to skip after one failed, too.
        elif step == LAST_NODE and status == 'end' and run.name not in self.failed:
            self.records[run.name] = self._done(run, node)
        self.progress(run.name, step, status)

    def failure(self, run: ASLRun) -> RunRecord:
        """Find out why a run did not end, and write it down."""
        folder = self.settings.work_dir / WORKFLOW / _workflow_name(run.name)
        crash = self._crash_file(self.failed[run.name]) if run.name in self.failed else None
        record = RunRecord(
            run=run.name,
            subject=run.subject,
            state=RunState.FAILED,
            problems=_problems(folder),
            error=_last_line(crash) if crash else 'The run did not finish.',
            crash_file=str(crash.relative_to(self.settings.output_dir)) if crash else '',
            seconds=self._seconds(run),
            version=__version__,
        )
        _write_record(self.settings, record)
        return record

    def _done(self, run: ASLRun, node: engine.Node) -> RunRecord:
        files, estimation = node.result.outputs.outputs, node.result.outputs.estimation
        for note in estimation.notes:
            if note not in run.estimation.notes:
                log.warning('%s: %s', run.name, note)
        outputs = [str(Path(file).relative_to(self.settings.output_dir)) for file in files]
        record = RunRecord(
            run.name,
            run.subject,
            RunState.DONE,
            seconds=self._seconds(run),
            version=__version__,
            estimators=tuple(map(str, estimation.estimators)),
            gates=tuple(node.result.outputs.gates),
            not_offered=estimation.notes,
        )
        extra = {'fingerprint': fingerprint(run, self.settings), 'outputs': outputs}
        _write_record(self.settings, record, extra)
        return record

    def _crash_file(self, node: engine.Node) -> Path | None:
        """Find the crash file of a node, when all is over: some engines tell before they write."""
        name = f'crash-*-{node.name}-*.txt'
        recent = [
            path
            for path in _crash_dir(self.settings).glob(name)
            if path.stat().st_mtime >= self.started - 1
            and node.fullname in path.read_text(encoding='utf-8').splitlines()[0]
        ]
        return max(recent, key=lambda path: path.stat().st_mtime, default=None)

    def _seconds(self, run: ASLRun) -> float:
        return round(time.time() - self.first_seen.get(run.name, time.time()), 1)


def _configure(settings: Settings) -> None:
    """Set Nipype up: resumable, by content, quiet, crashes as text where users look."""
    crash_dir = _crash_dir(settings)
    crash_dir.mkdir(parents=True, exist_ok=True)
    nipype.config.update_config(
        {
            'execution': {
                'crashdump_dir': str(crash_dir),
                'crashfile_format': 'txt',
                'hash_method': 'content',
                'stop_on_first_crash': 'false',
                'create_report': 'false',
                'check_version': 'false',
                'poll_sleep_duration': '0.2',
            },
        }
    )


def _previous_record(settings: Settings, run_name: str) -> dict[str, Any]:
    """Read the record of an earlier run; one that cannot be read counts as none."""
    try:
        content = json.loads(record_path(settings, run_name).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write_record(
    settings: Settings, record: RunRecord, extra: dict[str, Any] | None = None
) -> None:
    text = json.dumps(asdict(record) | (extra or {}), indent=1, ensure_ascii=False)
    write_atomically(record_path(settings, record.run), (text + '\n').encode())


def _problems(folder: Path) -> tuple[Problem, ...]:
    found = [
        Problem(**facts)
        for path in sorted(folder.glob(f'*/{PROBLEMS_FILE}'))
        for facts in json.loads(path.read_text(encoding='utf-8'))
    ]
    return tuple(found)


def _last_line(crash: Path) -> str:
    """Return the exception in a crash file, without the way there."""
    lines = [line.strip() for line in crash.read_text(encoding='utf-8').splitlines()]
    errors = [line for line in lines if re.match(r'[\w.]*(Error|Exception|Interrupt)\b', line)]
    return errors[-1] if errors else f'See {crash.name}.'


def _crash_dir(settings: Settings) -> Path:
    return settings.output_dir / 'logs' / 'crash'


def _workflow_name(run_name: str) -> str:
    return re.sub(r'\W', '_', run_name)
