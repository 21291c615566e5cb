"""Samples are simulated phantoms, cut, mirrored and padded without changing what is learnt."""

from dataclasses import replace

import pytest
import torch

from aslprep_nn.network.model import AmplitudeAwareNetwork
from aslprep_nn.network.recipe import TrainingRecipe
from aslprep_nn.network.samples import importance_of, mirrored, put_together, simulate
from aslprep_nn.simulation.kinds import SMALL_LESIONS
from aslprep_nn.simulation.training import TrainingSettings, draw_batch

RECIPE = TrainingRecipe(batch=2, slices=1, size=32, width=8, n_levels=2)


@pytest.fixture(scope='module')
def samples():
    return [sample for batch in simulate(RECIPE, range(2)) for sample in batch]


def test_a_batch_is_the_same_whenever_it_is_made(samples):
    (again,) = simulate(RECIPE, range(1, 2))
    for first, second in zip(samples[2:], again, strict=True):
        assert torch.equal(first.given.features, second.given.features)
        assert torch.equal(first.truth, second.truth)
    other = next(simulate(replace(RECIPE, seed=2), range(1)))
    assert not torch.equal(other[0].truth, samples[0].truth)


def test_workers_make_the_same_batches(samples):
    batches = list(simulate(RECIPE, range(2), n_workers=1))
    for first, second in zip(samples, [s for batch in batches for s in batch], strict=True):
        assert torch.equal(first.given.features, second.given.features)
        assert torch.equal(first.bound, second.bound)


def test_a_sample_holds_its_whole_mask_and_little_else(samples):
    for sample in samples:
        assert sample.mask[0].any(1).all() or sample.mask[0].any(0).all()
        assert sample.mask.any(0).any(1)[[0, -1]].all()
        assert sample.mask.any(0).any(0)[[0, -1]].all()
        assert (sample.truth[:, ~sample.mask] == 0).all()


def test_bounds_are_never_below_what_can_be_known(samples):
    for sample in samples:
        relative = sample.bound[0][sample.mask].sqrt() / sample.truth[0][sample.mask]
        assert relative.min() >= RECIPE.bound_floor[0] * (1 - 1e-5)
        assert sample.bound[1][sample.mask].min() >= RECIPE.bound_floor[1] ** 2 * (1 - 1e-5)


def test_the_posterior_mean_is_nowhere_further_off_than_tolerated_on_average(samples):
    exact = replace(RECIPE, tolerance=0.5)
    (batch,) = simulate(exact, range(1))
    for tolerant, strict in zip(samples, batch, strict=False):
        assert (strict.bound >= tolerant.bound).all()
        assert strict.bound[0][strict.mask].mean() > 1.5 * tolerant.bound[0][strict.mask].mean()


def test_foci_count_most_in_the_likelihood_and_wrong_constants_not_at_all():
    dice = torch.Generator().manual_seed(3)
    settings = TrainingSettings(4, (1, 32, 32), n_lesions=30, known_physics=1.0)
    batch = draw_batch(settings, dice)
    counts = importance_of(batch, 30.0)
    small = torch.isin(batch.lesion, torch.tensor([kind.number for kind in SMALL_LESIONS]))
    assert small.any()
    assert (counts[small] == 30).all()
    assert (counts[~small] == 1).all()
    wrong = draw_batch(replace(settings, known_physics=0.0), dice)
    assert not importance_of(wrong, 30.0).any()


@pytest.mark.parametrize('axes', [(-2,), (-1,), (-2, -1)])
def test_mirroring_twice_changes_nothing(samples, axes):
    there = mirrored(samples[0], axes)
    back = mirrored(there, axes)
    assert not torch.equal(there.truth, samples[0].truth)
    assert torch.equal(there.truth, samples[0].truth.flip(axes))
    assert torch.equal(back.given.features, samples[0].given.features)
    assert torch.equal(back.given.posterior.att, samples[0].given.posterior.att)


def test_padding_changes_no_estimate(samples):
    torch.manual_seed(0)
    network = AmplitudeAwareNetwork(RECIPE.network)
    torch.nn.init.normal_(network.head.weight)
    sizes = {sample.size for sample in samples}
    assert len(sizes) > 1
    both = put_together(samples, torch.ones(len(samples)))
    together = network(both.given, torch.ones(len(samples), 2))
    for i, sample in enumerate(samples):
        alone = network(put_together([sample], torch.ones(1)).given, torch.ones(1, 2))
        width, height = sample.size
        inside = together.amplitude[i, ..., :width, :height]
        torch.testing.assert_close(inside, alone.amplitude[0], rtol=1e-3, atol=1e-2)
        assert torch.equal(both.target.mask[i, ..., :width, :height], sample.mask)
        assert both.target.mask[i].sum() == sample.mask.sum()
