"""Steps within one interval, with the exact model."""

import pytest
import torch

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.estimation.gauss_newton import descend, gauss_newton_step
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.signal.model import SignalModel

PCASL = Acquisition(LabelingType.PCASL, (0.5, 1.0, 1.5, 2.0, 2.5, 3.0), (1.8,) * 6, 0.85)
MODEL = SignalModel.of([PCASL])
FROM_1_TO_1_5 = torch.tensor([1.0]).double(), torch.tensor([1.5]).double()


def measured(cbf, att, noise=0.0):
    point = torch.tensor([cbf]).double(), torch.tensor([att]).double()
    signal = MODEL.linearize(*point).delta_m.mT
    generator = torch.Generator().manual_seed(2)
    signal = signal + noise * torch.randn(signal.shape, generator=generator)
    return Repetitions.of([PCASL]).summarize(signal)


def start(cbf, att):
    return torch.tensor([cbf]).double(), torch.tensor([att]).double()


def test_one_step_from_close_by_is_exact_to_the_fourth_power_of_its_length():
    data = measured(60.0, 1.2)
    solution, _ = gauss_newton_step(MODEL, data, start(62.0, 1.23), FROM_1_TO_1_5)
    assert solution.cbf.item() == pytest.approx(60.0, rel=1e-3)
    assert solution.att.item() == pytest.approx(1.2, abs=2e-3)


def test_from_far_away_steps_go_on_until_nothing_is_gained():
    solution = descend(MODEL, measured(60.0, 1.2), start(150.0, 1.45), FROM_1_TO_1_5)
    assert solution.cbf.item() == pytest.approx(60.0, rel=1e-6)
    assert solution.att.item() == pytest.approx(1.2, abs=1e-6)


def test_the_cost_is_that_of_the_point():
    data = measured(60.0, 1.2, noise=1e-3)
    solution = descend(MODEL, data, start(65.0, 1.3), FROM_1_TO_1_5)
    misfit = data.mean - MODEL.linearize(solution.cbf, solution.att).delta_m
    assert solution.cost.item() == pytest.approx(misfit.square().sum().item(), rel=1e-6)


def test_att_stops_at_the_edge_and_cbf_is_solved_for_it():
    data = measured(60.0, 1.8)
    solution = descend(MODEL, data, start(60.0, 1.4), FROM_1_TO_1_5)
    assert solution.att.item() == 1.5
    beside = [
        (data.mean - MODEL.linearize(c, solution.att, FROM_1_TO_1_5[0] + 0.25).delta_m)
        .square()
        .sum()
        for c in (solution.cbf * 0.999, solution.cbf, solution.cbf * 1.001)
    ]
    assert beside[1] < beside[0]
    assert beside[1] < beside[2]


def test_a_start_outside_the_interval_is_moved_into_it():
    solution = descend(MODEL, measured(60.0, 1.2), start(60.0, 0.7), FROM_1_TO_1_5)
    assert solution.att.item() == pytest.approx(1.2, abs=1e-6)


def test_cbf_never_becomes_negative():
    data = Repetitions.of([PCASL]).summarize(torch.full((1, 6), -0.01).double())
    solution = descend(MODEL, data, start(5.0, 1.2), FROM_1_TO_1_5)
    assert solution.cbf.item() == 0
