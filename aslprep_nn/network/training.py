"""Training: phantoms drawn on the fly, steps of the optimiser, checks on phantoms kept aside."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from aslprep_nn.errors import Problem, UsageError
from aslprep_nn.network.learner import Learner
from aslprep_nn.network.losses import Target
from aslprep_nn.network.recipe import TrainingRecipe
from aslprep_nn.network.samples import Sample, mirrored, put_together, simulate
from aslprep_nn.network.weights import LoadedNetwork
from aslprep_nn.settings import DIAL_RANGE
from aslprep_nn.simulation.dice import Dice, Interval

#: Batches from this number on are for checks; training never comes so far.
FIRST_CHECK, N_CHECKS = 500_000, 8
CHECKPOINT = 'checkpoint.pt'
#: How often a phantom is learnt from at the end of the dial that is used unless another is asked.
LEAST_DIAL = 0.5
#: Names of what a check measures, in the order of the parameters.
PARAMETERS = ('cbf', 'att')

#: Told after every step: the learner and the loss of the step.
Listener = Callable[[Learner, float], None]


def train(
    recipe: TrainingRecipe,
    folder: Path,
    *,
    device: str = 'cpu',
    n_workers: int = 1,
    check_every: int = 200,
    last_step: int | None = None,
    start: LoadedNetwork | None = None,
    listener: Listener | None = None,
) -> Learner:
    """Train a network, or go on where an interrupted training left off.

    The pool of phantoms, their order and the dials follow from seed and step alone, so that a
    training in pieces gives the weights of one in a single go.

    Parameters
    ----------
    recipe
        How.
    folder
        Where the checkpoint is, and is written after every check.
    device
        'cpu', 'cuda' or 'cuda:N'.
    n_workers
        Processes that simulate ahead, on the CPU.
    check_every
        Steps between checks.
    last_step
        Stop here although the recipe goes on.
    start
        Trained weights to begin with; a checkpoint has to have begun with the same.
    listener
        Told how far it is.

    Returns
    -------
    The learner at the last step.

    Raises
    ------
    UsageError
        If the folder holds a checkpoint of another recipe or another start.
    """
    learner = Learner(recipe, device)
    if (folder / CHECKPOINT).exists():
        learner.load(folder / CHECKPOINT)
        _require_same_start(learner, start, folder / CHECKPOINT)
    elif start is not None:
        learner.start_from(start)
    last = min(recipe.n_steps, last_step or recipe.n_steps)
    if learner.step >= last:
        return learner
    checks = checking_samples(recipe, device=device, n_workers=n_workers)
    if not learner.history:
        learner.history.append(check(learner, checks))
    begun, losses = time.monotonic(), []
    for pool in _pools(recipe, learner.step, last, device=device, n_workers=n_workers):
        picked, dials = pick(pool, recipe, learner.step)
        losses.append(learner.learn(picked, dials))
        if listener is not None:
            listener(learner, losses[-1])
        if learner.step % check_every == 0 or learner.step == last:
            found = check(learner, checks)
            seconds = learner.history[-1]['seconds'] + time.monotonic() - begun
            found |= {'seconds': seconds, 'loss': float(torch.tensor(losses).nanmedian())}
            learner.history.append(found)
            learner.save(folder / CHECKPOINT)
            begun, losses = time.monotonic(), []
    return learner


def _require_same_start(learner: Learner, start: LoadedNetwork | None, path: Path) -> None:
    """Refuse to go on from weights that a checkpoint did not begin with."""
    if start is None or learner.started_from == start.card.sha256:
        return
    found = learner.started_from or 'random weights'
    remedy = 'Train into another folder, or leave --start out.'
    raise UsageError(Problem(str(path), 'started_from', found, start.card.sha256, remedy))


def pick(pool: list[Sample], recipe: TrainingRecipe, step: int) -> tuple[list[Sample], Tensor]:
    """Choose the phantoms of a step, mirror them at random, and draw their dials."""
    dice = Dice(torch.Generator().manual_seed(recipe.seed + step))
    numbers = torch.randperm(len(pool), generator=dice.generator)[: recipe.n_phantoms].tolist()
    picked = [
        mirrored(pool[number], tuple(axis for axis in (-2, -1) if dice.happens(0.5)))
        for number in numbers
    ]
    dials = dice.log_uniform(Interval(*DIAL_RANGE), len(picked))
    least = dice.chance(LEAST_DIAL, len(picked))
    return picked, torch.where(least, DIAL_RANGE[0], dials)


def checking_samples(
    recipe: TrainingRecipe, *, device: str = 'cpu', n_workers: int = 0
) -> list[Sample]:
    """Simulate the phantoms of the checks: of the training's kind, but never trained on."""
    numbers = range(FIRST_CHECK, FIRST_CHECK + N_CHECKS)
    batches = simulate(recipe, numbers, device=device, n_workers=n_workers)
    return [sample for batch in batches for sample in batch]


@torch.no_grad()
def check(learner: Learner, samples: list[Sample]) -> dict[str, float]:
    """Measure errors per bound at both ends of the dial, and how wide the intervals are.

    Returns
    -------
    Step; for each parameter and end of the dial the median over phantoms of the mean squared
    error per bound (1 for an efficient unbiased estimator), as ``cbf_1`` to ``att_8``; the share
    of errors within one predicted standard deviation, as ``cbf_within`` and ``att_within``.
    """
    found = {'step': float(learner.step), 'seconds': 0.0}
    for dial in DIAL_RANGE:
        errors, within = [], []
        for sample in samples:
            together = put_together([sample], torch.tensor([dial], device=learner.device))
            estimate = learner.estimate(together, averaged=True)
            draws = torch.stack([estimate.amplitude, estimate.att]).movedim(2, 0)
            stds = torch.stack([estimate.amplitude_std, estimate.att_std]).movedim(2, 0)
            target = together.target
            error = draws - target.truth
            errors.append(_mean(error.square() / target.bound, target))
            within.append(_mean((error.abs() <= stds).to(error), target))
        loss, share = torch.stack(errors).median(0).values, torch.stack(within).mean(0)
        for name, value, inside in zip(PARAMETERS, loss.tolist(), share.tolist(), strict=True):
            found |= {f'{name}_{dial:.0f}': value, f'{name}_within': inside}
    return found


def _mean(values: Tensor, target: Target) -> Tensor:
    """Average ``(draw, parameter, ...)`` over draws and the mask, ``(parameter,)``."""
    return values[..., target.mask].mean((0, -1))


def _pools(
    recipe: TrainingRecipe, first: int, last: int, *, device: str, n_workers: int
) -> Iterator[list[Sample]]:
    """Give the phantoms to choose from at every step from ``first`` to before ``last``.

    At step s these are the batches s // renewal to s // renewal + pool - 1.
    """
    oldest = first // recipe.renewal
    newest = (last - 1) // recipe.renewal + recipe.pool - 1
    batches = simulate(recipe, range(oldest, newest + 1), device=device, n_workers=n_workers)
    pool: deque[list[Sample]] = deque(maxlen=recipe.pool)
    for _ in range(recipe.pool):
        pool.append(next(batches))
    for step in range(first, last):
        if step // recipe.renewal > oldest:
            pool.append(next(batches))
            oldest += 1
        yield [sample for batch in pool for sample in batch]
