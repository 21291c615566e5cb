"""Scores say of estimates what is true of them."""

import math

import pytest
import torch

from aslprep_nn.evaluation.conditions import Condition, measured
from aslprep_nn.evaluation.estimators import Estimates, Family, Key
from aslprep_nn.evaluation.scores import (
    Parameter,
    Region,
    Results,
    Sums,
    Truth,
    bootstrap_ratio,
)

CBF, ATT = Parameter
BRAIN = Region.BRAIN


@pytest.fixture(scope='module')
def truth(brains):
    (batch,) = measured(brains, Condition(5.0), 0)
    return Truth.of(brains, batch)


def off(truth, sd, *, bias=0.0, stated=1.0, n_draws=2):
    """Estimates with a normal error of ``sd`` bounds, and a standard deviation that says so."""
    unit = truth.bound.sqrt().unsqueeze(1)
    generator = torch.Generator().manual_seed(0)
    shape = (2, n_draws, *truth.values.shape[1:])
    error = sd * unit * torch.randn(shape, generator=generator) + bias * unit
    return Estimates(truth.values.unsqueeze(1) + error, (stated * sd * unit).expand(shape))


def test_an_oracle_errs_nowhere_and_its_intervals_always_hold(truth):
    sums = Sums.of(off(truth, 0.0), truth)
    for parameter in Parameter:
        score = sums.score(parameter, BRAIN)
        assert score.n == truth.regions[BRAIN].sum()
        assert (score.rmse, score.mae, score.bias, score.loss, score.bias_per_bound) == (0,) * 5
    sure = off(truth, 0.0)._replace(std=torch.ones_like(off(truth, 0.0).values))
    score = Sums.of(sure, truth).score(CBF, BRAIN)
    assert (score.within_68, score.within_95) == (1, 1)


def test_errors_of_the_size_they_claim_are_covered_as_claimed(truth):
    score = Sums.of(off(truth, 1.0), truth).score(CBF, BRAIN)
    assert score.within_68 == pytest.approx(0.68, abs=0.02)
    assert score.within_95 == pytest.approx(0.95, abs=0.01)
    assert score.loss == pytest.approx(1, rel=0.05)
    overconfident = Sums.of(off(truth, 1.0, stated=0.5), truth).score(CBF, BRAIN)
    assert overconfident.within_68 == pytest.approx(0.38, abs=0.02)


def test_two_draws_tell_bias_from_scatter(truth):
    unbiased = Sums.of(off(truth, 1.0), truth).score(ATT, BRAIN)
    assert unbiased.bias_per_bound < 0.15
    biased = Sums.of(off(truth, 1.0, bias=0.7), truth).score(ATT, BRAIN)
    assert biased.bias_per_bound == pytest.approx(0.7, abs=0.05)
    assert biased.bias > 0


def test_a_missing_estimate_counts_as_the_median_of_the_others(truth):
    found = off(truth, 0.0)
    found.values[ATT, :, :, ::2] = torch.nan
    score = Sums.of(found, truth).score(ATT, BRAIN)
    assert score.missing == pytest.approx(0.5, abs=0.05)
    spread = truth.values[ATT][truth.regions[BRAIN]].std().item()
    assert 0.3 * spread < score.rmse < spread
    assert Sums.of(found, truth).score(CBF, BRAIN).missing == 0


def test_an_estimator_without_intervals_has_no_coverage(truth):
    found = off(truth, 1.0)
    score = Sums.of(found._replace(std=torch.full_like(found.std, torch.nan)), truth)
    assert math.isnan(score.score(CBF, BRAIN).within_68)
    assert math.isfinite(score.score(CBF, BRAIN).rmse)


def test_tissues_and_their_boundary_make_up_the_brain(truth):
    tissues = truth.regions[[Region.GRAY_MATTER, Region.WHITE_MATTER, Region.BOUNDARY]]
    assert torch.equal(tissues.sum(0), truth.regions[BRAIN].long())
    assert all(one.any() for one in tissues)
    assert Sums.of(off(truth, 1.0), truth).score(CBF, Region.LESION).n == 0


def test_the_best_setting_has_the_least_error_for_each_parameter(truth):
    family = Family.SMOOTHED
    sums = {Key(family, (sd,)): Sums.of(off(truth, sd), truth) for sd in (2.0, 0.5, 1.0)}
    results = Results(Condition(5.0), sums)
    assert results.best_setting(family, CBF, BRAIN) == Key(family, (0.5,))
    assert results.score(family, CBF, BRAIN).rmse == pytest.approx(
        sums[Key(family, (0.5,))].score(CBF, BRAIN).rmse
    )


def test_the_ratio_of_an_estimator_to_itself_is_one(truth):
    one, two = (Sums.of(off(truth, sd), truth) for sd in (1.0, 2.0))
    assert tuple(one.ratio(one, CBF, BRAIN)) == (1, 1, 1)
    assert one.ratio(two, CBF, BRAIN).value == pytest.approx(0.5)


def test_the_bootstrap_interval_holds_the_true_ratio_as_often_as_it_says():
    generator = torch.Generator().manual_seed(0)
    n_trials, n_phantoms, held = 300, 48, 0
    for _ in range(n_trials):
        weight = torch.randn(n_phantoms, generator=generator).exp()
        spread = 0.3 * torch.randn(n_phantoms, generator=generator)
        ratio = bootstrap_ratio(0.64 * weight * (1 + spread), weight, root=True)
        held += ratio.low <= 0.8 <= ratio.high
    assert 0.88 < held / n_trials < 0.98
