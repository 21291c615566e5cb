"""How a network is trained, as a file says it."""

from __future__ import annotations

import operator
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from aslprep_nn.errors import Problem, UsageError
from aslprep_nn.network.features import FeatureSettings
from aslprep_nn.network.losses import (
    BiasReducedError,
    BiasVarianceError,
    BoundWeightedError,
    Loss,
    MeanSquaredError,
)
from aslprep_nn.network.model import AmplitudePath, NetworkSettings, Surroundings

#: Fields of a recipe that are parts of a whole.
SHARES = frozenset({'known_physics', 'voxelwise', 'fine_structure'})


class LossName(StrEnum):
    """What the network learns from."""

    BIAS_VARIANCE = 'bias_variance'
    BIAS_REDUCED = 'bias_reduced'
    BOUND_WEIGHTED = 'bound_weighted'
    MEAN_SQUARED = 'mean_squared'

    @property
    def loss(self) -> Loss:
        """The loss with the settings of its source."""
        losses: dict[LossName, Loss] = {
            LossName.BIAS_VARIANCE: BiasVarianceError(),
            LossName.BIAS_REDUCED: BiasReducedError(),
            LossName.BOUND_WEIGHTED: BoundWeightedError(),
            LossName.MEAN_SQUARED: MeanSquaredError(),
        }
        return losses[self]


class Precision(StrEnum):
    """How the convolutions are computed in training."""

    SINGLE = 'float32'
    MIXED = 'bfloat16'


@dataclass(frozen=True)
class TrainingRecipe:
    """Everything that decides what weights come out, device aside.

    Parameters
    ----------
    seed
        Of the phantoms, the first weights and the order of both.
    n_steps
        How often the weights are changed.
    loss
        What estimates are judged by.
    balance
        How far every phantom counts alike, however well it can be estimated: 0 not at all, 1
        fully; see `Loss`.
    likelihood, reconstruction, amplitude
        Weights of the parts beside it: the standard deviations, the signal that estimates
        predict, and the mean amplitude [1].
    bound_floor
        Standard deviations added to the bound in squares, of CBF as a fraction and of ATT [s]:
        below them nothing is to be gained, because the constants are not known better.
    tolerance
        How many bounds' standard deviations the posterior mean may be off around a voxel before
        the bound is raised to match: contrasts that no estimator can see (arteries, wrong
        constants, protocols that tell next to nothing) would outweigh everything else [1].
    learning_rate, weight_decay, n_warmup
        Of AdamW: its peak, which falls along a cosine to zero; its decay; the steps to the peak.
    averaging
        Memory of the running mean of the weights, which is what ships [1].
    precision
        Of the convolutions.
    n_phantoms
        Per step, each under a protocol of its own.
    batch, slices, size
        Phantoms simulated at once under one protocol, their slices, and voxels along an edge.
    pool, renewal
        Simulated batches kept, and steps after which the oldest is replaced.
    known_physics
        Share of the batches in which every constant of the analysis is right [1].
    voxelwise
        Share of the phantoms in which every voxel is drawn for itself [1].
    fine_structure
        Share of the brains in which flow and arrival change from voxel to voxel [1].
    focus_weight
        How many times as much a voxel of a focus counts in the likelihood [1].
    amplitude_path, surroundings, width, n_levels
        The shape of the network; see `NetworkSettings`.
    """

    seed: int = 1
    n_steps: int = 11000
    loss: LossName = LossName.BIAS_VARIANCE
    balance: float = 1.0
    likelihood: float = 1.0
    reconstruction: float = 0.0
    amplitude: float = 0.0
    bound_floor: tuple[float, float] = (0.02, 0.015)
    tolerance: float = 3.0
    learning_rate: float = 4e-3
    weight_decay: float = 1e-4
    n_warmup: int = 200
    averaging: float = 0.995
    precision: Precision = Precision.MIXED
    n_phantoms: int = 4
    batch: int = 4
    slices: int = 3
    size: int = 48
    pool: int = 20
    renewal: int = 6
    known_physics: float = 0.8
    voxelwise: float = 0.16
    fine_structure: float = 0.5
    focus_weight: float = 30.0
    amplitude_path: AmplitudePath = AmplitudePath.FULL
    surroundings: Surroundings = Surroundings.SPATIAL
    width: int = 24
    n_levels: int = 3

    @property
    def network(self) -> NetworkSettings:
        """The shape of the network."""
        spatial = self.surroundings is Surroundings.SPATIAL
        return NetworkSettings(
            features=FeatureSettings() if spatial else FeatureSettings((0.0,)),
            amplitude_path=self.amplitude_path,
            surroundings=self.surroundings,
            width=self.width,
            n_levels=self.n_levels,
        )

    def as_record(self) -> dict[str, Any]:
        """Say everything in plain values, as a file would."""
        return {
            name: list(value) if isinstance(value, tuple) else _plain(value)
            for name, value in asdict(self).items()
        }


def read_recipe(path: Path) -> TrainingRecipe:
    """Read a recipe; what the file leaves out keeps its default.

    Parameters
    ----------
    path
        A TOML file with the fields of `TrainingRecipe`.

    Raises
    ------
    UsageError
        If it is no such file; all problems at once.
    """
    try:
        content = tomllib.loads(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        expected = 'a TOML file that can be read'
        problem = Problem(str(path), '', f'unreadable ({error})', expected, 'Correct the file.')
        raise UsageError(problem) from error
    return recipe_of(content, str(path))


def recipe_of(content: Mapping[str, Any], file: str) -> TrainingRecipe:
    """Make a recipe from plain values; raises as `read_recipe` does."""
    known = {one.name: one.default for one in fields(TrainingRecipe)}
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    for name, value in content.items():
        if name not in known:
            expected = f'one of {", ".join(known)}'
            problems.append(Problem(file, name, 'present', expected, 'Remove or rename it.'))
            continue
        try:
            values[name] = _of_field(name, known[name], value)
        except (TypeError, ValueError):
            expected = f'a value like {_plain(known[name])!r}' + ', at most 1' * (name in SHARES)
            problems.append(Problem(file, name, repr(value), expected, 'Correct it.'))
    if problems:
        raise UsageError(problems)
    return TrainingRecipe(**values)


def _of_field(name: str, default: object, value: object) -> object:
    """Turn a plain value into that of a field; raises as `_like` does."""
    result = _like(default, value)
    if name in SHARES and isinstance(result, float) and result > 1:
        raise ValueError
    return result


def _like(default: object, value: object) -> object:
    """Turn a plain value into the type of a default; raises ValueError or TypeError."""
    if isinstance(default, StrEnum):
        return type(default)(str(value))
    if isinstance(default, tuple):
        if not isinstance(value, list) or len(value) != len(default):
            raise ValueError
        return tuple(_like(d, v) for d, v in zip(default, value, strict=True))
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError
    if isinstance(default, float):
        return float(value)
    return operator.index(value)  # type: ignore[arg-type]


def _plain(value: object) -> object:
    return str(value) if isinstance(value, StrEnum) else value
