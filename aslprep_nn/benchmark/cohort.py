"""What a cohort costs: looking at it, starting, the group level, and two cores instead of one.

The app is started as users start it. Subjects are one simulated subject under many names: its
images are linked, so that a thousand of them take no room.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from aslprep_nn.estimation.benchmark.scenarios import Row, Table
from aslprep_nn.simulation.dataset import Study, write_study
from aslprep_nn.simulation.protocols import Preset

FIRST_STEP = 'bringing M0 onto the grid'
#: Starts of which the one in the middle counts.
N_STARTS = 5


def cohort_tables(*, quick: bool) -> Mapping[str, Callable[[], Table]]:
    """List the tables by name; each is made when it is called.

    Parameters
    ----------
    quick
        A tenth of the subjects, the same questions.
    """
    n_listed, n_processed = (100, 2) if quick else (1000, 20)
    return {
        'scale': lambda: scale_table(n_listed),
        'throughput': lambda: throughput_table(n_processed),
    }


def scale_table(n_subjects: int) -> Table:
    """Measure what does not compute: looking, starting, and the group level."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        root = simulated_cohort(folder, n_subjects)
        one = label(n_subjects // 2)
        whole, only_one = ('participant',), ('participant', '--participant-label', one)
        rows = {
            'the plan of every run (--dry-run)': _measure(
                root, folder / 'plan', *whole, '--dry-run'
            ),
            'first step of one participant': _median_start(root, folder / 'a', *only_one),
            'first step of all participants': _median_start(root, folder / 'b', *whole),
        }
        finished = folder / 'finished'
        _measure(root, finished, 'participant', '--participant-label', label(1))
        multiply(finished, n_subjects)
        rows['the group level'] = _measure(root, finished, 'group')
    cells = tuple(
        {'what': what, 'subjects': n_subjects, **cost.cells} for what, cost in rows.items()
    )
    return Table('scale', 'What does it cost that there are many subjects?', cells)


def throughput_table(n_subjects: int) -> Table:
    """Measure runs side by side against one at a time."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        root = simulated_cohort(folder, n_subjects)
        costs = {
            n: _measure(root, folder / f'on {n}', 'participant', '--nprocs', str(n)) for n in (1, 2)
        }
    cells = tuple(
        {
            'processes': n,
            'subjects': n_subjects,
            'subjects per hour': round(3600 * n_subjects / cost.seconds, 1),
            'against one': round(costs[1].seconds / cost.seconds, 2),
            **cost.cells,
        }
        for n, cost in costs.items()
    )
    return Table('throughput', 'How much faster are two cores than one?', cells)


def label(number: int) -> str:
    """Return the label of a subject."""
    return f'{number:04d}'


def simulated_cohort(folder: Path, n_subjects: int) -> Path:
    """Write one simulated subject and link it under many names; return the dataset."""
    source = folder / 'source'
    study = Study(Preset.DEMO, n_subjects=1)
    # In a process of its own: what this one holds counts as memory of all that it starts.
    simulating = get_context('spawn').Process(target=write_study, args=(source, study))
    simulating.start()
    simulating.join()
    if simulating.exitcode:
        raise RuntimeError(f'the simulation ended with {simulating.exitcode}')
    root = folder / 'bids'
    root.mkdir()
    os.link(source / 'dataset_description.json', root / 'dataset_description.json')
    for number in range(1, n_subjects + 1):
        _copy_names(source / 'sub-01', root / f'sub-{label(number)}', 'sub-01')
    return root


def multiply(output: Path, n_subjects: int) -> None:
    """Make what one finished subject left look like what many would have left."""
    first = f'sub-{label(1)}'
    for number in range(2, n_subjects + 1):
        name = f'sub-{label(number)}'
        _copy_names(output / first, output / name, first)
        record = (output / 'logs' / 'runs' / f'{first}.json').read_text(encoding='utf-8')
        text = record.replace(first, name).replace(f'"{label(1)}"', f'"{label(number)}"')
        (output / 'logs' / 'runs' / f'{name}.json').write_text(text, encoding='utf-8')


def _copy_names(source: Path, target: Path, name: str) -> None:
    """Link the files of a subject under the names of another one; JSON files name it inside."""
    for path in source.rglob('*'):
        if path.is_file():
            own = target / path.relative_to(source)
            renamed = own.with_name(own.name.replace(name, target.name))
            renamed.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == '.json':
                text = path.read_text(encoding='utf-8')
                renamed.write_text(text.replace(name, target.name), encoding='utf-8')
            else:
                os.link(path, renamed)


@dataclass(frozen=True)
class _Cost:
    """What a start of the app took: wall clock, cores and the largest process."""

    seconds: float
    cpu_seconds: float
    memory: int

    @property
    def cells(self) -> Row:
        """For people."""
        return {
            'seconds': round(self.seconds, 1),
            'CPU seconds': round(self.cpu_seconds, 1),
            'GB': round(self.memory / 2**30, 2),
        }


def _median_start(root: Path, folder: Path, *arguments: str) -> _Cost:
    """Start the app `N_STARTS` times, each into a new folder, and give the start in the middle."""
    starts = [
        _measure(root, folder / str(number), *arguments, until=FIRST_STEP)
        for number in range(N_STARTS)
    ]
    return sorted(starts, key=lambda cost: cost.seconds)[N_STARTS // 2]


def _measure(root: Path, output: Path, *arguments: str, until: str = '') -> _Cost:
    """Start the app; stop the clock, and the app, at a line with certain words, or at its end."""
    command = [sys.executable, '-m', 'aslprep_nn', str(root), str(output), *arguments]
    started = time.monotonic()
    with tempfile.TemporaryFile('w+', encoding='utf-8') as sink:
        # Only words of ours are in the command.
        process = subprocess.Popen(  # noqa: S603
            command, stdout=sink, stderr=subprocess.PIPE, text=True
        )
        said = process.stderr or ()
        seen = next((line for line in said if until and until in line), '')
        seconds = time.monotonic() - started
        if seen:
            process.send_signal(signal.SIGTERM)
            for _ in said:
                pass
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if (process.returncode or until) and not seen:
        raise RuntimeError(f'{" ".join(command)} ended with {process.returncode}')
    if not until:
        seconds = time.monotonic() - started
    return _Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)
