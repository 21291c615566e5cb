"""Running the workflows, and writing down how each run ended."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import nipype
from nipype.pipeline import engine

from aslprep_nn.errors import Problem
from aslprep_nn.pipeline.bookkeeping import (
    WORKFLOW,
    discard_previous,
    previous_record,
    work_folder,
    write_record,
)
from aslprep_nn.pipeline.engines import open_engine
from aslprep_nn.pipeline.masks import mask_of
from aslprep_nn.pipeline.outcome import Listener, Step
from aslprep_nn.pipeline.remedies import remedy_of
from aslprep_nn.pipeline.step import PROBLEMS_FILE
from aslprep_nn.pipeline.workflow import init_asl_wf
from aslprep_nn.report.records import RunRecord, RunState
from aslprep_nn.run import ASLRun
from aslprep_nn.settings import Settings
from aslprep_nn.version import __version__

log = logging.getLogger(__name__)

LAST_NODE = 'report_run'


def fingerprint(run: ASLRun, settings: Settings) -> str:
    """Condense everything a result depends on: inputs by content, options, version."""
    digest = hashlib.sha256()
    for path in run.inputs:
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
        anatomy=replace(run.anatomy, t1w=None),
        estimation=replace(run.estimation, weights=weights),
    )
    digest.update(repr((choices, known)).encode())
    return digest.hexdigest()


def is_done(run: ASLRun, settings: Settings) -> bool:
    """Tell whether a run was finished before, with the same inputs, options and version."""
    record = previous_record(settings, run.name)
    return bool(
        record.get('state') == RunState.DONE
        and record.get('fingerprint') == fingerprint(run, settings)
        and all((settings.output_dir / output).exists() for output in record['outputs'])
    )


def process(runs: Sequence[ASLRun], settings: Settings, listener: Listener) -> list[RunRecord]:
    """Process runs; one that fails leaves the others alone.

    Parameters
    ----------
    runs
        What to do.
    settings
        How.
    listener
        Told of every step.

    Returns
    -------
    How each run ended, in the order given.
    """
    _configure(settings)
    workflows = {run.name: init_asl_wf(run, settings) for run in runs}
    shares = {name: 1 / len(each.list_node_names()) for name, each in workflows.items()}
    watch = _Watch({_folder_name(run.name, settings): run for run in runs}, settings, listener)
    watch.shares = shares
    parent = engine.Workflow(WORKFLOW, base_dir=str(settings.work_dir))
    parent.add_nodes(list(workflows.values()))
    reason = ''
    with open_engine(len(runs), settings, watch) as plugin:
        _discard_outdated(runs, settings)
        try:
            parent.run(plugin=plugin)
        # Nipype's summary of failed nodes, or that it could not write down why one failed.
        except (RuntimeError, OSError) as error:
            log.debug('some steps failed', exc_info=True)
            reason = f'{type(error).__name__}: {error}'
    return [watch.records.get(run.name) or watch.failure(run, reason) for run in runs]


def _discard_outdated(runs: Sequence[ASLRun], settings: Settings) -> None:
    for run in runs:
        n_files = discard_previous(run.name, settings)
        if n_files:
            log.info('%s: removed %d files made from other input or options', run.name, n_files)


@dataclass
class _Watch:
    """Listen to Nipype, and write a run's record the moment its last step ends."""

    runs: dict[str, ASLRun]
    settings: Settings
    listener: Listener

    def __post_init__(self) -> None:
        self.shares: dict[str, float] = {}
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
        self.listener(Step(run.name, step, status, self.shares[run.name]))

    def failure(self, run: ASLRun, reason: str) -> RunRecord:
        """Find out why a run did not end, and write it down."""
        crash = self._crash_file(self.failed[run.name]) if run.name in self.failed else None
        record = RunRecord(
            run=run.name,
            subject=run.subject,
            state=RunState.FAILED,
            problems=(*_absent_sources(run, self.settings), *_problems(run, self.settings)),
            error=remedy_of(_last_line(crash) if crash else reason) or 'The run did not finish.',
            crash_file=str(crash.relative_to(self.settings.output_dir)) if crash else '',
            seconds=self._seconds(run),
            version=__version__,
        )
        write_record(self.settings, record)
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
        write_record(self.settings, record, extra)
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


def _problems(run: ASLRun, settings: Settings) -> tuple[Problem, ...]:
    """Collect what the steps of a run found wrong with the dataset."""
    found = [
        Problem(**facts)
        for path in sorted(work_folder(run.name, settings).glob(f'*/{PROBLEMS_FILE}'))
        for facts in json.loads(path.read_text(encoding='utf-8'))
    ]
    return tuple(found)


def _absent_sources(run: ASLRun, settings: Settings) -> list[Problem]:
    """Name the files of the dataset that went away while a run was processed."""
    remedy = 'Put it back, or mount the dataset again, and start the same command again.'
    return [
        Problem(str(path.relative_to(settings.bids_dir)), '', 'gone', 'as it was read', remedy)
        for path in run.inputs
        if not path.exists()
    ]


def _last_line(crash: Path) -> str:
    """Return the exception in a crash file, without the way there."""
    lines = [line.strip() for line in crash.read_text(encoding='utf-8').splitlines()]
    errors = [line for line in lines if re.match(r'[\w.]*(Error|Exception|Interrupt)\b', line)]
    return errors[-1] if errors else f'See {crash.name}.'


def _crash_dir(settings: Settings) -> Path:
    return settings.output_dir / 'logs' / 'crash'


def _folder_name(run_name: str, settings: Settings) -> str:
    return work_folder(run_name, settings).name
