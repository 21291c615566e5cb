"""What would be done: the table of a dry run."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from aslprep_nn.bids.derivatives import as_json
from aslprep_nn.errors import Problem
from aslprep_nn.run import ASLRun, GivenRun, RefusedRun
from aslprep_nn.settings import Settings
from aslprep_nn.writing import write_atomically

#: Runs that share a problem are named up to here, then counted.
MOST_NAMED = 5


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
    for reading in readings:
        if isinstance(reading, GivenRun):
            console.print(_plan_table(reading))
            for note in reading.notes:
                console.print(f'Note: {note}', markup=False)
        elif isinstance(reading, ASLRun):
            console.print(_plan_table(reading))
            for note in (*reading.notes, *reading.estimation.notes):
                console.print(f'Note: {note}', markup=False)
    if problems or any(isinstance(reading, RefusedRun) for reading in readings):
        console.print(listing(readings, problems))
    content = {
        'problems': [vars(problem) for problem in problems],
        'runs': [
            {
                'run': reading.name,
                'plan': [vars(row) for row in reading.plan],
                'notes': [*reading.notes, *reading.estimation.notes],
            }
            for reading in readings
            if isinstance(reading, ASLRun)
        ],
        'given': [
            {
                'run': reading.name,
                'plan': [vars(row) for row in reading.plan],
                'notes': list(reading.notes),
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
        named = ', '.join(others[:MOST_NAMED]) + (', …' if len(others) > MOST_NAMED else '')
        runs = 'other run' if len(others) == 1 else 'other runs'
        text.append(f'\nThe same in {len(others)} {runs}: {named}', style='yellow')
    return text


def _plan_table(run: ASLRun | GivenRun) -> Table:
    table = Table(title=Text(run.name), title_justify='left', title_style='bold green')
    for heading in ('what', 'value', 'from'):
        table.add_column(heading, overflow='fold')
    for row in run.plan:
        table.add_row(*(Text(word) for word in (row.name, row.value, row.source)))
    return table
