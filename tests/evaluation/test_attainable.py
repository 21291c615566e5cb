"""The least loss is that of the best estimator there can be."""

import pytest
import torch

from aslprep_nn.evaluation.attainable import (
    Possible,
    best_estimate,
    everything_possible,
    least_loss,
)
from aslprep_nn.evaluation.conditions import Condition
from aslprep_nn.evaluation.phantoms import voxelwise
from aslprep_nn.evaluation.scores import Parameter, Region
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.simulation.held_out import HELD_OUT_PROTOCOLS

GOOD, POOR = 'PCASL and VSASL, 6 delays each', 'PASL, 8 inversion times'


def test_the_estimate_is_the_posterior_mean_weighted_by_the_inverse_bound():
    values = torch.tensor([[10.0, 20.0, 60.0], [1.0, 2.0, 3.0]]).double()
    signal = torch.tensor([[0.1, 0.2, 0.6]]).double()
    bound = torch.tensor([[1.0, 2.0, 4.0], [1.0, 1.0, 1.0]]).double()
    data, sd = torch.tensor([[0.25]]).double(), 0.1
    density = torch.exp(-((0.25 - signal[0]) ** 2) / (2 * sd**2))
    expected = [
        (density * x / w).sum() / (density / w).sum() for x, w in zip(values, bound, strict=True)
    ]
    precision = torch.tensor([[1 / sd**2]]).double()
    found = best_estimate(data, precision, Possible(values, signal), bound)
    assert found.squeeze(1).tolist() == pytest.approx([one.item() for one in expected])


def test_everything_that_voxels_are_drawn_from_is_possible():
    possible = everything_possible(SignalModel.of(HELD_OUT_PROTOCOLS[GOOD]))
    cbf, att = possible.values
    assert (cbf.min().item(), cbf.max().item()) == pytest.approx((0.5, 119.5))
    assert (att.min().item(), att.max().item()) == pytest.approx((0.205, 2.595), abs=1e-3)
    assert cbf.mean().item() == pytest.approx(60.0)
    assert possible.signal.shape == (12, len(cbf))


def test_where_much_is_measured_nothing_beats_the_bound(brains):
    found = least_loss(voxelwise(brains, 2), Condition(25.0, GOOD), 5)
    for parameter in Parameter:
        assert found[parameter] == pytest.approx(1, abs=0.1)


def test_where_arrival_is_not_told_even_the_best_estimator_misses_the_bound(brains):
    found = least_loss(voxelwise(brains, 2), Condition(10.0, POOR), 5)
    assert found[Parameter.CBF] > 2
    assert found[Parameter.ATT] > 1.5


def test_no_estimator_of_the_evaluation_goes_below(tiny_evaluation):
    found = tiny_evaluation.found
    for results, least in zip(found.voxelwise, found.least_losses, strict=True):
        for parameter in Parameter:
            losses = [
                results.score(family, parameter, Region.BRAIN).loss for family in results.families
            ]
            assert least[parameter] < min(losses)
