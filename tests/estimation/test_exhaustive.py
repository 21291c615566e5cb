"""The slow search that judges the fitter."""

import torch

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.estimation.exhaustive import search_exhaustively
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.signal.model import SignalModel

PCASL = Acquisition(LabelingType.PCASL, (0.5, 1.0, 1.5, 2.0, 2.5, 3.0), (1.8,) * 6, 0.85)


def test_the_truth_is_found_without_noise(draw):
    model = SignalModel.of([PCASL])
    cbf, att = draw(40, 20, 900, 1), draw(40, 0.55, 3.5, 2)
    data = Repetitions.of([PCASL]).summarize(model.linearize(cbf, att).delta_m.mT)
    found = search_exhaustively(model, data, (0.5, 4.0))
    torch.testing.assert_close(found[0], cbf, rtol=1e-4, atol=0)
    torch.testing.assert_close(found[1], att, rtol=0, atol=1e-5)
    assert (found[2] < 1e-12 * data.energy).all()


def test_no_random_point_costs_less(draw):
    model = SignalModel.of([PCASL])
    generator = torch.Generator().manual_seed(5)
    noisy = 0.003 * torch.randn(1, 6, generator=generator).double() + 0.003
    data = Repetitions.of([PCASL]).summarize(noisy)
    least = search_exhaustively(model, data, (0.0, 4.0))[2]
    cbf, att = draw(20000, 0, 300, 3), draw(20000, 0, 4, 4)
    cost = (data.mean - model.linearize(cbf, att).delta_m).square().sum(0)
    assert least.item() <= cost.min().item()
