"""Kill the app at random moments, start it again, and compare with a run that nobody disturbed.

`PYTHONPATH=tests python -m faults.kills --kills 20` prints the table of docs/cohorts.md.
"""

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from datasets import Subject, write_dataset
from faults.app import App, half_files, products, run, start

#: The longest wait after the line that a kill is counted from [s]: about what a step takes.
STEP = 0.3


@dataclass(frozen=True)
class Kill:
    """One kill, and what came of it.

    Parameters
    ----------
    after
        The last thing the app had said.
    n_seconds_to_end
        Until no process was left.
    half_files
        Written to when it came; under no final name.
    finished
        Files of the products that were there.
    exit_code
        Of the next start.
    differences
        Files of the products that are not as without a kill.
    left
        Half files after the next start.
    """

    after: str
    n_seconds_to_end: float
    half_files: int
    finished: int
    exit_code: int
    differences: tuple[str, ...]
    left: tuple[str, ...]


def tiny_dataset(root: Path, n_subjects: int = 2) -> Path:
    """Write subjects with noise of their own."""
    subjects = [Subject(f'{number:02}') for number in range(1, n_subjects + 1)]
    for number, one in enumerate(subjects):
        noise = np.random.default_rng(number).normal(0, 0.1, one.series.shape)
        one.series = one.series + noise
    return write_dataset(root, *subjects)


def kill_often(folder: Path, n_kills: int, seed: int) -> Iterator[Kill]:
    """Yield what came of kills at random moments.

    Parameters
    ----------
    folder
        An empty one.
    n_kills
        How often.
    seed
        Of the moments.
    """
    root = tiny_dataset(folder / 'bids')
    output, log = folder / 'out', folder / 'log'
    arguments = root, output, 'participant', '--nprocs', 2
    undisturbed = run(*arguments, log=log)
    assert undisturbed.wait() == 0, undisturbed.said()
    n_lines = len(undisturbed.said().splitlines())
    expected = products(output)
    chance = random.Random(seed)  # noqa: S311 (no secret)
    for _ in range(n_kills):
        shutil.rmtree(output)
        app = start(*arguments, log=log)
        line, rest = chance.randrange(n_lines), chance.uniform(0, STEP)
        yield _kill(app, arguments, line, rest, output=output, expected=expected)


def _kill(
    app: App,
    arguments: tuple[object, ...],
    line: int,
    rest: float,
    *,
    output: Path,
    expected: dict[str, str],
) -> Kill:
    app.wait_until(lambda: app.said().count('\n') >= line)
    time.sleep(rest)
    app.process.kill()
    killed = time.monotonic()
    assert app.wait() in (-signal.SIGKILL, 0)
    while app.group() and time.monotonic() < killed + 60:
        time.sleep(0.002)
    seconds = time.monotonic() - killed
    assert not app.group(), 'a process outlived the app'
    finished = products(output)
    half = half_files(output)
    again = run(*arguments, log=app.log.with_name('again'))
    made = products(output)
    return Kill(
        after=_last_words(app),
        n_seconds_to_end=seconds,
        half_files=len(half),
        finished=len(finished),
        exit_code=again.wait(),
        differences=tuple(sorted(dict(made.items() ^ expected.items()))),
        left=tuple(half_files(output)),
    )


def _last_words(app: App) -> str:
    lines = app.said().splitlines()
    return lines[-1].split(' INFO ')[-1] if lines else 'starting'


def main() -> None:
    """Print a line for every kill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--kills', type=int, default=20)
    parser.add_argument('--seed', type=int, default=1)
    options = parser.parse_args()
    sys.stdout.write('| killed after | gone in | half files | next start | differences | left |\n')
    sys.stdout.write('|---|---|---|---|---|---|\n')
    with tempfile.TemporaryDirectory() as folder:
        for kill in kill_often(Path(folder), options.kills, options.seed):
            cells = (
                kill.after,
                f'{1000 * kill.n_seconds_to_end:.0f} ms',
                kill.half_files,
                f'exit code {kill.exit_code}',
                ', '.join(kill.differences) or 'none',
                len(kill.left),
            )
            sys.stdout.write(f'| {" | ".join(map(str, cells))} |\n')
            sys.stdout.flush()


if __name__ == '__main__':
    main()
