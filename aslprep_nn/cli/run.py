"""The app: parse, run, and say how it ended."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from types import FrameType

import psutil
from rich.console import Console
from rich.logging import RichHandler

from aslprep_nn.cli.exit_code import ExitCode
from aslprep_nn.cli.parser import build_settings, parse
from aslprep_nn.errors import AslprepError, NothingToProcessError, OutputError, UsageError
from aslprep_nn.settings import Settings

log = logging.getLogger('aslprep_nn')


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the app and return its exit code."""
    signal.signal(signal.SIGTERM, _on_signal)
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parse(given)
    console = Console(stderr=True)
    _log_to(console, options.verbose)
    try:
        settings = build_settings(options, given)
        _prepare_environment(settings)
        # Only now: the libraries behind take seconds to load and read the environment.
        from aslprep_nn.cli import levels  # noqa: PLC0415

        if options.analysis_level == 'group':
            return levels.group(settings)
        if options.dry_run:
            return levels.dry_run(settings)
        return levels.participant(settings, console)
    except AslprepError as error:
        log.error('%s', error)
        return _exit_code(error)
    except KeyboardInterrupt:
        _stop_workers()
        log.error('Interrupted. Start the same command again to go on where it stopped.')
        return ExitCode.INTERRUPTED


def _exit_code(error: AslprepError) -> ExitCode:
    if isinstance(error, UsageError):
        return ExitCode.USAGE
    if isinstance(error, NothingToProcessError):
        return ExitCode.NOTHING_TO_PROCESS
    if isinstance(error, OutputError):
        return ExitCode.SOME_FAILED
    return ExitCode.DATASET_UNUSABLE


def _prepare_environment(settings: Settings) -> None:
    """Make the libraries work without a home, without a user name, and within their threads."""
    os.environ.setdefault('LOGNAME', 'aslprep_nn')
    home = os.environ.get('HOME', '')
    if not (home and os.access(home, os.W_OK)):
        os.environ['HOME'] = tempfile.mkdtemp(prefix='aslprep_nn-')
    os.environ.setdefault('MPLBACKEND', 'Agg')
    for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'):
        os.environ[name] = str(settings.n_threads)


def _on_signal(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _stop_workers() -> None:
    """End every process this one started, so that none is left behind."""
    children = [
        child
        for child in psutil.Process().children(recursive=True)
        if not _cleans_up_by_itself(child)
    ]
    for child in children:
        child.terminate()
    _, alive = psutil.wait_procs(children, timeout=5)
    for child in alive:
        child.kill()


def _cleans_up_by_itself(process: psutil.Process) -> bool:
    """Tell Python's resource tracker, which ends with its parent and complains if it is ended."""
    try:
        return any('resource_tracker' in word for word in process.cmdline())
    except psutil.Error:
        return True


def _log_to(console: Console, verbosity: int) -> None:
    """Send messages to the terminal, or as plain lines where there is none."""
    handler: logging.Handler
    if console.is_terminal:
        handler = RichHandler(console=console, show_path=False, show_time=False)
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter('%(asctime)s %(levelname)s %(message)s'))
    root = logging.getLogger('aslprep_nn')
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbosity else logging.INFO)
    if verbosity > 1:
        os.environ['ASLPREP_NN_NIPYPE_LOG_LEVEL'] = 'INFO'
