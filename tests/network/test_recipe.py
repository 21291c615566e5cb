"""A recipe says how a network is trained, and a wrong one is refused by name."""

import pytest

from aslprep_nn.errors import UsageError
from aslprep_nn.network.losses import BiasReducedError
from aslprep_nn.network.model import AmplitudePath
from aslprep_nn.network.recipe import LossName, TrainingRecipe, read_recipe, recipe_of


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path):
    path = tmp_path / 'recipe.toml'
    path.write_text('loss = "bias_reduced"\namplitude_path = "none"\nbound_floor = [0.0, 0.1]\n')
    recipe = read_recipe(path)
    assert recipe == TrainingRecipe(
        loss=LossName.BIAS_REDUCED, amplitude_path=AmplitudePath.NONE, bound_floor=(0.0, 0.1)
    )
    assert isinstance(recipe.loss.loss, BiasReducedError)
    assert recipe.network.amplitude_path is AmplitudePath.NONE


def test_a_recipe_survives_being_written_as_plain_values():
    recipe = TrainingRecipe(seed=3, loss=LossName.MEAN_SQUARED, bound_floor=(0.5, 0.25))
    assert recipe_of(recipe.as_record(), 'record') == recipe


@pytest.mark.parametrize(
    ('content', 'fields'),
    [
        ('sead = 1', ['sead']),
        ('loss = "hinge"', ['loss']),
        ('n_steps = -1', ['n_steps']),
        ('n_steps = 1.5', ['n_steps']),
        ('n_steps = true', ['n_steps']),
        ('learning_rate = "fast"', ['learning_rate']),
        ('bound_floor = [0.1]', ['bound_floor']),
        ('bound_floor = 0.1', ['bound_floor']),
        ('voxelwise = 1.5\nfine_structure = -0.1', ['voxelwise', 'fine_structure']),
        ('n_steps = "many"\nwidth = []\ncolour = 1', ['n_steps', 'width', 'colour']),
    ],
)
def test_every_wrong_line_is_named_at_once(tmp_path, content, fields):
    path = tmp_path / 'recipe.toml'
    path.write_text(content)
    with pytest.raises(UsageError) as caught:
        read_recipe(path)
    assert [problem.field for problem in caught.value.problems] == fields
    assert all(problem.file == str(path) for problem in caught.value.problems)


@pytest.mark.parametrize('content', [None, b'a = = b', b'\xff\xfe'])
def test_what_is_no_recipe_is_refused(tmp_path, content):
    path = tmp_path / 'recipe.toml'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match='unreadable'):
        read_recipe(path)
