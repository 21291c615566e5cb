"""Each loss has the expectation it claims, on estimators whose distribution is known."""

import math
from dataclasses import replace

import pytest
import torch

from aslprep_nn.errors import UsageError
from aslprep_nn.network.losses import (
    BiasReducedError,
    BiasVarianceError,
    BoundWeightedError,
    MeanSquaredError,
    Target,
    amplitude_error,
    gaussian_likelihood,
)

SHAPE = (200, 200)
TRUTH, BOUND = (60.0, 1.2), (25.0, 0.01)


def constant(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None, None].expand(-1, *SHAPE).clone()


def target(dial=1.0):
    return Target(constant(*TRUTH), constant(*BOUND), torch.ones(SHAPE).bool(), torch.tensor(dial))


def draws_of(n_draws, bias=0.0, spread=1.0, seed=0):
    """Draw estimates with bias and spread in units of the bound's standard deviation."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(n_draws, 2, *SHAPE, generator=generator, dtype=torch.float64)
    return constant(*TRUTH) + (bias + spread * noise) * constant(*BOUND).sqrt()


def value(loss, draws, dial=1.0):
    return loss(draws, target(dial)).item()


def test_the_bound_weighted_loss_is_one_for_an_efficient_estimator():
    assert value(BoundWeightedError(), draws_of(2)) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(('bias', 'spread'), [(0.5, 1.0), (0.0, 2.0), (1.0, 0.5)])
def test_the_bound_weighted_loss_is_squared_bias_plus_variance(bias, spread):
    found = value(BoundWeightedError(), draws_of(2, bias, spread))
    assert found == pytest.approx(bias**2 + spread**2, rel=0.03)


def test_mean_squared_error_does_not_know_the_bound():
    found = value(MeanSquaredError((10.0, 0.1)), draws_of(2))
    assert found == pytest.approx((25 / 100 + 0.01 / 0.01) / 2, rel=0.02)


@pytest.mark.parametrize('dial', [1.0, 2.0, 8.0])
@pytest.mark.parametrize(('bias', 'spread'), [(0.0, 1.0), (0.7, 1.0), (1.0, 0.3)])
def test_two_draws_tell_squared_bias_from_variance(bias, spread, dial):
    found = value(BiasVarianceError(), draws_of(2, bias, spread), dial)
    expected = ((dial * bias) ** 2 + spread**2) / dial
    assert found == pytest.approx(expected, rel=0.03, abs=0.05)


def test_the_two_draw_loss_at_dial_one_is_the_bound_weighted_loss():
    draws = draws_of(2, 0.4)
    weighted = value(BoundWeightedError(), draws)
    assert value(BiasVarianceError(), draws) == pytest.approx(weighted, rel=1e-12)


@pytest.mark.parametrize('n_draws', [2, 4, 20])
def test_the_bias_reduced_loss_sees_no_bias_where_there_is_none(n_draws):
    found = value(BiasReducedError(penalty=0), draws_of(n_draws))
    assert found == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(('limit', 'penalty'), [(1.0, 1.0), (1.0, 0.1), (2.0, 1.0)])
def test_the_bias_reduced_loss_pays_for_variance_beyond_its_limit(limit, penalty):
    loss = BiasReducedError(penalty=penalty, limit=limit)
    found = value(loss, draws_of(100, bias=0.6, spread=2.0))
    assert found == pytest.approx(0.36 + penalty * (4 - limit), rel=0.05)


def test_the_bias_reduced_loss_does_not_reward_less_variance_than_its_limit():
    loss = BiasReducedError()
    assert value(loss, draws_of(100, spread=0.6)) == pytest.approx(0, abs=0.01)
    assert value(loss, draws_of(100, spread=0.2)) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize('loss', [BiasReducedError(), BiasVarianceError()])
def test_one_draw_cannot_tell_bias_from_variance(loss):
    with pytest.raises(UsageError, match='at least 2'):
        loss(draws_of(1), target())


@pytest.mark.parametrize(
    'loss',
    [MeanSquaredError(), BoundWeightedError(), BiasReducedError(), BiasVarianceError()],
    ids=lambda loss: type(loss).__name__,
)
def test_voxels_outside_the_mask_count_for_nothing(loss):
    aim, draws = target(), draws_of(2, 0.5)
    expected = loss(draws[..., :100, :], Target(*(part[..., :100, :] for part in aim_parts(aim))))
    aim.mask[100:] = False
    draws[..., 100:, :] = torch.nan
    torch.testing.assert_close(loss(draws, aim), expected)


def aim_parts(aim):
    return aim.truth, aim.bound, aim.mask, aim.dial.expand(SHAPE)


def test_a_batch_may_have_a_dial_for_each_image():
    parts = aim_parts(target())[:3]
    truth, bound = (part.unsqueeze(1).expand(-1, 2, *SHAPE) for part in parts[:2])
    dials = torch.tensor([1.0, 8.0])[:, None, None]
    both = Target(truth, bound, parts[2].expand(2, *SHAPE), dials)
    draws = draws_of(2, 0.5)
    found = BiasVarianceError()(torch.stack([draws, draws], 2), both).item()
    apart = [value(BiasVarianceError(), draws, dial) for dial in (1.0, 8.0)]
    assert found == pytest.approx(sum(apart) / 2)


def test_the_likelihood_is_best_at_the_root_mean_square_of_the_errors():
    draws = draws_of(1, bias=0.5, spread=1.0)
    log_factor = torch.zeros(2, 1, 1, dtype=torch.float64, requires_grad=True)
    bound, rms = constant(*BOUND), math.sqrt(1 + 0.25)

    def slope(factor):
        stds = factor * bound.sqrt() * log_factor.exp()
        (gradient,) = torch.autograd.grad(
            gaussian_likelihood(draws, stds[None], target()), log_factor
        )
        return gradient

    assert slope(rms).abs().max() < 0.01
    assert (slope(0.8 * rms) < -0.1).all()
    assert (slope(1.3 * rms) > 0.1).all()


def test_the_likelihood_teaches_nothing_but_standard_deviations():
    draws = draws_of(1).requires_grad_()
    stds = torch.ones_like(draws).requires_grad_()
    gaussian_likelihood(draws, stds, target()).backward()
    assert draws.grad is None
    assert stds.grad.abs().max() > 0


def test_an_error_that_is_hardly_noise_widens_an_interval_in_proportion_to_its_size():
    """Squared, one error of a hundred standard deviations would outweigh ten thousand others."""

    def pull(size):
        aim = target()
        draws = aim.truth.clone()[None]
        draws[:, :, 0, 0] += size
        factor = torch.zeros((), dtype=torch.float64, requires_grad=True)
        stds = torch.ones_like(draws) * factor.exp()
        (slope,) = torch.autograd.grad(gaussian_likelihood(draws, stds, aim), factor)
        return 1 - slope.item()

    assert pull(2.0) == pytest.approx(4 * pull(1.0))
    assert pull(100.0) == pytest.approx(10 * pull(10.0), rel=0.01)


def test_the_amplitude_error_is_the_relative_error_of_the_mean():
    aim = target()
    aim.mask[:, 50:] = False
    assert amplitude_error(1.2 * aim.truth[:1], aim).item() == pytest.approx(0.04)
    spread = aim.truth[:1].clone()
    spread[0, :100] *= 1.5
    spread[0, 100:] *= 0.5
    assert amplitude_error(spread, aim).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize('loss', [BoundWeightedError(), BiasVarianceError(), BiasReducedError()])
def test_balanced_phantoms_pull_alike_however_well_they_can_be_estimated(loss):
    """The second phantom errs tenfold, and so would its pull on the network."""
    generator = torch.Generator().manual_seed(1)
    errors = torch.randn(2, 2, 2, 3, 40, 40, generator=generator, dtype=torch.float64)
    errors[:, :, 1] *= 10
    zero, inside = torch.zeros(2, 2, 3, 40, 40).double(), torch.ones(2, 3, 40, 40).bool()
    inside[0, :, :20] = False
    goal = Target(zero, torch.ones_like(zero), inside, torch.ones(2, 1, 1, 1))
    pulls = []
    for balance in (0.0, 1.0):
        draws = errors.clone().requires_grad_()
        loss(draws, goal, balance=balance).backward()
        assert float(draws.grad[:, :, 0, :, :20].abs().max()) == 0
        relative = (draws.grad * errors).abs().sum((0, 1, 3, 4, 5))
        pulls.append(float(relative[1] / relative[0]))
    assert pulls[0] > 50
    assert 0.3 < pulls[1] < 3


def test_what_matters_not_teaches_no_standard_deviation():
    found, goal = draws_of(2), target()
    stds = torch.ones_like(found).requires_grad_()
    counts = torch.ones(SHAPE)
    counts[..., :100, :], counts[..., 100:, :] = 0.0, 3.0
    gaussian_likelihood(found, stds, replace(goal, importance=counts)).backward()
    plain = torch.ones_like(found).requires_grad_()
    gaussian_likelihood(found, plain, goal).backward()
    assert not stds.grad[..., :100, :].any()
    torch.testing.assert_close(stds.grad[..., 100:, :], 3 * plain.grad[..., 100:, :])


def test_a_balanced_loss_of_an_efficient_estimator_is_one():
    found = draws_of(2).unflatten(2, (20, 10))
    goal = target()
    goal = Target(
        *(part.unflatten(1, (20, 10)) for part in (goal.truth, goal.bound)),
        goal.mask.unflatten(0, (20, 10)),
        goal.dial,
    )
    assert BoundWeightedError()(found, goal, balance=1.0).item() == pytest.approx(1, abs=0.03)
