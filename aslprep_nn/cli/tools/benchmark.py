"""``aslprep_nn-tools benchmark``: measure a part of the app on this machine."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict

from aslprep_nn.benchmark.cohort import cohort_tables
from aslprep_nn.benchmark.suite import preprocessing_tables
from aslprep_nn.estimation.benchmark.scenarios import Table
from aslprep_nn.estimation.benchmark.suite import benchmark_tables
from aslprep_nn.misspecification.benchmark.suite import trust_tables
from aslprep_nn.quality.benchmark.suite import gate_tables

#: What can be measured, and the makers of its tables.
SUBJECTS: Mapping[str, Callable[..., Mapping[str, Callable[[], Table]]]] = {
    'fit': benchmark_tables,
    'trust': trust_tables,
    'preprocessing': preprocessing_tables,
    'gates': gate_tables,
    'cohort': cohort_tables,
}


def add_benchmark(tools: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the tool to a parser."""
    names = {subject: list(tables(quick=False)) for subject, tables in SUBJECTS.items()}
    parser = tools.add_parser('benchmark', help='measure accuracy and speed on this machine')
    parser.add_argument('subject', choices=list(SUBJECTS), help='what to measure')
    parser.add_argument(
        '--quick',
        action='store_true',
        help='fewer voxels, in a minute',
    )
    parser.add_argument('--json', action='store_true', help='print JSON instead of tables')
    parser.add_argument(
        '--tables',
        nargs='+',
        choices=sorted({name for tables in names.values() for name in tables}),
        metavar='TABLE',
        help='; '.join(f'{subject}: {", ".join(tables)}' for subject, tables in names.items()),
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make the tables and print them; give the exit code."""
    makers = SUBJECTS[options.subject](quick=options.quick)
    asked = [name for name in options.tables or makers if name in makers]
    if options.json:
        tables = [asdict(makers[name]()) for name in asked]
        sys.stdout.write(json.dumps(tables, indent=2, allow_nan=False) + '\n')
        return 0
    for name in asked:
        sys.stdout.write(render(makers[name]()) + '\n')
        sys.stdout.flush()
    return 0


def render(table: Table) -> str:
    """Lay a table out as Markdown, in which a bar within a cell would end it."""
    columns = list(table.rows[0])
    plain = [columns, *([str(row[column]) for column in columns] for row in table.rows)]
    cells = [[cell.replace('|', r'\|') for cell in line] for line in plain]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    lines = ['| ' + ' | '.join(map(str.ljust, line, widths)) + ' |' for line in cells]
    rule = '|' + '|'.join('-' * (width + 2) for width in widths) + '|'
    return '\n'.join([f'## {table.name}', '', table.question, '', lines[0], rule, *lines[1:], ''])
