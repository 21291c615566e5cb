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
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors

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
    _require_same(path, tensors, network.state_dict())
    network.load_state_dict(tensors)
    return LoadedNetwork(network.to(device).eval(), card)


def _require_same(
    path: Path, found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]
) -> None:
    """Refuse tensors that are not those of the network, naming all of them."""
    problems = [
        Problem(path.name, name, 'absent', 'a tensor of the network', REMEDY)
        for name in expected
        if name not in found
    ]
    problems += [
        Problem(path.name, name, 'present', 'no tensor of that name', REMEDY)
        for name in found
        if name not in expected
    ]
    problems += [
        Problem(path.name, name, f'of shape {_shape(found[name])}', _shape(expected[name]), REMEDY)
        for name in found
        if name in expected and found[name].shape != expected[name].shape
    ]
    if problems:
        raise WeightsError(problems)


def _read_card(path: Path) -> ModelCard:
    try:
        return ModelCard.from_json(_read(path))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        found = f'not readable ({type(error).__name__}: {error})'
        raise _error(path, '', found, 'a model card of this version') from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _error(path, '', error.strerror or 'not readable', 'a file') from error


def _settings(plain: Mapping[str, Any]) -> NetworkSettings:
    """Read the shape of a network; raises as `ModelCard.from_json` does."""
    features = {'roughness': False, **plain['features']}  # cards from before it do not name it
    words = {
        'features': FeatureSettings(**{**features, 'smoothings': tuple(features['smoothings'])}),
        'amplitude_path': AmplitudePath(plain['amplitude_path']),
        'surroundings': Surroundings(plain['surroundings']),
    }
    settings = NetworkSettings(**{**plain, **words})
    _require_possible(settings)
    return settings


def _require_possible(settings: NetworkSettings) -> None:
    """Refuse what no network can be made of; the checksum covers tensors, not the card."""
    smoothings = settings.features.smoothings
    if not all(type(sigma) in (int, float) and math.isfinite(sigma) for sigma in smoothings):
        raise ValueError(f'smoothings is {list(smoothings)}, not numbers')
    if not smoothings or smoothings[0] != 0 or sorted(set(smoothings)) != list(smoothings):
        raise ValueError(f'smoothings is {list(smoothings)}, does not rise from 0')
    if type(settings.features.roughness) is not bool:
        raise ValueError(f'roughness is {settings.features.roughness!r}, not true or false')
    for name in ('width', 'n_levels', 'n_groups', 'condition_width'):
        number = getattr(settings, name)
        if type(number) is not int or number < 1:
            raise ValueError(f'{name} is {number!r}, not a whole number from 1')
    if settings.width % settings.n_groups:
        raise ValueError(f'width {settings.width} is no multiple of n_groups {settings.n_groups}')


def _error(path: Path, name: str, found: str, expected: str) -> WeightsError:
    return WeightsError(Problem(path.name, name, found, expected, REMEDY))


def _shape(tensor: torch.Tensor) -> str:
    return str(tuple(tensor.shape))
