"""The whole measurement vector of a voxel."""

from dataclasses import replace

import pytest
import torch

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.signal.kinetics import linearize
from aslprep_nn.signal.model import Direction, SignalModel
from aslprep_nn.signal.protocol import Protocol

PCASL = Acquisition(LabelingType.PCASL, (0.5, 1.0, 2.0), (1.8,) * 3, 0.85)
VSASL = Acquisition(LabelingType.VSASL, (0.5, 1.5), (1.0,) * 2, 0.56)
CBF = torch.tensor([40.0, 70.0], dtype=torch.float64)
ATT = torch.tensor([0.7, 1.3], dtype=torch.float64)


def test_two_ways_of_labelling_are_stacked():
    both = SignalModel.of([PCASL, VSASL]).linearize(CBF, ATT)
    parts = [linearize(CBF, ATT, Protocol.of(a)) for a in (PCASL, VSASL)]
    for stacked, terms in zip(both, zip(*parts, strict=True), strict=True):
        torch.testing.assert_close(stacked, torch.cat(terms, -1).mT)


def test_kinks_of_all_parts_are_listed_in_order():
    kinks = SignalModel.of([PCASL, VSASL]).kinks().tolist()
    assert kinks == sorted([0.5, 1.0, 2.0, 2.3, 2.8, 3.8, 0.5, 1.5])


def test_the_derivative_in_t1_uses_each_part_s_own_t1():
    model = SignalModel.of([PCASL, VSASL], t1_tissue=torch.tensor([1.0, 1.4]))
    signal = model.linearize(CBF, ATT)
    step = 1e-5
    later = SignalModel.of([PCASL, VSASL], t1_tissue=torch.tensor([1.0, 1.4]).double() + step)
    numeric = (later.linearize(CBF, ATT).delta_m - signal.delta_m) / step
    torch.testing.assert_close(model.d_t1_tissue(signal), numeric, rtol=1e-3, atol=1e-8)


@pytest.mark.parametrize('nuisance', [None, Direction(torch.ones(5, 1), torch.ones(5, 1))])
def test_the_signal_alone_is_that_of_the_linearisation(nuisance):
    model = replace(SignalModel.of([PCASL, VSASL]), nuisance=nuisance)
    torch.testing.assert_close(model.predict(CBF, ATT), model.linearize(CBF, ATT).delta_m)


def test_keeping_voxels_keeps_their_t1():
    model = SignalModel.of([PCASL], t1_tissue=torch.tensor([1.0, 1.4]))
    whole = model.linearize(CBF, ATT).delta_m
    second = model.at(torch.tensor([1])).linearize(CBF[1:], ATT[1:]).delta_m
    torch.testing.assert_close(whole[:, 1:], second)


def test_a_nuisance_is_projected_out_of_everything_predicted():
    weight = torch.tensor([[1.0], [2.0], [0.5]], dtype=torch.float64)
    nuisance = Direction(torch.tensor([[1.0], [1.0], [0.0]], dtype=torch.float64), weight)
    signal = SignalModel.of([PCASL]).without(nuisance).linearize(CBF, ATT)
    for term in signal:
        torch.testing.assert_close(
            nuisance.strength_in(term), torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-12
        )


def test_the_strength_of_a_signal_is_its_least_squares_coefficient():
    direction = Direction(torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0], [3.0]]))
    values = torch.tensor([[5.0], [1.0]])
    assert direction.strength_in(values).item() == pytest.approx((5 + 3 * 2) / (1 + 3 * 4))
