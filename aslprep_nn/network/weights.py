"""Trained weights as files: the tensors, and a card that says what they are.

``<name>.safetensors`` holds numbers and nothing that could be run; ``<name>.json`` beside it is
the model card. A file that is not the one its card describes is refused.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor

from aslprep_nn.errors import Problem, WeightsError
from aslprep_nn.network.features import FeatureSettings
from aslprep_nn.network.model import (
    AmplitudeAwareNetwork,
    AmplitudePath,
    NetworkSettings,
    Surroundings,
)
from aslprep_nn.network.training_range import TrainingRange
from aslprep_nn.writing import write_atomically

DEFAULT_NAME = 'default'
TENSORS, CARD = '.safetensors', '.json'
REMEDY = 'Install the package again, or give another file.'


@dataclass(frozen=True)
class ModelCard:
    """What a file of weights is.

    Parameters
    ----------
    name
        Of the two files.
    training_range
        What the network saw.
    seed, commit
        Of the training, and the version of the code that did it.
    loss
        What was minimised, in words.
    n_steps
        Batches seen.
    wall_time
        How long the training took [s].
    device
        What it ran on.
    metrics
        Measured on held-out phantoms, by name.
    intended_use, limits
        For people.
    licence
        Of the weights.
    settings
        The shape of the network.
    sha256
        Of the tensors' file.
    """

    name: str
    training_range: TrainingRange
    seed: int
    commit: str
    loss: str
    n_steps: int
    wall_time: float
    device: str
    metrics: Mapping[str, Any] = field(default_factory=dict)
    intended_use: str = 'CBF and ATT of the adult brain from arterial spin labelling, for research.'
    limits: str = (
        'Trained on simulations only. Outside the training range the app does not use it. It '
        'averages over neighbours, so foci of one to three voxels are partly lost at low '
        'signal-to-noise ratio. Wrong constants bias it as they bias a fit. Not a medical device.'
    )
    licence: str = 'Apache-2.0'
    settings: NetworkSettings = field(default_factory=NetworkSettings)
    sha256: str = ''

    def as_json(self) -> bytes:
        """Write the card."""
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        plain['training_range'] = self.training_range.as_plain()
        plain['settings'] = asdict(self.settings)
        return (json.dumps(plain, indent=2, ensure_ascii=False) + '\n').encode()

    @classmethod
    def from_json(cls, content: bytes) -> ModelCard:
        """Read a card; raises KeyError, TypeError or ValueError where it is not one."""
        plain = json.loads(content)
        plain['training_range'] = TrainingRange.from_plain(plain['training_range'])
        plain['settings'] = _settings(plain['settings'])
        return cls(**plain)


class LoadedNetwork(NamedTuple):
    """A network ready to use, and its card."""

    network: AmplitudeAwareNetwork
    card: ModelCard


def default_weights() -> Path:
    """Name the weights that come with the package; an installation may have none."""
    return Path(str(files('aslprep_nn'))) / 'weights' / f'{DEFAULT_NAME}{TENSORS}'


def save_weights(network: AmplitudeAwareNetwork, card: ModelCard, folder: Path) -> Path:
    """Write a network's tensors and its card.

    Parameters
    ----------
    network
        What to save.
    card
        What it is; settings and checksum are filled in here.
    folder
        Where the two files go, under the card's name.

    Returns
    -------
    The file of tensors.
    """
    tensors = {name: value.contiguous().cpu() for name, value in network.state_dict().items()}
    content = safetensors.save(tensors)
    complete = replace(card, settings=network.settings, sha256=hashlib.sha256(content).hexdigest())
    path = folder / f'{card.name}{TENSORS}'
    write_atomically(path, content)
    write_atomically(path.with_suffix(CARD), complete.as_json())
    return path


def load_weights(path: Path, device: torch.device | str = 'cpu') -> LoadedNetwork:
    """Read a network and its card, and make sure that they belong together.

    Parameters
    ----------
    path
        ``<name>.safetensors``, its card beside it.
    device
        Where the network is to compute.

    Raises
    ------
    WeightsError
        If a file is missing or damaged, or if the tensors are not those that the card describes.
    """
    content, card = _read(path), _read_card(path.with_suffix(CARD))
    found = hashlib.sha256(content).hexdigest()
    if found != card.sha256:
        raise _error(path, 'sha256', found, f'{card.sha256}, as its card says')
    try:
        tensors = safetensors.load(content)
    except SafetensorError as error:
        raise _error(path, '', f'not readable ({error})', 'a safetensors file') from error
    network = AmplitudeAwareNetwork(card.settings)
    require_same(path, tensors, network.state_dict(), REMEDY)
    network.load_state_dict(tensors)
    return LoadedNetwork(network.to(device).eval(), card)


def require_same(
    path: Path, found: Mapping[str, Tensor], expected: Mapping[str, Tensor], remedy: str
) -> None:
    """Refuse tensors that are not those of the network, naming all of them.

    Parameters
    ----------
    path
        Where they were found.
    found, expected
        Tensors by name.
    remedy
        What to do.

    Raises
    ------
    WeightsError
        If one is absent, unknown or of another shape.
    """
    problems = [
        Problem(path.name, name, 'absent', 'a tensor of the network', remedy)
        for name in expected
        if name not in found
    ]
    problems += [
        Problem(path.name, name, 'present', 'no tensor of that name', remedy)
        for name in found
        if name not in expected
    ]
    problems += [
        Problem(path.name, name, f'of shape {_shape(found[name])}', _shape(expected[name]), remedy)
        for name in found
        if name in expected and found[name].shape != expected[name].shape
    ]
    if problems:
        raise WeightsError(problems)


def _read_card(path: Path) -> ModelCard:
    try:
        card = ModelCard.from_json(_read(path))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        found = f'not readable ({type(error).__name__}: {error})'
        raise _error(path, '', found, 'a model card of this version') from error
    _require_possible(path, card.settings)
    return card


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _error(path, '', error.strerror or 'not readable', 'a file') from error


def _settings(plain: Mapping[str, Any]) -> NetworkSettings:
    features = {'roughness': False, **plain['features']}  # cards from before it do not name it
    words = {
        'features': FeatureSettings(**{**features, 'smoothings': tuple(features['smoothings'])}),
        'amplitude_path': AmplitudePath(plain['amplitude_path']),
        'surroundings': Surroundings(plain['surroundings']),
    }
    return NetworkSettings(**{**plain, **words})


def _require_possible(path: Path, settings: NetworkSettings) -> None:
    """Refuse fields no network can be made of, all at once; the checksum covers tensors only."""
    given: dict[str, Any] = {**asdict(settings), **asdict(settings.features)}
    wrong = []
    if not _rise_from_zero(given['smoothings']):
        wrong.append(('smoothings', 'numbers that rise from 0'))
    if type(given['roughness']) is not bool:
        wrong.append(('roughness', 'true or false'))
    wrong += [
        (name, 'a whole number, at least 1')
        for name in ('width', 'n_levels', 'n_groups', 'condition_width')
        if type(given[name]) is not int or given[name] < 1
    ]
    if not wrong and settings.width % settings.n_groups:
        wrong.append(('n_groups', f'a divisor of the width, {settings.width}'))
    if wrong:
        raise WeightsError(
            [Problem(path.name, name, repr(given[name]), wanted, REMEDY) for name, wanted in wrong]
        )


def _rise_from_zero(values: tuple[Any, ...]) -> bool:
    if not all(type(value) in (int, float) and math.isfinite(value) for value in values):
        return False
    return values[:1] == (0,) and all(one < other for one, other in pairwise(values))


def _error(path: Path, name: str, found: str, expected: str) -> WeightsError:
    return WeightsError(Problem(path.name, name, found, expected, REMEDY))


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))
