"""All runs as one graph of steps, for engines that share it among machines."""

from __future__ import annotations

import logging
import resource
from collections.abc import Iterator, Sequence
from pathlib import Path

from aslprep_nn.pipeline import execution
from aslprep_nn.pipeline.bookkeeping import refuse
from aslprep_nn.pipeline.given import pass_on
from aslprep_nn.pipeline.lock import claim
from aslprep_nn.pipeline.outcome import End, Listener, Outcome
from aslprep_nn.pipeline.reading import read_series, say_what_is_left_out
from aslprep_nn.pipeline.workspace import settle_work
from aslprep_nn.report.records import RunState
from aslprep_nn.run import ASLRun, GivenRun, RefusedRun
from aslprep_nn.settings import Settings

log = logging.getLogger(__name__)


def work_together(
    series: Sequence[Path], settings: Settings, listener: Listener
) -> Iterator[Outcome]:
    """Process runs by the engine that was asked for, and yield how each ended.

    Parameters
    ----------
    series, settings, listener
        As of `cohort.work_through`.
    """
    waiting: list[ASLRun] = []
    for reading in read_series(series, settings):
        if isinstance(reading, ASLRun) and not execution.is_done(reading, settings):
            waiting.append(reading)
        else:
            yield settled(reading, settings)
    say_what_is_left_out(waiting)
    _allow_many_locks()
    with claim(waiting, settings) as free:
        for run in waiting:
            if run not in free:
                log.error('%s: another process is working on it; start again later', run.name)
                yield Outcome(run.name, run.subject, End.BUSY)
        for record in execution.process(free, settings, listener) if free else ():
            is_done = record.state is RunState.DONE
            n_bytes, is_kept = settle_work(record.run, settings, is_done=is_done)
            end = End.DONE if is_done else End.FAILED
            yield Outcome(record.run, record.subject, end, record, n_bytes, is_kept)


def settled(reading: ASLRun | GivenRun | RefusedRun, settings: Settings) -> Outcome:
    """Deal with a run that nothing has to be computed for.

    Parameters
    ----------
    reading
        One that is refused, given, or done before.
    settings
        Where to write.
    """
    if isinstance(reading, RefusedRun):
        return Outcome(reading.name, reading.subject, End.REFUSED, refuse(reading, settings))
    if isinstance(reading, GivenRun):
        return Outcome(reading.name, reading.subject, End.GIVEN, pass_on(reading, settings))
    log.info('%s: done before with the same input and options, nothing to do', reading.name)
    return Outcome(reading.name, reading.subject, End.DONE_BEFORE)


def _allow_many_locks() -> None:
    """Let this process hold a file open for every run, as far as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
