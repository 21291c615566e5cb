"""``aslprep_nn-tools reproduce``: the experiments of a paper, beside what they should give."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from aslprep_nn.cli.tools.benchmark import render
from aslprep_nn.estimation.benchmark.evidence import Finding, as_table
from aslprep_nn.estimation.benchmark.scenarios import Table
from aslprep_nn.estimation.benchmark.speed import one_thread
from aslprep_nn.estimation.subspace.reproduction import suite as subspace
from aslprep_nn.misspecification.reproduction.suite import FULL, QUICK, reproduce
from aslprep_nn.report.figures import Figure
from aslprep_nn.report.reproduction import reproduction_figures
from aslprep_nn.report.reproduction_subspace import subspace_figures


@dataclass(frozen=True)
class Outcome:
    """What a reproduction found, and how it is drawn.

    Parameters
    ----------
    findings, tables
        For people and for JSON.
    figures
        Draws what was found.
    """

    findings: tuple[Finding, ...]
    tables: tuple[Table, ...]
    figures: Callable[[], tuple[Figure, ...]]


def wang(*, quick: bool, seed: int) -> Outcome:
    """Repeat Wang, Tamir & Bush."""
    found = reproduce(QUICK if quick else FULL, seed, _tell)
    return Outcome(found.findings, found.tables, lambda: reproduction_figures(found))


def mao(*, quick: bool, seed: int) -> Outcome:
    """Repeat Mao, Flassbeck, Gultekin & Assländer."""
    found = subspace.reproduce(subspace.QUICK if quick else subspace.FULL, seed, _tell)
    return Outcome(found.findings, found.tables, lambda: subspace_figures(found))


#: By what a paper is called here.
PAPERS: Mapping[str, Callable[..., Outcome]] = {'wang': wang, 'subspace': mao}


def add_reproduce(tools: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the tool to a parser."""
    parser = tools.add_parser(
        'reproduce',
        help='repeat the experiments of a paper in simulation',
        description='wang: Figures 1 to 4 of Wang, Tamir & Bush in simulation, the rates at which '
        'every test rejects, and each number beside what it should be. subspace: Figures 2, 4 '
        'and 6 of Mao et al. for perfusion protocols and an MRF-FISP miniature.',
    )
    parser.add_argument('paper', choices=list(PAPERS), help='which paper')
    parser.add_argument('--quick', action='store_true', help='fewer voxels, about a minute')
    parser.add_argument('--json', action='store_true', help='print JSON instead of tables')
    parser.add_argument(
        '--output',
        type=Path,
        metavar='DIR',
        help='write the figures, evidence.tsv and reproduction.json into this folder',
    )
    parser.add_argument('--seed', type=int, default=0, help='of everything random (default: 0)')
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the experiments, print and write what was asked for; give the exit code."""
    with one_thread():
        found = PAPERS[options.paper](quick=options.quick, seed=options.seed)
    text = as_json(found, options.seed)
    if options.output is not None:
        write(options.output, found, text)
    if options.json:
        sys.stdout.write(text)
    else:
        for table in (as_table(found.findings), *found.tables):
            sys.stdout.write(render(table) + '\n')
    return 0


def as_json(found: Outcome, seed: int) -> str:
    """Write every number as JSON."""
    content = {
        'seed': seed,
        'evidence': [finding.as_record() for finding in found.findings],
        'tables': [asdict(table) for table in found.tables],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + '\n'


def write(folder: Path, found: Outcome, text: str) -> None:
    """Write figures and tables into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for figure in found.figures():
        (folder / f'{figure.name}.{figure.mime.extension}').write_bytes(figure.data)
    (folder / 'reproduction.json').write_text(text, encoding='utf-8')
    rows = as_table(found.findings).rows
    with (folder / 'evidence.tsv').open('w', encoding='utf-8', newline='') as file:
        table = csv.DictWriter(file, list(rows[0]), delimiter='\t', lineterminator='\n')
        table.writeheader()
        table.writerows(rows)


def _tell(experiment: str) -> None:
    sys.stderr.write(f'{experiment} …\n')
