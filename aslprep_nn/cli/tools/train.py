"""``aslprep_nn-tools train``: weights of the network, from a recipe and a seed."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from aslprep_nn.cli.exit_code import ExitCode
from aslprep_nn.cli.tools.commit import commit
from aslprep_nn.errors import UsageError, WeightsError
from aslprep_nn.estimation.benchmark.speed import one_thread
from aslprep_nn.network.learner import Learner
from aslprep_nn.network.recipe import TrainingRecipe, read_recipe
from aslprep_nn.network.training import train
from aslprep_nn.network.training_range import TrainingRange
from aslprep_nn.network.weights import DEFAULT_NAME, ModelCard, load_weights, save_weights
from aslprep_nn.report.learning import learning_curves
from aslprep_nn.writing import write_atomically

#: Steps between two words where there is no terminal.
STEPS_BETWEEN_WORDS = 50


def add_train(tools: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the tool to a parser."""
    parser = tools.add_parser(
        'train',
        help='train the network',
        description='Train the network on phantoms drawn on the fly. The folder receives a '
        'checkpoint, from which the same command goes on after an interruption; history.tsv and '
        'learning.svg; and the weights with their card, which --weights of the app takes.',
    )
    parser.add_argument('output', type=Path, metavar='FOLDER', help='for everything it makes')
    parser.add_argument(
        '--recipe',
        type=Path,
        metavar='TOML',
        help='what differs from the defaults, which `docs/network.md` lists (default: nothing)',
    )
    parser.add_argument(
        '--start',
        type=Path,
        metavar='FILE',
        help='trained weights to go on from, with their card beside them (default: random ones)',
    )
    parser.add_argument('--seed', type=int, help="of everything random (default: the recipe's)")
    parser.add_argument(
        '--until',
        type=int,
        metavar='STEP',
        help="stop here, to go on later (default: the recipe's last step)",
    )
    parser.add_argument(
        '--name', default=DEFAULT_NAME, help='of the weights (default: %(default)s)'
    )
    parser.add_argument(
        '--device', default='auto', help='auto, cpu, cuda or cuda:N (default: %(default)s)'
    )
    parser.add_argument(
        '--workers', type=int, default=1, help='processes that simulate ahead (default: 1)'
    )
    parser.add_argument(
        '--check-every', type=int, default=200, metavar='STEPS', help='default: %(default)s'
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train, write what was learnt, give the exit code."""
    device = options.device
    code = commit()  # before hours pass, in which files may change
    if device == 'auto':
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
    try:
        recipe = TrainingRecipe() if options.recipe is None else read_recipe(options.recipe)
        if options.seed is not None:
            recipe = replace(recipe, seed=options.seed)
        learner = _train(recipe, options, device)
    except (UsageError, WeightsError) as error:
        sys.stderr.write(f'{error}\n')
        return ExitCode.USAGE
    write_history(options.output, learner.history)
    card = card_of(learner, options.name, device, code)
    path = save_weights(learner.averaged, card, options.output)
    sys.stdout.write(f'{path}\n')
    return 0


def _train(recipe: TrainingRecipe, options: argparse.Namespace, device: str) -> Learner:
    console = Console(stderr=True)
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with one_thread(), Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task('simulating the first phantoms', total=recipe.n_steps)

        def tell(learner: Learner, loss: float) -> None:
            words = f'loss {loss:.2f}'
            bar.update(task, completed=learner.step, description=words)
            if not console.is_terminal and learner.step % STEPS_BETWEEN_WORDS == 0:
                console.print(f'step {learner.step} of {recipe.n_steps}: {words}')

        return train(
            recipe,
            options.output,
            device=device,
            n_workers=options.workers,
            check_every=options.check_every,
            last_step=options.until,
            start=None if options.start is None else load_weights(options.start),
            listener=tell,
        )


def card_of(learner: Learner, name: str, device: str, code: str) -> ModelCard:
    """Describe what was trained, and by which commit."""
    last = learner.history[-1]
    return ModelCard(
        name=name,
        training_range=TrainingRange.of_simulation(),
        seed=learner.recipe.seed,
        commit=code,
        loss=str(learner.recipe.loss),
        n_steps=learner.step,
        wall_time=round(last['seconds']),
        device=device,
        metrics={
            'checks': dict(last),
            'recipe': learner.recipe.as_record(),
            'started_from': learner.started_from,
        },
    )


def write_history(folder: Path, history: Sequence[Mapping[str, float]]) -> None:
    """Write the checks as a table and as curves."""
    names = list(history[-1])
    text = io.StringIO()
    table = csv.DictWriter(text, names, restval='n/a', delimiter='\t', lineterminator='\n')
    table.writeheader()
    table.writerows({name: f'{value:.6g}' for name, value in row.items()} for row in history)
    write_atomically(folder / 'history.tsv', text.getvalue().encode())
    write_atomically(folder / 'learning.svg', learning_curves(history).data)
