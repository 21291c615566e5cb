"""The app in a process that can be killed, and what it leaves behind.

Its process is forked from one that has the libraries, and draws one figure of twenty: both would
take ten times as long as everything else that is done for a tiny subject. `test_app.py` starts
the app as users do.
"""

import hashlib
import itertools
import json
import multiprocessing
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from aslprep_nn.cli.run import main
from aslprep_nn.pipeline import cohort
from aslprep_nn.pipeline.worker import end_with_parent
from aslprep_nn.report import run as report
from aslprep_nn.writing import PART

LIBRARIES = ['aslprep_nn.cli.levels', 'aslprep_nn.pipeline.summary', 'aslprep_nn.pipeline.worker']
#: What differs between two runs of the same: how long they took.
TIMES = ('seconds',)
PATIENCE = 300.0
N_FIGURES = 1


@dataclass
class App:
    """One start of the app.

    Parameters
    ----------
    process
        The leader of a group of its own.
    log
        What it says.
    """

    process: BaseProcess
    log: Path

    def wait(self) -> int:
        """Return its exit code; negative, the signal that ended it."""
        self.process.join(PATIENCE)
        assert self.process.exitcode is not None, self.said()
        return self.process.exitcode

    def said(self) -> str:
        """Return what it has said so far."""
        return self.log.read_text(encoding='utf-8') if self.log.exists() else ''

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so, or the app has ended."""
        end = time.monotonic() + PATIENCE
        while not condition() and self.process.is_alive() and time.monotonic() < end:
            time.sleep(0.005)

    def group(self) -> list[int]:
        """Return the processes of its group that still run."""
        found = []
        for path in Path('/proc').glob('[0-9]*/stat'):
            try:
                fields = path.read_text(encoding='ascii').rsplit(')', 1)[1].split()
            except OSError:
                continue
            if int(fields[2]) == self.process.pid and fields[0] != 'Z':
                found.append(int(path.parent.name))
        return found

    def workers(self) -> list[int]:
        """Return the processes of its runs."""
        return [pid for pid in self.group() if pid != self.process.pid]


def start(*arguments: object, log: Path, before: Callable[[], None] | None = None) -> App:
    """Start the app.

    Parameters
    ----------
    *arguments
        Its command line.
    log
        Where what it says is kept.
    before
        Called in its process first.
    """
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(LIBRARIES)
    log.unlink(missing_ok=True)
    words = [str(argument) for argument in arguments]
    process = context.Process(target=_be_the_app, args=(words, log, before))
    process.start()
    return App(process, log)


def run(*arguments: object, log: Path, before: Callable[[], None] | None = None) -> App:
    """Start the app and wait for its end."""
    app = start(*arguments, log=log, before=before)
    app.wait()
    return app


def products(output: Path) -> dict[str, str]:
    """Return a digest of every file that users get, without how long things took."""
    found = {}
    for path in sorted(output.rglob('*')):
        if not path.is_file() or '.work' in path.parts or 'crash' in path.parts:
            continue
        content = path.read_bytes()
        if 'logs' in path.parts and path.suffix == '.json':
            content = json.dumps(_timeless(json.loads(content)), sort_keys=True).encode()
        elif path.suffix == '.html':
            content = re.sub(rb'<dt>Run time</dt><dd>\d+ s</dd>', b'', content)
        found[str(path.relative_to(output))] = hashlib.sha256(content).hexdigest()
    return found


def half_files(output: Path) -> list[str]:
    """Return the files that were being written and have no final name."""
    return sorted(str(path.relative_to(output)) for path in output.rglob(f'*{PART}'))


def _be_the_app(words: list[str], log: Path, before: Callable[[], None] | None) -> None:
    os.setsid()
    end_with_parent()  # an app must not outlive its tests
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    # This process has the libraries and no threads: its workers need no server to fork from.
    cohort.prepare = lambda: None
    cohort.get_context = lambda _: multiprocessing.get_context('fork')
    drawn = report._figures  # drawing all takes nine tenths of the time that a tiny run takes
    report._figures = lambda results: itertools.islice(drawn(results), N_FIGURES)
    if before is not None:
        before()
    sys.exit(main(words))


def _timeless(content: object) -> object:
    if isinstance(content, dict):
        return {key: _timeless(value) for key, value in content.items() if key not in TIMES}
    return [_timeless(each) for each in content] if isinstance(content, list) else content
