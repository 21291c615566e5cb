"""The two levels of the app, participant and group, and the dry run."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from rich.console import Console

from aslprep_nn.bids.description import description_problems
from aslprep_nn.bids.query import find_series, open_dataset
from aslprep_nn.bids.reader import read_runs
from aslprep_nn.cli.exit_code import ExitCode
from aslprep_nn.cli.plan import show_plan
from aslprep_nn.cli.progress import show_progress
from aslprep_nn.errors import NothingToProcessError, Problem, UsageError
from aslprep_nn.pipeline import execution
from aslprep_nn.pipeline.given import pass_on
from aslprep_nn.pipeline.lock import claim
from aslprep_nn.pipeline.offer import offer_estimators
from aslprep_nn.pipeline.summary import write_summary
from aslprep_nn.quality.findings import Gate
from aslprep_nn.report.group import write_group
from aslprep_nn.report.records import RunRecord, RunState, read_records
from aslprep_nn.run import ASLRun, GivenRun, RefusedRun
from aslprep_nn.settings import Settings

log = logging.getLogger(__name__)

Reading = ASLRun | GivenRun | RefusedRun


def participant(settings: Settings, console: Console) -> ExitCode:
    """Process the runs that are not done yet, and write their pages."""
    _require_device(settings.device)
    readings = _read(settings)
    problems = _dataset_problems(settings)
    for problem in problems:
        log.error('%s', problem)
    runs = [each for each in readings if isinstance(each, ASLRun) and not problems]
    waiting = [run for run in runs if not execution.is_done(run, settings)]
    records = [
        execution.refuse(reading, settings)
        for reading in readings
        if isinstance(reading, RefusedRun)
    ]
    _report_failures(records, settings)
    given = [reading for reading in readings if isinstance(reading, GivenRun)]
    records += [pass_on(run, settings) for run in given]
    _say_what_is_not_offered(waiting)
    for run in runs:
        if run not in waiting:
            log.info('%s: done before with the same input and options, nothing to do', run.name)
    with claim(waiting, settings) as free:
        busy = [run for run in waiting if run not in free]
        for run in busy:
            log.error('%s: another process is working on it; start again when it is done', run.name)
        if free:
            records += _process(free, settings, console)
    write_summary(settings, sorted({reading.subject for reading in readings}), problems)
    n_failed = sum(record.state is not RunState.DONE for record in records) + len(busy)
    n_failed = len(readings) if problems else n_failed
    failed = f', {n_failed} failed' if n_failed else ''
    log.info('%d of %d runs done%s', len(readings) - n_failed, len(readings), failed)
    for subject in dict.fromkeys(reading.subject for reading in readings):
        log.info('Report: %s', settings.output_dir / f'sub-{subject}.html')
    n_implausible = _report_implausible([run.name for run in runs], settings)
    if not runs and not given:
        return ExitCode.DATASET_UNUSABLE
    is_bad = n_failed or (settings.is_strict and n_implausible)
    return ExitCode.SOME_FAILED if is_bad else ExitCode.DONE


def group(settings: Settings) -> ExitCode:
    """Write the table and the page over all runs."""
    if not (settings.output_dir / 'logs' / 'runs').is_dir():
        raise NothingToProcessError(
            Problem(
                str(settings.output_dir),
                'logs/runs',
                'absent',
                'runs processed before',
                'Run the participant level first.',
            )
        )
    _, page = write_group(settings.output_dir)
    log.info('Group report: %s', page)
    return ExitCode.DONE


def dry_run(settings: Settings) -> ExitCode:
    """Show the plan and every problem, and do nothing."""
    readings = _read(settings)
    problems = _dataset_problems(settings)
    show_plan(readings, problems, settings)
    n_refused = sum(isinstance(reading, RefusedRun) for reading in readings)
    if problems or n_refused == len(readings):
        return ExitCode.DATASET_UNUSABLE
    return ExitCode.SOME_FAILED if n_refused else ExitCode.DONE


def _process(
    waiting: Sequence[ASLRun], settings: Settings, console: Console
) -> Sequence[RunRecord]:
    """Run the pipeline, show how far it is, and clean up behind it."""
    with show_progress(console, execution.n_steps(waiting, settings)) as progress:
        records = execution.process(waiting, settings, progress)
    _report_failures(records, settings)
    if not settings.keep_work:
        execution.discard_work([record.run for record in records if not record.reason], settings)
    return records


def _say_what_is_not_offered(runs: Sequence[ASLRun]) -> None:
    """Name the estimators that cannot serve, once for all runs that lack one for one reason."""
    names: dict[tuple[str, int], list[str]] = {}
    for run in runs:
        estimation = run.estimation
        level = logging.WARNING if estimation.primary is not estimation.wanted else logging.INFO
        for note in estimation.notes:
            names.setdefault((note, level), []).append(run.name)
    for (note, level), lacking in names.items():
        more = f' and {len(lacking) - 1} more' if len(lacking) > 1 else ''
        log.log(level, '%s%s: %s', lacking[0], more, note)


def _report_implausible(run_names: Sequence[str], settings: Settings) -> int:
    """Warn of results that cannot be right, made now or before; return how many there are."""
    flagged = [
        record
        for record in read_records(settings.output_dir)
        if record.run in run_names and record.gates
    ]
    for record in flagged:
        log.warning(
            '%s: the result cannot be right (%s); its report says why',
            record.run,
            ', '.join(Gate(gate).meaning for gate in record.gates),
        )
    return len(flagged)


def _report_failures(records: Sequence[RunRecord], settings: Settings) -> None:
    for record in records:
        for problem in record.problems:
            log.error('%s: %s', record.run, problem)
        if record.error and not record.problems:
            log.error('%s: %s', record.run, record.error)
        if record.crash_file:
            log.error('%s: details in %s', record.run, settings.output_dir / record.crash_file)


def _read(settings: Settings) -> list[Reading]:
    """Read every run of the dataset that was asked for."""
    layout = open_dataset(settings.bids_dir, settings.participants, settings.sessions)
    series = find_series(layout, settings.participants, settings.sessions)
    readings = [_corrected(each, settings) for each in read_runs(layout, series, settings)]
    offered = iter(offer_estimators([r for r in readings if isinstance(r, ASLRun)], settings))
    return [next(offered) if isinstance(r, ASLRun) else r for r in readings]


def _corrected(reading: Reading, settings: Settings) -> Reading:
    """Apply what the user says is wrong with the metadata."""
    if settings.swap_label_control and isinstance(reading, ASLRun):
        return reading.with_label_and_control_swapped()
    return reading


def _require_device(device: str) -> None:
    """Refuse a device that is not here, before anything is computed."""
    if not device.startswith('cuda'):
        return
    n_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    index = int(device.partition(':')[2] or 0)
    if index >= n_devices:
        found = f'one of {n_devices} CUDA devices seen by PyTorch'
        remedy = 'Use --device auto or cpu, or check the driver and `nvidia-smi`.'
        raise UsageError(Problem('--device', device, found, 'a device that is there', remedy))


def _dataset_problems(settings: Settings) -> tuple[Problem, ...]:
    """Say what stands in the way of every run."""
    if settings.skip_bids_validation:
        return ()
    return description_problems(settings.bids_dir)
