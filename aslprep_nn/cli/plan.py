"""What would be done: the table of a dry run."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from aslprep_nn.bids.derivatives import as_json
from aslprep_nn.run import ASLRun, RefusedRun
from aslprep_nn.settings import Settings
from aslprep_nn.writing import write_atomically


def show_plan(readings: Sequence[ASLRun | RefusedRun], settings: Settings) -> None:
    """Print the plan of every run and every problem, and write both to ``logs/plan.json``."""
    console = Console()
    for reading in readings:
        if isinstance(reading, ASLRun):
            console.print(_plan_table(reading))
            for note in (*reading.notes, *reading.estimation.notes):
                console.print(f'Note: {note}', markup=False)
        else:
            console.print(_problem_table(reading))
    content = {
        'runs': [
            {
                'run': reading.name,
                'plan': [vars(row) for row in reading.plan],
                'notes': [*reading.notes, *reading.estimation.notes],
            }
            for reading in readings
            if isinstance(reading, ASLRun)
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


def _plan_table(run: ASLRun) -> Table:
    table = Table(title=run.name, title_justify='left', title_style='bold green')
    for heading in ('what', 'value', 'from'):
        table.add_column(heading, overflow='fold')
    for row in run.plan:
        table.add_row(row.name, row.value, row.source)
    return table


def _problem_table(refused: RefusedRun) -> Table:
    title = f'{refused.name}: cannot be processed, {len(refused.problems)} problem(s)'
    table = Table(title=title, title_justify='left', title_style='bold red')
    for heading in ('file', 'field', 'found', 'expected', 'what to do'):
        table.add_column(heading, overflow='fold')
    for problem in refused.problems:
        table.add_row(problem.file, problem.field, problem.found, problem.expected, problem.remedy)
    return table
