"""The two levels of the app, participant and group, and the dry run.

Heavy libraries are imported where they are used: handing out the work needs none of them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from aslprep_nn.bids.consistency import namesakes, run_name, subject_label
from aslprep_nn.bids.description import description_problems
from aslprep_nn.bids.query import find_series, open_dataset
from aslprep_nn.cli.exit_code import ExitCode
from aslprep_nn.cli.plan import show_plan
from aslprep_nn.cli.progress import show_progress
from aslprep_nn.errors import NothingToProcessError, Problem, UsageError
from aslprep_nn.pipeline import cohort
from aslprep_nn.pipeline.bookkeeping import refuse
from aslprep_nn.pipeline.memory import GIB
from aslprep_nn.pipeline.outcome import End, Listener, Outcome
from aslprep_nn.pipeline.workspace import discard_empty_work
from aslprep_nn.quality.findings import Gate
from aslprep_nn.report.records import RunState, read_records
from aslprep_nn.run import RefusedRun
from aslprep_nn.settings import Plugin, Settings

log = logging.getLogger(__name__)

#: Runs without a result that the group level names before it counts.
MOST_NAMED = 20


def participant(settings: Settings, console: Console) -> ExitCode:
    """Process the runs that are not done yet, and write their pages."""
    _require_device(settings.device)
    if settings.plugin.name is Plugin.LOCAL:
        cohort.prepare()
    series, hidden = _find(settings)
    problems = _dataset_problems(settings)
    for problem in (*problems, *hidden):
        log.error('%s', problem)
    outcomes: list[Outcome] = []
    if not problems:
        with show_progress(console, len(series)) as listener:
            outcomes = _process(series, settings, listener)
    from aslprep_nn.pipeline.summary import write_summary  # noqa: PLC0415

    write_summary(settings, (*problems, *hidden))
    discard_empty_work(settings)
    n_failed = len(series) - sum(not outcome.is_failure for outcome in outcomes)
    failed = f', {n_failed} failed' if n_failed else ''
    failed += f', folders not readable: {len(hidden)}' if hidden else ''
    log.info('%d of %d runs done%s', len(series) - n_failed, len(series), failed)
    _say_what_it_took(outcomes, settings)
    for subject in sorted({outcome.subject for outcome in outcomes}):
        log.info('Report: %s', settings.output_dir / f'sub-{subject}.html')
    n_implausible = _report_implausible(outcomes, settings)
    if all(outcome.end is End.REFUSED for outcome in outcomes):
        return ExitCode.DATASET_UNUSABLE
    is_bad = n_failed or hidden or (settings.is_strict and n_implausible)
    return ExitCode.SOME_FAILED if is_bad else ExitCode.DONE


def group(settings: Settings) -> ExitCode:
    """Write the table and the page over all runs, and say which are missing."""
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
    from aslprep_nn.pipeline.summary import write_summary, write_tables  # noqa: PLC0415

    series, hidden = _find(settings)
    for problem in hidden:
        log.error('%s', problem)
    expected = sorted({run_name(path) for path in series})
    write_summary(settings, hidden)
    page = write_tables(settings, expected)
    done = {r.run for r in read_records(settings.output_dir) if r.state is RunState.DONE}
    missing = [run for run in expected if run not in done]
    if missing:
        more = f' and {len(missing) - MOST_NAMED} more' if len(missing) > MOST_NAMED else ''
        names = ', '.join(missing[:MOST_NAMED])
        words = '%d of %d runs have no result: %s%s; the page says why'
        log.warning(words, len(missing), len(expected), names, more)
    log.info('Group report: %s', page)
    return ExitCode.DONE


def dry_run(settings: Settings) -> ExitCode:
    """Show the plan and every problem, and do nothing."""
    from aslprep_nn.pipeline.reading import read_series  # noqa: PLC0415

    series, hidden = _find(settings)
    readings = read_series(series, settings)
    problems = _dataset_problems(settings)
    show_plan(readings, (*problems, *hidden), settings)
    n_refused = sum(isinstance(reading, RefusedRun) for reading in readings)
    if problems or n_refused == len(readings):
        return ExitCode.DATASET_UNUSABLE
    return ExitCode.SOME_FAILED if n_refused or hidden else ExitCode.DONE


def _find(settings: Settings) -> tuple[tuple[Path, ...], tuple[Problem, ...]]:
    """List the series that were asked for, and the folders that hide what is in them."""
    asked = settings.participants, settings.sessions
    dataset = open_dataset(settings.bids_dir, *asked)
    return find_series(dataset, *asked), dataset.problems


def _process(series: Sequence[Path], settings: Settings, listener: Listener) -> list[Outcome]:
    """Process runs, and say of each how it ended as soon as it has."""
    from aslprep_nn.pipeline.summary import write_pages, write_summary  # noqa: PLC0415

    outcomes = []
    try:
        for outcome in _outcomes(series, settings, listener):
            outcomes.append(outcome)
            _report_failure(outcome, settings)
            if outcome.record is not None:
                write_pages(settings, [outcome.subject])
    except KeyboardInterrupt:
        write_summary(settings)
        raise
    return outcomes


def _outcomes(series: Sequence[Path], settings: Settings, listener: Listener) -> Iterator[Outcome]:
    """Let the engine work, on runs whose names tell them apart."""
    shared = namesakes(series, settings.bids_dir)
    for name in sorted({run_name(path) for path in shared}):
        own = [path for path in shared if run_name(path) == name]
        subject = subject_label(own[0], settings.bids_dir)
        refused = RefusedRun(name, subject, tuple(shared[path] for path in own))
        yield Outcome(name, subject, End.REFUSED, refuse(refused, settings))
    waiting = [path for path in series if path not in shared]
    if settings.plugin.name is Plugin.LOCAL:
        yield from cohort.work_through(waiting, settings, listener)
    elif settings.plugin.name is Plugin.LINEAR:
        from aslprep_nn.pipeline.worker import carry_out  # noqa: PLC0415

        for path in waiting:
            yield carry_out(path, settings, listener)
    else:
        from aslprep_nn.pipeline.together import work_together  # noqa: PLC0415

        yield from work_together(waiting, settings, listener)


def _report_failure(outcome: Outcome, settings: Settings) -> None:
    record = outcome.record
    if record is None:
        return
    for problem in record.problems:
        log.error('%s: %s', record.run, problem)
    if record.error and not record.problems:
        log.error('%s: %s', record.run, record.error)
    if record.crash_file:
        log.error('%s: details in %s', record.run, settings.output_dir / record.crash_file)


def _report_implausible(outcomes: Sequence[Outcome], settings: Settings) -> int:
    """Warn of results that cannot be right, made now or before; return how many there are."""
    asked = {outcome.run for outcome in outcomes}
    flagged = [
        record
        for record in read_records(settings.output_dir)
        if record.run in asked and record.gates
    ]
    for record in flagged:
        log.warning(
            '%s: the result cannot be right (%s); its report says why',
            record.run,
            ', '.join(Gate(gate).meaning for gate in record.gates),
        )
    return len(flagged)


def _say_what_it_took(outcomes: Sequence[Outcome], settings: Settings) -> None:
    """Tell the next start how much memory and disk a run takes."""
    memory = max((outcome.memory for outcome in outcomes if outcome.work_bytes), default=0)
    if memory:
        log.info('Memory: %s at most in a process', _size(memory))
    took = max((outcome.work_bytes for outcome in outcomes), default=0)
    kept = sum(outcome.work_bytes for outcome in outcomes if outcome.work_is_kept)
    if took:
        words = 'Work folder: %s at most for a run; %s of this start are left in %s'
        log.info(words, _size(took), _size(kept), settings.work_dir)


def _size(n_bytes: int) -> str:
    return f'{n_bytes / GIB:.1f} GB' if n_bytes >= GIB else f'{n_bytes / 2**20:.0f} MB'


def _require_device(device: str) -> None:
    """Refuse a device that is not here, before anything is computed."""
    if not device.startswith('cuda'):
        return
    import torch  # noqa: PLC0415

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
