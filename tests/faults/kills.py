"""Kill the app at random moments, start it again, and compare with a run that nobody disturbed.

`PYTHONPATH=tests python -m faults.kills` prints the table of docs/cohorts.md.
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

#: Half of what is computed for a tiny subject, and none of what is killed differs for it.
QUICK = ('--misspecification', 'off')
#: The longest wait after the line that a kill is counted from [s]: about what a step takes, of a
#: tiny subject and of a real one.
STEP, LONG_STEP = 0.3, 3.0


@dataclass(frozen=True)
class Kill:
    """One kill.

    Parameters
    ----------
    after
        The last thing the app had said.
    n_seconds_to_end
        Until no process was left.
    half_files
        Written to when it came; under no final name.
    """

    after: str
    n_seconds_to_end: float
    half_files: int


@dataclass(frozen=True)
class Ordeal:
    """What several kills in a row did to one output folder.

    Parameters
    ----------
    kills
        Each of a start that went on where the one before was killed.
    exit_code
        Of the start after them, which was left alone.
    differences
        Files of its products that are not as without a kill.
    left
        Half files that it left.
    """

    kills: tuple[Kill, ...]
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


def kill_often(
    folder: Path, n_ordeals: int, n_kills: int, seed: int, dataset: Path | None = None
) -> Iterator[Ordeal]:
    """Yield what came of kills at random moments.

    Parameters
    ----------
    folder
        An empty one.
    n_ordeals, n_kills
        How often to begin anew, and how many kills then follow each other; fewer where the app
        is done before.
    seed
        Of the moments.
    dataset
        What to process, with all that is done by default; tiny subjects when absent, quickly.
    """
    root = dataset or tiny_dataset(folder / 'bids')
    output, log = folder / 'out', folder / 'log'
    arguments = root, output, 'participant', '--nprocs', 2, *(() if dataset else QUICK)
    undisturbed = run(*arguments, log=log)
    assert undisturbed.wait() == 0, undisturbed.said()
    n_lines = len(undisturbed.said().splitlines())
    expected = products(output)
    longest = LONG_STEP if dataset else STEP
    chance = random.Random(seed)  # noqa: S311 (no secret)
    for _ in range(n_ordeals):
        shutil.rmtree(output)
        kills = []
        for _ in range(n_kills):
            line, rest = chance.randrange(n_lines), chance.uniform(0, longest)
            kill = _kill(start(*arguments, log=log), line, rest, output)
            if kill is None:
                break
            kills.append(kill)
        last = run(*arguments, log=log)
        changed = dict(products(output).items() ^ expected.items())
        left = tuple(half_files(output))
        yield Ordeal(tuple(kills), last.wait(), tuple(sorted(changed)), left)


def _kill(app: App, line: int, rest: float, output: Path) -> Kill | None:
    """Kill the app a while after so many lines of its log; None where it was done before."""
    app.wait_until(lambda: app.said().count('\n') >= line)
    time.sleep(rest)
    app.process.kill()
    killed = time.monotonic()
    exit_code = app.wait()
    assert exit_code in (-signal.SIGKILL, 0)
    while app.group() and time.monotonic() < killed + 60:
        time.sleep(0.002)
    seconds = time.monotonic() - killed
    assert not app.group(), 'a process outlived the app'
    if exit_code == 0:
        return None
    return Kill(_last_words(app), seconds, len(half_files(output)))


def _last_words(app: App) -> str:
    lines = app.said().splitlines()
    return lines[-1].split(' INFO ')[-1] if lines else 'starting'


def main() -> None:
    """Print a line for every kill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--ordeals', type=int, default=5)
    parser.add_argument('--kills', type=int, default=4)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--dataset', type=Path, help='process this one, and all of it')
    options = parser.parse_args()
    write = sys.stdout.write
    write('| ordeal | killed after | gone in | half files | then | differences | left |\n')
    write('|---|---|---|---|---|---|---|\n')
    with tempfile.TemporaryDirectory() as folder:
        counts = options.ordeals, options.kills, options.seed
        ordeals = kill_often(Path(folder), *counts, options.dataset)
        for number, ordeal in enumerate(ordeals, start=1):
            for kill in ordeal.kills:
                gone = f'{1000 * kill.n_seconds_to_end:.0f} ms'
                write(f'| {number} | {kill.after} | {gone} | {kill.half_files} | killed | | |\n')
            differences = ', '.join(ordeal.differences) or 'none'
            end = f'exit code {ordeal.exit_code} | {differences} | {len(ordeal.left)}'
            write(f'| {number} | – | – | – | {end} |\n')
            sys.stdout.flush()


if __name__ == '__main__':
    main()
