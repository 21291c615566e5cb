"""Handing runs out to processes, as many at once as cores and memory allow.

Nothing is computed here and no heavy library is loaded, so that this process stays small however
many runs there are, and has time to listen.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import connection, forkserver, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from aslprep_nn.bids.consistency import run_name, subject_label
from aslprep_nn.pipeline.bookkeeping import fail
from aslprep_nn.pipeline.memory import GIB, MemoryNeeds, memory_here, shape_of
from aslprep_nn.pipeline.outcome import End, Line, Listener, Outcome, Step
from aslprep_nn.pipeline.remedies import why_it_died
from aslprep_nn.settings import Settings

log = logging.getLogger(__name__)

#: Loaded once, in the process that those of the runs are forked from.
LIBRARIES = ('aslprep_nn.pipeline.worker',)
#: How long a process may take to end when told to [s].
GRACE = 5.0


def prepare() -> None:
    """Start loading the libraries, in a process of their own, while the dataset is looked at."""
    forkserver.set_forkserver_preload(list(LIBRARIES))
    forkserver.ensure_running()


def work_through(
    series: Sequence[Path], settings: Settings, listener: Listener
) -> Iterator[Outcome]:
    """Process runs side by side, and yield how each ended, the first to end first.

    One that fails, or whose process is killed, leaves the others alone.

    Parameters
    ----------
    series
        Their ``_asl`` images.
    settings
        How, and with how many processes and how much memory.
    listener
        Told of every step.
    """
    prepare()
    with closing(_Crew(settings, listener)) as crew:
        waiting = deque(series)
        while waiting or crew.tasks:
            while waiting and crew.has_room_for(waiting[0]):
                crew.start(waiting.popleft())
            yield from crew.listen()


@dataclass
class _Task:
    """A process and the run that it works on."""

    series: Path
    shape: tuple[int, ...]
    need: int
    process: BaseProcess
    outcome: Outcome | None = None


class _Crew:
    """The processes at work.

    Parameters
    ----------
    settings, listener
        As of `work_through`.
    """

    def __init__(self, settings: Settings, listener: Listener) -> None:
        self.tasks: dict[Connection, _Task] = {}
        self._settings = settings
        self._listener = listener
        self._context = get_context('forkserver')
        self._memory = settings.memory or memory_here()
        self._needs = MemoryNeeds()
        self._said: Counter[tuple[int, str]] = Counter()

    def has_room_for(self, series: Path) -> bool:
        """Tell whether a run may start: the first always may, or nothing ever would."""
        if not self.tasks:
            return True
        if len(self.tasks) >= self._settings.n_processes:
            return False
        taken = sum(task.need for task in self.tasks.values())
        return taken + self._needs.of(shape_of(series)) <= self._memory

    def start(self, series: Path) -> None:
        """Start a process for a run."""
        shape = shape_of(series)
        need = self._needs.of(shape)
        if need > self._memory:
            words = '%s: may need %.1f GB, more than the %.1f GB there are: it is processed alone'
            log.warning(words, run_name(series), need / GIB, self._memory / GIB)
        here, there = self._context.Pipe(duplex=False)
        arguments = (there, series, self._settings, logging.getLogger('aslprep_nn').level)
        process = self._context.Process(target=_serve, args=arguments, daemon=True)
        process.start()
        there.close()
        self.tasks[here] = _Task(series, shape, need, process)

    def listen(self) -> Iterator[Outcome]:
        """Wait until somebody says something, and yield the runs that have ended."""
        for channel in connection.wait(list(self.tasks)):
            if not isinstance(channel, Connection):
                continue
            try:
                self._hear(channel.recv(), self.tasks[channel])
            except (EOFError, ConnectionError):
                task = self.tasks.pop(channel)
                channel.close()
                task.process.join()
                if task.outcome is not None:
                    self._needs.learn(task.shape, task.outcome.memory)
                yield task.outcome or self._lost(task)

    def _say(self, line: Line, run: str) -> None:
        """Say what is no error once for all runs, and count how many more it holds for."""
        common = line.level, line.text.removeprefix(f'{run}: ')
        self._said[common] += 1
        if line.level >= logging.ERROR or self._said[common] == 1:
            log.log(line.level, '%s', line.text)

    def close(self) -> None:
        """End every process that is still at work; each leaves its finished steps behind."""
        for (level, text), n_times in self._said.items():
            if level < logging.ERROR and n_times > 1:
                log.log(level, 'The same for %d more: %s', n_times - 1, text)
        for task in self.tasks.values():
            task.process.terminate()
        for task in self.tasks.values():
            task.process.join(GRACE)
            task.process.kill()

    def _hear(self, message: Step | Line | Outcome, task: _Task) -> None:
        if isinstance(message, Step):
            self._listener(message)
        elif isinstance(message, Line):
            self._say(message, run_name(task.series))
        else:
            task.outcome = message

    def _lost(self, task: _Task) -> Outcome:
        """Write down that a process ended without a word."""
        name = run_name(task.series)
        subject = subject_label(task.series, self._settings.bids_dir)
        why = why_it_died(task.process.exitcode or 0)
        record = fail(name, subject, self._settings, error=why)
        return Outcome(name, subject, End.FAILED, record)


def _serve(channel: Connection, series: Path, settings: Settings, log_level: int) -> None:
    """Do the work, in a process that has the libraries or takes the time to load them."""
    from aslprep_nn.pipeline.worker import serve  # noqa: PLC0415

    serve(channel, series, settings, log_level)
