"""Training improves what it is judged by, and can be interrupted without a trace."""

from dataclasses import replace

import pytest
import torch

from aslprep_nn.cli.tools.train import card_of
from aslprep_nn.errors import UsageError, WeightsError
from aslprep_nn.network.features import FeatureSettings, network_input
from aslprep_nn.network.learner import Learner, learning_rate
from aslprep_nn.network.model import AmplitudeAwareNetwork
from aslprep_nn.network.recipe import LossName, Precision, TrainingRecipe
from aslprep_nn.network.samples import mirrored, simulate
from aslprep_nn.network.training import CHECKPOINT, check, pick, train
from aslprep_nn.network.weights import load_weights, save_weights

RECIPE = TrainingRecipe(
    n_steps=6,
    n_warmup=2,
    n_phantoms=2,
    batch=2,
    slices=1,
    size=32,
    pool=2,
    renewal=2,
    width=8,
    n_levels=2,
    precision=Precision.SINGLE,
    # what a hundred steps can learn from
    voxelwise=0.08,
    fine_structure=0.0,
)


@pytest.fixture(scope='module')
def checks():
    return [sample for batch in simulate(RECIPE, range(90, 93)) for sample in batch]


@pytest.fixture(scope='module', autouse=True)
def few_checks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('aslprep_nn.network.training.N_CHECKS', 1)
        yield


def weights_of(learner):
    return torch.cat([p.flatten() for p in learner.averaged.parameters()])


def test_a_training_in_pieces_gives_the_weights_of_one_in_a_single_go(tmp_path):
    whole = train(RECIPE, tmp_path / 'whole', n_workers=0)
    for last in (3, 6):
        pieces = train(RECIPE, tmp_path / 'pieces', n_workers=0, last_step=last)
        assert pieces.step == last
    assert torch.equal(weights_of(whole), weights_of(pieces))
    assert [c['step'] for c in pieces.history] == [0, 3, 6]
    assert pieces.history[-1]['seconds'] > pieces.history[1]['seconds'] > 0


def test_a_finished_training_is_not_begun_again(tmp_path):
    train(RECIPE, tmp_path, n_workers=0)
    told = []
    again = train(RECIPE, tmp_path, n_workers=0, listener=lambda *words: told.append(words))
    assert again.step == RECIPE.n_steps
    assert not told


def test_another_recipe_does_not_go_on_from_a_checkpoint(tmp_path):
    train(RECIPE, tmp_path, n_workers=0, last_step=1)
    with pytest.raises(UsageError, match='learning_rate'):
        train(replace(RECIPE, learning_rate=1.0), tmp_path, n_workers=0)
    assert (tmp_path / CHECKPOINT).exists()


def test_a_checkpoint_of_a_network_that_saw_other_features_is_not_gone_on_from(tmp_path):
    train(RECIPE, tmp_path, n_workers=0, last_step=1)
    content = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    content['network']['stem.weight'] = content['network']['stem.weight'][:, :-1]
    torch.save(content, tmp_path / CHECKPOINT)
    with pytest.raises(WeightsError, match=r'checkpoint.pt: stem.weight is of shape'):
        train(RECIPE, tmp_path, n_workers=0)


def test_a_training_goes_on_from_weights_and_says_from_which(tmp_path):
    first = train(RECIPE, tmp_path / 'first', n_workers=0)
    path = save_weights(first.averaged, card_of(first, 'first', 'cpu', 'a commit'), tmp_path)
    recipe = replace(RECIPE, seed=5, learning_rate=0.0, weight_decay=0.0)
    begun = Learner(recipe)
    begun.start_from(load_weights(path))
    torch.testing.assert_close(weights_of(begun), weights_of(first))
    again = train(recipe, tmp_path / 'again', n_workers=0, start=load_weights(path))
    torch.testing.assert_close(weights_of(again), weights_of(first))
    sha256 = load_weights(path).card.sha256
    assert card_of(again, 'again', 'cpu', 'a commit').metrics['started_from'] == sha256
    later = train(recipe, tmp_path / 'again', n_workers=0)  # from its checkpoint
    assert later.started_from == sha256
    assert card_of(first, 'first', 'cpu', 'a commit').metrics['started_from'] == ''


def test_weights_that_were_not_told_roughness_begin_by_ignoring_it(tmp_path, make_brain):
    """Old weights, all of them random, say in a wider network what they said before."""
    torch.manual_seed(1)
    old = AmplitudeAwareNetwork(
        replace(RECIPE.network, features=FeatureSettings(roughness=False))
    ).eval()
    with torch.no_grad():
        for parameter in old.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    first = train(RECIPE, tmp_path, n_workers=0, last_step=1)
    path = save_weights(old, card_of(first, 'old', 'cpu', 'a commit'), tmp_path)
    learner = Learner(RECIPE)
    learner.start_from(load_weights(path))
    series, dial = make_brain().series, torch.tensor(2.0)
    with torch.no_grad():
        before = old(network_input(series, old.settings.features), dial)
        after = learner.averaged.eval()(network_input(series), dial)
    torch.testing.assert_close(after, before)
    learner.averaged.stem.weight.data[:, -RECIPE.network.features.n_roughnesses :] += 0.1
    with torch.no_grad():
        assert not torch.allclose(learner.averaged(network_input(series), dial).att, before.att)


def test_a_checkpoint_with_another_start_is_not_gone_on_from(tmp_path):
    first = train(RECIPE, tmp_path / 'first', n_workers=0, last_step=1)
    path = save_weights(first.averaged, card_of(first, 'first', 'cpu', 'a commit'), tmp_path)
    with pytest.raises(UsageError, match='random weights'):
        train(RECIPE, tmp_path / 'first', n_workers=0, start=load_weights(path))


def test_weights_of_another_shape_are_no_start(tmp_path):
    first = train(RECIPE, tmp_path / 'first', n_workers=0, last_step=1)
    path = save_weights(first.averaged, card_of(first, 'first', 'cpu', 'a commit'), tmp_path)
    wider = replace(RECIPE, width=16)
    with pytest.raises(UsageError, match='width is 8; expected 16'):
        train(wider, tmp_path / 'wider', n_workers=0, start=load_weights(path))


def test_a_training_may_be_made_shorter_or_longer(tmp_path):
    train(RECIPE, tmp_path, n_workers=0, last_step=1)
    assert train(replace(RECIPE, n_steps=2), tmp_path, n_workers=0).step == 2


def test_a_hundred_steps_lower_the_error_on_phantoms_never_seen(checks):
    recipe = replace(RECIPE, n_steps=100, n_warmup=5, learning_rate=1e-2, averaging=0.8)
    learner = Learner(recipe)
    before = check(learner, checks)
    pool = [sample for batch in simulate(recipe, range(8)) for sample in batch]
    for step in range(recipe.n_steps):
        learner.learn(*pick(pool, recipe, step))
    after = check(learner, checks)
    assert after['cbf_1'] < 0.8 * before['cbf_1']
    assert after['att_1'] < before['att_1']


@pytest.mark.parametrize('loss', LossName)
def test_every_loss_changes_the_weights(loss, checks):
    recipe = replace(RECIPE, loss=loss, amplitude=0.1, averaging=0.0)
    learner = Learner(recipe)
    before = weights_of(learner)
    assert torch.isfinite(torch.tensor(learner.learn(checks[:2], torch.ones(2))))
    assert not torch.equal(weights_of(learner), before)


def test_the_signal_that_mirrored_estimates_predict_is_judged_where_it_was_measured(checks):
    plain = Learner(replace(RECIPE, likelihood=0.0))
    physical = Learner(replace(RECIPE, likelihood=0.0, reconstruction=1.0))
    cost = []
    for axes in ((), (-2,), (-2, -1)):
        sample = mirrored(checks[0], axes)
        one = Learner(physical.recipe).learn([sample], torch.ones(1))
        cost.append(one - Learner(plain.recipe).learn([sample], torch.ones(1)))
    assert cost[0] > 0
    assert cost == pytest.approx([cost[0]] * 3, rel=1e-4)


def test_a_step_that_is_not_finite_is_skipped_and_counted(checks):
    learner = Learner(RECIPE)
    before = weights_of(learner)
    broken = replace(checks[0], truth=torch.full_like(checks[0].truth, torch.nan))
    learner.learn([broken], torch.ones(1))
    assert learner.n_skipped == 1
    assert torch.equal(weights_of(learner), before)


def test_the_learning_rate_rises_and_falls():
    recipe = TrainingRecipe(n_steps=100, n_warmup=10, learning_rate=1.0)
    rates = [learning_rate(recipe, step) for step in range(101)]
    assert rates[9] == rates[10] == 1
    assert rates[0] == 0.1
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_the_order_of_phantoms_follows_from_the_step(checks):
    first, again = pick(checks, RECIPE, 4), pick(checks, RECIPE, 4)
    other = pick(checks, RECIPE, 5)
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other[1])
    assert [s.mirrored for s in first[0]] == [s.mirrored for s in again[0]]
