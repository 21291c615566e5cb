"""Weights come back as they were written, or are refused by name."""

import json
import math

import pytest
import safetensors.torch
import torch

from aslprep_nn.errors import WeightsError
from aslprep_nn.network.apply import estimate
from aslprep_nn.network.features import FeatureSettings
from aslprep_nn.network.model import (
    AmplitudeAwareNetwork,
    AmplitudePath,
    NetworkSettings,
    Surroundings,
)
from aslprep_nn.network.training_range import TrainingRange
from aslprep_nn.network.weights import ModelCard, load_weights, save_weights

TINY = NetworkSettings(width=8, n_levels=2, n_groups=4, condition_width=8)
CARD = ModelCard(
    'tiny',
    TrainingRange.of_simulation(),
    seed=3,
    commit='abc',
    loss='none: not trained',
    n_steps=0,
    wall_time=1.5,
    device='cpu',
    metrics={'cbf': 1.0},
)


def network(settings=TINY) -> AmplitudeAwareNetwork:
    made = AmplitudeAwareNetwork(settings)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return made


@pytest.fixture
def path(tmp_path):
    return save_weights(network(), CARD, tmp_path)


def problems(path):
    with pytest.raises(WeightsError) as error:
        load_weights(path)
    return error.value.problems


def resave(path, tensors):
    """Write other tensors under a card that vouches for them."""
    made = network()
    made.state_dict = lambda: tensors
    save_weights(made, CARD, path.parent)


def test_a_network_comes_back_with_its_card_and_gives_the_same_maps(path, make_brain):
    loaded, card = load_weights(path)
    assert (card.name, card.seed, card.metrics) == ('tiny', 3, {'cbf': 1.0})
    assert card.training_range == CARD.training_range
    series = make_brain(shape=(12, 12, 2)).series
    before, after = estimate(network(), series, 1.0), estimate(loaded, series, 1.0)
    inside = series.mask.flatten()
    assert torch.equal(before.parameters['cbf'][inside], after.parameters['cbf'][inside])


@pytest.mark.parametrize(
    'settings',
    [
        NetworkSettings(width=8, n_levels=2, surroundings=Surroundings.VOXELWISE),
        NetworkSettings(width=8, n_levels=2, amplitude_path=AmplitudePath.NONE),
        NetworkSettings(FeatureSettings((0.0, 1.0)), width=8, n_levels=2),
        NetworkSettings(FeatureSettings(roughness=False), width=8, n_levels=2),
    ],
)
def test_the_shape_of_the_network_is_read_from_the_card(tmp_path, settings):
    path = save_weights(AmplitudeAwareNetwork(settings), CARD, tmp_path)
    assert load_weights(path).network.settings == settings


def test_a_card_that_does_not_name_roughness_is_of_a_network_that_was_not_told(tmp_path):
    settings = NetworkSettings(FeatureSettings(roughness=False), width=8, n_levels=2)
    path = save_weights(AmplitudeAwareNetwork(settings), CARD, tmp_path)
    card = json.loads(path.with_suffix('.json').read_text())
    del card['settings']['features']['roughness']
    path.with_suffix('.json').write_text(json.dumps(card))
    assert load_weights(path).network.settings == settings


def test_the_same_network_is_written_as_the_same_bytes(tmp_path, path):
    again = save_weights(network(), CARD, tmp_path / 'again')
    assert again.read_bytes() == path.read_bytes()


def test_a_changed_file_is_refused_with_both_checksums(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    (problem,) = problems(path)
    card = json.loads(path.with_suffix('.json').read_text())
    assert (problem.file, problem.field) == ('tiny.safetensors', 'sha256')
    assert card['sha256'] in problem.expected
    assert problem.found not in problem.expected


def test_missing_unknown_and_misshapen_tensors_are_all_named(path):
    tensors = dict(network().state_dict())
    gone = tensors.pop('head.bias')
    tensors['extra'] = gone
    tensors['stem.bias'] = torch.zeros(3)
    resave(path, tensors)
    assert {(p.field, p.found) for p in problems(path)} == {
        ('head.bias', 'absent'),
        ('extra', 'present'),
        ('stem.bias', 'of shape (3,)'),
    }


@pytest.mark.parametrize('missing', ['.safetensors', '.json'])
def test_a_missing_file_is_named(path, missing):
    path.with_suffix(missing).unlink()
    (problem,) = problems(path)
    assert problem.file == f'tiny{missing}'
    assert problem.found == 'No such file or directory'


def test_a_card_of_another_kind_is_refused(path):
    path.with_suffix('.json').write_text('{"name": "tiny"}')
    (problem,) = problems(path)
    assert problem.file == 'tiny.json'
    assert 'training_range' in problem.found


@pytest.mark.parametrize(
    ('place', 'name', 'value'),
    [
        ('features', 'roughness', 'true'),
        ('features', 'roughness', 1),
        ('features', 'roughness', None),
        ('features', 'smoothings', []),
        ('features', 'smoothings', '0123'),
        ('features', 'smoothings', ['0', '1']),
        ('features', 'smoothings', [0, math.nan, 1.5, 3]),
        ('features', 'smoothings', [0, -0.7, 1.5, 3]),
        ('features', 'smoothings', [0, 1.5, math.inf]),
        ('features', 'smoothings', [0.7, 1.5]),
        ('features', 'colour', 'red'),
        ('settings', 'width', '8'),
        ('settings', 'width', 8.0),
        ('settings', 'n_levels', 0),
        ('settings', 'n_groups', 3),
        ('settings', 'condition_width', None),
        ('settings', 'colour', 'red'),
    ],
)
def test_a_card_no_network_can_be_made_of_is_refused_by_field(path, place, name, value):
    change_card(path, place, {name: value})
    (problem,) = problems(path)
    assert problem.file == 'tiny.json'
    assert (problem.field == name and problem.expected) or name in problem.found


def test_all_fields_of_a_card_no_network_can_be_made_of_are_named(path):
    change_card(path, 'features', {'roughness': 'true', 'smoothings': [1]})
    change_card(path, 'settings', {'width': '8', 'n_levels': 0})
    assert [(p.field, p.found) for p in problems(path)] == [
        ('smoothings', '(1,)'),
        ('roughness', "'true'"),
        ('width', "'8'"),
        ('n_levels', '0'),
    ]


def change_card(path, place, values):
    card = json.loads(path.with_suffix('.json').read_text())
    settings = card['settings']
    (settings['features'] if place == 'features' else settings).update(values)
    path.with_suffix('.json').write_text(json.dumps(card))


@pytest.mark.parametrize('content', ['[' * 100_000, '[]', 'null', '{"settings": {}}'])
def test_what_is_no_card_is_refused(path, content):
    path.with_suffix('.json').write_text(content)
    (problem,) = problems(path)
    assert problem.file == 'tiny.json'


def test_what_is_no_tensor_file_is_refused_though_its_checksum_is_right(path, monkeypatch):
    monkeypatch.setattr(safetensors.torch, 'save', lambda tensors: b'not tensors')
    save_weights(network(), CARD, path.parent)
    (problem,) = problems(path)
    assert 'not readable' in problem.found


def test_a_card_tells_licence_use_limits_and_training(path):
    card = json.loads(path.with_suffix('.json').read_text())
    assert card['licence'] == 'Apache-2.0'
    assert {'intended_use', 'limits', 'seed', 'commit', 'loss', 'n_steps', 'wall_time', 'device',
            'metrics', 'settings', 'training_range', 'sha256'} <= set(card)  # fmt: skip
