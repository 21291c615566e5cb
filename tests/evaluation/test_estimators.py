"""The estimators that are compared are what they are called."""

import math

import pytest
import torch

from aslprep_nn.estimation.hybrid import fit_hybrid
from aslprep_nn.evaluation.conditions import Condition, measured
from aslprep_nn.evaluation.estimators import (
    Family,
    Key,
    estimate_all,
    least_squares,
    middle_slices,
)
from aslprep_nn.evaluation.experiments import run_condition
from aslprep_nn.evaluation.scores import Parameter, Region
from aslprep_nn.simulation.lesions import MOST_FLOW


@pytest.fixture(scope='module')
def batch(brains):
    (one,) = measured(brains, Condition(5.0), 0)
    return one


@pytest.fixture(scope='module')
def found(batch, a_network):
    return estimate_all(batch, a_network(), total_variation=True)


def test_every_family_is_there_and_estimates_inside_the_mask_only(found, batch):
    assert {key.family for key in found} == set(Family)
    outside = ~batch.mask[:, 1]
    for key, one in found.items():
        assert one.values.shape == (2, 2, *outside.shape)
        assert one.values[:, :, outside].isnan().all(), key


def test_without_a_network_there_are_no_columns_of_it(batch):
    families = {key.family for key in estimate_all(batch, None)}
    assert not families & {Family.LEAST_ERROR, Family.LEAST_BIAS, Family.TOTAL_VARIATION}


def test_an_untrained_network_is_the_posterior_mean_at_both_ends(found):
    expected = found[Key(Family.POSTERIOR)].values
    for family in (Family.LEAST_ERROR, Family.LEAST_BIAS):
        difference = (found[Key(family)].values - expected).nan_to_num(0)
        assert difference[0].abs().max() < 1e-2
        assert difference[1].abs().max() < 1e-4


def test_a_pair_of_the_hybrid_sweep_is_the_hybrid_fit(found, batch):
    series = middle_slices(batch, 1)
    fit = fit_hybrid(series, att_smoothing=1.5, cbf_smoothing=0.5)
    values = found[Key(Family.HYBRID, (1.5, 0.5))].values[:, 1][:, series.inside]
    assert torch.allclose(values[1], fit.parameters['att'], equal_nan=True)
    cbf = fit.parameters['cbf'].clamp(min=0, max=MOST_FLOW)
    assert torch.allclose(values[0], cbf, equal_nan=True)


def test_smoothing_by_nothing_is_least_squares_and_flow_is_bounded(found, batch):
    plain = found[Key(Family.LEAST_SQUARES)].values
    assert torch.equal(
        plain.nan_to_num(-1), found[Key(Family.SMOOTHED, (0.0,))].values.nan_to_num(-1)
    )
    shipped = found[Key(Family.AS_SHIPPED)].values
    assert torch.equal(plain[0].nan_to_num(-1), shipped[0].clamp(max=MOST_FLOW).nan_to_num(-1))
    fit = least_squares(middle_slices(batch, 0).measurements())
    inside = middle_slices(batch, 0).inside
    assert torch.equal(shipped[0, 0][inside], fit.parameters['cbf'])


def test_least_squares_is_unbiased_and_efficient_at_high_snr(brains):
    score = run_condition(brains, Condition(50.0), None, 0)
    for parameter in Parameter:
        plain = score.score(Family.LEAST_SQUARES, parameter, Region.BRAIN)
        chance = 1 / math.sqrt(plain.n)
        assert plain.bias_per_bound**2 < 4 * chance
        assert plain.loss == pytest.approx(1, abs=0.25)
        smooth = score.sums[Key(Family.SMOOTHED, (2.0,))].score(parameter, Region.BRAIN)
        assert smooth.bias_per_bound > 10 * plain.bias_per_bound
