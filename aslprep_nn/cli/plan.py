"""What would be done: the table of a dry run."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from aslprep_nn.bids.derivatives import as_json
from aslprep_nn.errors import Problem
from aslprep_nn.run import ASLRun, GivenRun, RefusedRun
from aslprep_nn.settings import Settings
from aslprep_nn.writing import write_atomically

#: Runs that share a problem or a plan are named up to here, then counted.
MOST_NAMED = 5
#: More runs than this are not shown one by one where their plans are the same.
MOST_SHOWN = 20


def show_plan(
    readings: Sequence[ASLRun | GivenRun | RefusedRun],
    problems: Sequence[Problem],
    settings: Settings,
) -> None:
    """Print the plan of every run and every problem, and write both to ``logs/plan.json``.

    Parameters
    ----------
    readings
        The runs of the dataset.
    problems
        Of the dataset as a whole.
    settings
        Names the output folder.
    """
    console = Console()
    for alike in _alike([each for each in readings if not isinstance(each, RefusedRun)]):
        console.print(_plan_table(alike[0]))
        for note in _notes(alike[0]):
            console.print(f'Note: {note}', markup=False)
        if len(alike) > 1:
            console.print(f'The same for {_named([run.name for run in alike[1:]])}', markup=False)
    if problems or any(isinstance(reading, RefusedRun) for reading in readings):
        console.print(listing(readings, problems))
    content = {
        'problems': [vars(problem) for problem in problems],
        'runs': [
            {
                'run': reading.name,
                'plan': [vars(row) for row in reading.plan],
                'notes': _notes(reading),
            }
            for reading in readings
            if isinstance(reading, ASLRun)
        ],
        'given': [
            {
                'run': reading.name,
                'plan': [vars(row) for row in reading.plan],
                'notes': _notes(reading),
            }
            for reading in readings
            if isinstance(reading, GivenRun)
        ],
        'refused': [
            {'run': reading.name, 'problems': [vars(problem) for problem in reading.problems]}
            for reading in readings
            if isinstance(reading, RefusedRun)
        ],
    }
    path = settings.output_dir / 'logs' / 'plan.json'
    write_atomically(path, as_json(content))
    console.print(f'Written to {path}', markup=False)


def _alike(runs: Sequence[ASLRun | GivenRun]) -> list[list[ASLRun | GivenRun]]:
    """Put runs together whose plan differs in nothing but their name, where there are many."""
    groups: dict[object, list[ASLRun | GivenRun]] = {}
    for run in runs:
        words = [word for row in run.plan for word in (row.name, row.value, row.source)]
        own = re.compile(f'{re.escape(run.name)}|sub-{re.escape(run.subject)}')
        said = tuple(own.sub('', word) for word in (*words, *_notes(run)))
        groups.setdefault(said if len(runs) > MOST_SHOWN else run.name, []).append(run)
    return list(groups.values())


def _notes(run: ASLRun | GivenRun) -> list[str]:
    """List what has to be said of a run, what concerns its estimators last."""
    return [*run.notes, *(run.estimation.notes if isinstance(run, ASLRun) else ())]


def _named(runs: Sequence[str]) -> str:
    """Name a few runs, and count all."""
    names = ', '.join(runs[:MOST_NAMED]) + (', …' if len(runs) > MOST_NAMED else '')
    return f'{len(runs)} other {"run" if len(runs) == 1 else "runs"}: {names}'


def listing(
    readings: Sequence[ASLRun | GivenRun | RefusedRun], problems: Sequence[Problem] = ()
) -> Group:
    """List everything that is wrong with a dataset; what many runs share is said once.

    Parameters
    ----------
    readings
        The runs of the dataset.
    problems
        Of the dataset as a whole.
    """
    refused = [reading for reading in readings if isinstance(reading, RefusedRun)]
    n_problems = len(problems) + sum(len(run.problems) for run in refused)
    title = f'{len(refused)} of {len(readings)} runs cannot be processed: {n_problems} problems'
    shared: dict[tuple[str, ...], list[tuple[Problem, str]]] = {}
    found = [(problem, '') for problem in problems]
    found += [(problem, run.name) for run in refused for problem in run.problems]
    for problem, name in found:
        file = problem.file.rpartition('_')[2]
        key = (file, problem.field, problem.found, problem.expected)
        shared.setdefault(key, []).append((problem, name))
    table = Table.grid(padding=(0, 1, 1, 1))
    for number, group in enumerate(shared.values(), start=1):
        table.add_row(Text(f'{number}', style='bold red'), _entry(group))
    return Group(Text(title, style='bold red'), Text(), table)


def _entry(group: Sequence[tuple[Problem, str]]) -> Text:
    """Write one problem on three lines, and whose it is beside the first run's."""
    problem, _ = group[0]
    field = f': {problem.field}' if problem.field else ''
    text = Text.assemble((f'{problem.file}{field}', 'bold'), f'\nis {problem.found}')
    text.append(f'\nexpected {problem.expected}')
    text.append(f'\n{problem.remedy}', style='green')
    others = [run for _, run in group[1:]]
    if others:
        text.append(f'\nThe same in {_named(others)}', style='yellow')
    return text


def _plan_table(run: ASLRun | GivenRun) -> Table:
    table = Table(title=Text(run.name), title_justify='left', title_style='bold green')
    for heading in ('what', 'value', 'from'):
        table.add_column(heading, overflow='fold')
    for row in run.plan:
        table.add_row(*(Text(word) for word in (row.name, row.value, row.source)))
    return table
