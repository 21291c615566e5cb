"""A network while it learns: its weights, their running mean, the optimiser, and how far it is."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from aslprep_nn.errors import Problem, UsageError
from aslprep_nn.network.losses import Loss, Target, amplitude_error, gaussian_likelihood
from aslprep_nn.network.model import AmplitudeAwareNetwork, Estimate, NetworkSettings
from aslprep_nn.network.recipe import Precision, TrainingRecipe
from aslprep_nn.network.samples import Sample, Together, put_together
from aslprep_nn.network.targets import reconstruction_error
from aslprep_nn.network.weights import LoadedNetwork, require_same
from aslprep_nn.writing import write_atomically

#: Longest gradient that is followed as it is.
LONGEST_GRADIENT = 1.0


@dataclass
class Learner:
    """Weights on their way.

    Parameters
    ----------
    recipe
        How they are trained.
    device
        Where.
    started_from
        Checksum of the weights it began with, empty where these were random.
    """

    recipe: TrainingRecipe
    device: str = 'cpu'
    started_from: str = ''
    step: int = 0
    n_skipped: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.recipe.seed)
            network = AmplitudeAwareNetwork(self.recipe.network)
        self.network = network.to(self.device)
        running_mean = get_ema_multi_avg_fn(self.recipe.averaging)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(self.network, multi_avg_fn=running_mean)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), weight_decay=self.recipe.weight_decay
        )

    @property
    def averaged(self) -> AmplitudeAwareNetwork:
        """The network with the running mean of the weights."""
        return cast(AmplitudeAwareNetwork, self.average.module)

    def start_from(self, weights: LoadedNetwork) -> None:
        """Begin with trained weights; roughness that they were not told is ignored at first.

        Raises
        ------
        UsageError
            If they are of a network of another shape.
        """
        old, new = weights.card.settings, self.recipe.network
        if not old.features.roughness:
            old = replace(old, features=replace(old.features, roughness=new.features.roughness))
        found, wanted = asdict(old), asdict(new)
        remedy = 'Start from other weights, or change the recipe.'
        problems = [
            Problem(
                weights.card.name, name, str(found[name]), f'{value}, as the recipe has', remedy
            )
            for name, value in wanted.items()
            if found[name] != value
        ]
        if problems:
            raise UsageError(problems)
        tensors = _widened(weights.network.state_dict(), weights.card.settings, new)
        for network in (self.network, self.averaged):
            network.load_state_dict(tensors)
        self.started_from = weights.card.sha256

    def learn(self, samples: Sequence[Sample], dials: Tensor) -> float:
        """Change the weights once; give the loss, which may not be finite.

        A step whose loss or gradient is not finite is skipped and counted.
        """
        recipe = self.recipe
        for group in self.optimizer.param_groups:
            group['lr'] = learning_rate(recipe, self.step)
        together = put_together(samples, dials.to(self.device))
        estimate = self.estimate(together)
        loss = total_loss(estimate, together.target, recipe)
        if recipe.reconstruction:
            loss = loss + recipe.reconstruction * _reconstruction(estimate, samples)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        length = torch.nn.utils.clip_grad_norm_(self.network.parameters(), LONGEST_GRADIENT)
        if torch.isfinite(length) and torch.isfinite(loss):
            self.optimizer.step()
            self.average.update_parameters(self.network)
        else:
            self.n_skipped += 1
        self.step += 1
        return float(loss.detach())

    def estimate(self, together: Together, *, averaged: bool = False) -> Estimate:
        """Estimate every draw of every phantom, ``(phantom, draw, slice, x, y)``."""
        given = together.given
        dials = together.target.dial.reshape(-1, 1).expand(given.features.shape[:2])
        mixed = self.recipe.precision is Precision.MIXED
        kind = torch.device(self.device).type
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=mixed):
            estimate: Estimate = (self.averaged if averaged else self.network)(given, dials)
        return estimate

    def save(self, path: Path) -> None:
        """Write everything needed to go on."""
        content = {
            'recipe': self.recipe.as_record(),
            'started_from': self.started_from,
            'step': self.step,
            'n_skipped': self.n_skipped,
            'history': self.history,
            'network': self.network.state_dict(),
            'average': self.average.state_dict(),
            'optimizer': self.optimizer.state_dict(),
        }
        memory = io.BytesIO()
        torch.save(content, memory)
        write_atomically(path, memory.getvalue())

    def load(self, path: Path) -> None:
        """Go on where `save` left off; only the number of steps may have changed.

        Raises
        ------
        UsageError
            If the file is of another recipe.
        WeightsError
            If it is of a network that sees other features.
        """
        content: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        wanted, found = self.recipe.as_record(), content['recipe']
        remedy = 'Train into another folder, or return to that recipe.'
        problems = [
            Problem(str(path), name, str(found.get(name)), f'{value}, as the recipe has', remedy)
            for name, value in wanted.items()
            if found.get(name) != value and name != 'n_steps'
        ]
        if problems:
            raise UsageError(problems)
        remedy = 'Train into another folder; --start takes finished weights.'
        require_same(path, content['network'], self.network.state_dict(), remedy)
        self.started_from = content['started_from']
        self.step, self.n_skipped = content['step'], content['n_skipped']
        self.history = content['history']
        self.network.load_state_dict(content['network'])
        self.average.load_state_dict(content['average'])
        self.optimizer.load_state_dict(content['optimizer'])


def _widened(
    tensors: Mapping[str, Tensor], old: NetworkSettings, new: NetworkSettings
) -> dict[str, Tensor]:
    """Give the tensors of a network columns of zeros for the features that it did not have."""
    widened = dict(tensors)
    for name, before, after in (
        ('stem.weight', old.features.n_channels, new.features.n_channels),
        ('encode_condition.0.weight', old.features.n_conditions, new.features.n_conditions),
    ):
        weight = tensors[name]
        ignored = weight.new_zeros(len(weight), after - before, *weight.shape[2:])
        widened[name] = torch.cat([weight[:, :before], ignored, weight[:, before:]], 1)
    return widened


def learning_rate(recipe: TrainingRecipe, step: int) -> float:
    """Rise evenly to the peak, then fall to zero along a cosine."""
    if step < recipe.n_warmup:
        return recipe.learning_rate * (step + 1) / recipe.n_warmup
    done = (step - recipe.n_warmup) / max(1, recipe.n_steps - recipe.n_warmup)
    return recipe.learning_rate * (1 + math.cos(math.pi * min(done, 1.0))) / 2


def total_loss(estimate: Estimate, target: Target, recipe: TrainingRecipe) -> Tensor:
    """Judge estimates ``(phantom, draw, slice, x, y)`` as a recipe asks, a scalar."""
    draws = torch.stack([estimate.amplitude, estimate.att]).movedim(2, 0)
    stds = torch.stack([estimate.amplitude_std, estimate.att_std]).movedim(2, 0)
    stds = torch.where(target.mask, stds, 1)
    judge: Loss = recipe.loss.loss
    total = judge(draws, target, balance=recipe.balance)
    if recipe.likelihood:
        total = total + recipe.likelihood * gaussian_likelihood(draws, stds, target)
    if recipe.amplitude:
        total = total + recipe.amplitude * amplitude_error(draws[:, 0], target)
    return total


def _reconstruction(estimate: Estimate, samples: Sequence[Sample]) -> Tensor:
    """Average the misfit of the signals that estimates predict over all measurements."""
    maps = torch.stack([estimate.amplitude, estimate.att], 2)
    parts = []
    for phantom, sample in enumerate(samples):
        for draw, series in enumerate(sample.series):
            width, height = sample.size
            here = maps[phantom, draw, ..., :width, :height].flip(sample.mirrored)
            voxels = here[:, series.inside]
            parts.append(reconstruction_error(series.measurements(), series.voxel_noise, voxels))
    return torch.cat(parts).mean()
