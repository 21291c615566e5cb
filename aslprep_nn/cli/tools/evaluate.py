"""``aslprep_nn-tools evaluate``: every estimator beside the truth, on phantoms kept for it."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from aslprep_nn.cli.exit_code import ExitCode
from aslprep_nn.cli.tools.benchmark import render
from aslprep_nn.cli.tools.commit import commit
from aslprep_nn.errors import AslprepError, Problem, UsageError
from aslprep_nn.estimation.benchmark.scenarios import Table
from aslprep_nn.estimation.benchmark.speed import one_thread
from aslprep_nn.evaluation.ablations import ablation_tables, load_all
from aslprep_nn.evaluation.figures import evaluation_figures, joint_figure
from aslprep_nn.evaluation.halving import simulated_halves, simulated_table
from aslprep_nn.evaluation.in_vivo import halved, read_scans, stability
from aslprep_nn.evaluation.phantoms import draw_brains, with_fine_structure
from aslprep_nn.evaluation.records import Record, score_records
from aslprep_nn.evaluation.requirements import requirement_table, rough_requirement_table
from aslprep_nn.evaluation.speed import speed_table
from aslprep_nn.evaluation.suite import FULL, QUICK, Effort, evaluate
from aslprep_nn.evaluation.tables import evaluation_tables
from aslprep_nn.evaluation.texture import texture_row
from aslprep_nn.network.model import AmplitudeAwareNetwork
from aslprep_nn.network.weights import LoadedNetwork, default_weights, load_weights
from aslprep_nn.report.figures import Figure
from aslprep_nn.version import __version__
from aslprep_nn.writing import write_atomically

#: Seed of everything random; training has others.
SEED = 20_000
#: Of half of the data of the brains that stand beside real ones.
SIMULATED_SNR = 5.0
TEXTURE = (
    'What both halves of the data agree on: the standard deviation of what voxels reproduce, and '
    'its correlation with voxels one to three further.'
)
WITHOUT_NETWORK = 'No weights were found: the network is missing from what follows.'


@dataclass
class Findings:
    """What a call has found so far."""

    tables: list[Table] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    scores: list[Record] = field(default_factory=list)


def add_evaluate(tools: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the tool to a parser."""
    parser = tools.add_parser(
        'evaluate',
        help='compare all estimators with the truth',
        description='Compare the network, least squares, smoothed least squares, the hybrid fit '
        'and others with the truth on held-out phantoms. With --ablations, --in-vivo or --speed '
        'only these are done.',
    )
    parser.add_argument(
        '--quick', action='store_true', help='a few phantoms, a minute or two: no basis for claims'
    )
    parser.add_argument('--json', action='store_true', help='print JSON instead of tables')
    parser.add_argument(
        '--output',
        type=Path,
        metavar='DIR',
        help='write evaluation.json, evaluation.md and the figures into this folder',
    )
    parser.add_argument(
        '--weights',
        type=Path,
        metavar='FILE',
        help='the network to evaluate (default: that of the package, if it has one)',
    )
    parser.add_argument(
        '--ablations', type=Path, metavar='DIR', help='compare all networks in a folder'
    )
    parser.add_argument(
        '--in-vivo',
        type=Path,
        metavar='DERIVATIVES',
        help='what half of the repetitions do to the maps of real brains, from this output '
        'folder of aslprep_nn, and of simulated ones, whose truth is put to the same test',
    )
    parser.add_argument('--speed', action='store_true', help='time and memory of the network')
    parser.add_argument(
        '--seed', type=int, default=SEED, help=f'of everything random (default: {SEED})'
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Evaluate, print and write what was asked for; give the exit code."""
    try:
        loaded = _load(options.weights)
        found = _find(options, loaded)
    except AslprepError as error:
        sys.stderr.write(f'{error}\n')
        return ExitCode.USAGE
    text = as_json(found, _facts(options, loaded))
    markdown = _as_markdown(found, has_network=loaded is not None or bool(options.ablations))
    if options.output is not None:
        write_atomically(options.output / 'evaluation.json', text.encode())
        write_atomically(options.output / 'evaluation.md', markdown.encode())
        for figure in found.figures:
            path = options.output / f'{figure.name}.{figure.mime.extension}'
            write_atomically(path, figure.data)
    sys.stdout.write(text if options.json else markdown)
    return 0


def as_json(found: Findings, facts: dict[str, Any]) -> str:
    """Write every number as JSON."""
    content = {
        **facts,
        'tables': [asdict(table) for table in found.tables],
        'scores': found.scores,
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + '\n'


def _load(path: Path | None) -> LoadedNetwork | None:
    """Load the weights asked for, or those of the package if it has any."""
    if path is None and not default_weights().exists():
        return None
    return load_weights(path or default_weights())


def _find(options: argparse.Namespace, loaded: LoadedNetwork | None) -> Findings:
    """Make the parts that were asked for."""
    effort, network = _effort(options), loaded.network if loaded else None
    found = Findings()
    if options.speed:
        found.tables.append(speed_table(_required(network), options.seed))
    with one_thread():
        if options.ablations is not None:
            found.tables += ablation_tables(
                load_all(options.ablations), effort, options.seed, _tell
            )
        if options.in_vivo is not None:
            _add_in_vivo(found, options, network)
        if not (options.speed or options.ablations or options.in_vivo):
            _add_phantoms(found, network, effort, options.seed)
    return found


def _add_in_vivo(
    found: Findings, options: argparse.Namespace, network: AmplitudeAwareNetwork | None
) -> None:
    scans = read_scans(options.in_vivo)
    for scan in scans:
        _tell(scan.name)
        one = stability(scan, network)
        found.tables.append(one.table)
        figure = joint_figure(one)
        found.figures += [figure] if figure else []
    smooth = draw_brains(_effort(options).n_protocol, options.seed)
    rough = with_fine_structure(smooth, options.seed)
    rows = [texture_row(scan.name, [halved(scan)]) for scan in scans]
    for name, brains in (('simulated', smooth), ('simulated, fine structure', rough)):
        title = f'{name}, SNR {SIMULATED_SNR:g} from half of the data'
        _tell(title)
        with_truth = list(simulated_halves(brains, SIMULATED_SNR, options.seed))
        found.tables.append(simulated_table(title, with_truth, network))
        rows.append(texture_row(title, [scan for scan, _ in with_truth]))
    found.tables.append(Table('texture', TEXTURE, tuple(rows)))


def _add_phantoms(
    found: Findings, network: AmplitudeAwareNetwork | None, effort: Effort, seed: int
) -> None:
    evaluation = evaluate(network, effort, seed, _tell)
    found.tables += [
        requirement_table(evaluation),
        rough_requirement_table(evaluation),
        *evaluation_tables(evaluation),
    ]
    found.figures += evaluation_figures(evaluation)
    found.scores += score_records(evaluation)


def _required(network: AmplitudeAwareNetwork | None) -> AmplitudeAwareNetwork:
    if network is not None:
        return network
    expected = 'a file of weights'
    raise UsageError(Problem('options', '--weights', 'absent', expected, 'Give one.'))


def _effort(options: argparse.Namespace) -> Effort:
    return QUICK if options.quick else FULL


def _facts(options: argparse.Namespace, loaded: LoadedNetwork | None) -> dict[str, Any]:
    """Say what is needed to get the same numbers again."""
    card = None if loaded is None else loaded.card
    return {
        'version': __version__,
        'commit': commit(),
        'seed': options.seed,
        'weights': None if card is None else {'name': card.name, 'sha256': card.sha256},
        'effort': asdict(_effort(options)),
    }


def _as_markdown(found: Findings, *, has_network: bool) -> str:
    """Lay out every table that has rows."""
    parts = [render(table) for table in found.tables if table.rows]
    return '\n'.join(([] if has_network else [WITHOUT_NETWORK + '\n']) + parts) + '\n'


def _tell(experiment: str) -> None:
    sys.stderr.write(f'{experiment} …\n')
