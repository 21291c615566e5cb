"""One run from its files to its record, in a process of its own.

Processes are forked from one that has loaded the libraries and computed nothing, so that each
starts in milliseconds, gives its memory back, and takes no other down when it is killed. It keeps
the lock of its run itself: the lock lasts exactly as long as somebody works on the run.
"""

from __future__ import annotations

import fcntl
import logging
import os
import resource
import signal
import sys
from dataclasses import replace
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from types import FrameType

import torch

from aslprep_nn.bids.consistency import run_name, subject_label
from aslprep_nn.errors import AslprepError
from aslprep_nn.pipeline import execution
from aslprep_nn.pipeline.bookkeeping import fail
from aslprep_nn.pipeline.lock import claim_run
from aslprep_nn.pipeline.outcome import End, Line, Listener, Outcome
from aslprep_nn.pipeline.reading import read_series, say_what_is_left_out
from aslprep_nn.pipeline.remedies import remedy_of
from aslprep_nn.pipeline.together import settled
from aslprep_nn.pipeline.workspace import settle_work
from aslprep_nn.report.records import RunState
from aslprep_nn.run import ASLRun
from aslprep_nn.settings import Plugin, PluginOptions, Settings

log = logging.getLogger(__name__)


def serve(channel: Connection, series: Path, settings: Settings, log_level: int) -> None:
    """Process one run, and tell whoever started this process of every step, and how it ended.

    Parameters
    ----------
    channel
        Takes `Step`, `Line`, and at the end an `Outcome`.
    series
        The ``_asl`` image.
    settings
        What was asked for.
    log_level
        What is worth saying.
    """
    end_when_told()
    end_with_parent()
    root = logging.getLogger('aslprep_nn')
    root.handlers[:] = [_ToParent(channel)]
    root.setLevel(log_level)
    torch.set_num_threads(settings.n_threads)
    outcome = carry_out(series, settings, channel.send)
    channel.send(replace(outcome, memory=memory_used()))


def carry_out(series: Path, settings: Settings, listener: Listener) -> Outcome:
    """Process one run in this process; nothing is raised for what goes wrong with it.

    Parameters
    ----------
    series, settings
        As of `serve`.
    listener
        Told of every step.
    """
    name = run_name(series)
    subject = subject_label(series, settings.bids_dir)
    try:
        with claim_run(name, settings) as is_mine:
            if is_mine:
                return _carry_out(series, settings, listener)
        log.error('%s: another process is working on it; start again when it is done', name)
        return Outcome(name, subject, End.BUSY)
    except Exception as error:  # the other runs go on
        log.debug('%s failed', name, exc_info=True)
        problems = error.problems if isinstance(error, AslprepError) else ()
        words = '' if problems else remedy_of(f'{type(error).__name__}: {error}')
        record = fail(name, subject, settings, problems=problems, error=words)
        return Outcome(name, subject, End.FAILED, record)


def memory_used() -> int:
    """Return the most memory that this process has held so far [B]."""
    unit = 1 if sys.platform == 'darwin' else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _carry_out(series: Path, settings: Settings, listener: Listener) -> Outcome:
    """Process a run that is ours."""
    (reading,) = read_series([series], settings)
    if not isinstance(reading, ASLRun) or execution.is_done(reading, settings):
        return settled(reading, settings)
    say_what_is_left_out([reading])
    here = replace(settings, plugin=PluginOptions(Plugin.LINEAR))
    (record,) = execution.process([reading], here, listener)
    is_done = record.state is RunState.DONE
    n_bytes, is_kept = settle_work(reading.name, settings, is_done=is_done)
    end = End.DONE if is_done else End.FAILED
    return Outcome(reading.name, reading.subject, end, record, n_bytes, is_kept)


class _ToParent(logging.Handler):
    """Say things where people see them."""

    def __init__(self, channel: Connection) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        self._channel.send(Line(record.levelno, record.getMessage()))


def end_when_told() -> None:
    """End as whoever started this process says (SIGTERM), without leaving half of a file behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the keyboard is for who started this process
    signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, _frame: FrameType | None) -> None:
    """Let what is open close, as for any exception; nothing below catches this one."""
    sys.exit(128 + number)


def end_with_parent() -> None:
    """End when whoever started this process is killed, and cannot end it any more.

    A pipe closes then. Linux can be told to kill a process at that moment, even while a library
    computes and holds Python up; elsewhere a thread watches.
    """
    parent = parent_process()
    if parent is None:
        return
    pipe = parent.sentinel
    if hasattr(fcntl, 'F_SETSIG'):
        fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(pipe, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
        if connection.wait([pipe], timeout=0):  # it was too late for that
            os.kill(os.getpid(), signal.SIGKILL)
        return
    Thread(target=_watch, args=(pipe,), daemon=True).start()


def _watch(pipe: int) -> None:
    connection.wait([pipe])
    os.kill(os.getpid(), signal.SIGKILL)
