"""Tissue T1 as a third parameter."""

import pytest
import torch

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.errors import UnsupportedError
from aslprep_nn.estimation.tissue_t1 import fit_cbf_att_t1
from aslprep_nn.maps import FitStatus


@pytest.fixture(scope='module')
def truth(draw):
    return {
        'cbf': draw(300, 20, 100, 1),
        'att': draw(300, 0.7, 2.0, 2),
        't1_tissue': draw(300, 0.9, 2.0, 3),
    }


def test_all_three_parameters_are_recovered(pcasl_21, measure, truth):
    signal = measure(pcasl_21, truth['cbf'], truth['att'], t1_tissue=truth['t1_tissue'])
    fit = fit_cbf_att_t1(signal, pcasl_21)
    for name, values in truth.items():
        torch.testing.assert_close(fit.parameters[name], values, rtol=1e-6, atol=1e-6)


def test_errors_are_as_large_as_their_standard_deviations(pcasl_21, measure, truth):
    signal = measure(pcasl_21, truth['cbf'], truth['att'], noise=1e-4, t1_tissue=truth['t1_tissue'])
    fit = fit_cbf_att_t1(signal, pcasl_21)
    for name, values in truth.items():
        score = (fit.parameters[name] - values) / fit.std[name]
        assert 0.8 < score.square().mean() < 1.5


def test_a_t1_beyond_the_range_stops_at_its_bound(pcasl_21, measure):
    signal = measure(
        pcasl_21,
        torch.tensor([60.0]).double(),
        torch.tensor([1.2]).double(),
        t1_tissue=torch.tensor([2.0]),
    )
    fit = fit_cbf_att_t1(signal, pcasl_21, t1_range=(0.8, 1.5))
    assert fit.parameters['t1_tissue'].item() == 1.5
    assert fit.status.item() == FitStatus.AT_BOUND


def test_missing_voxels_have_no_estimate(pcasl_21):
    fit = fit_cbf_att_t1(torch.full((1, 21), torch.nan), pcasl_21)
    assert fit.status.item() == FitStatus.FAILED
    assert all(values.isnan().all() for values in fit.parameters.values())


def test_two_delays_cannot_tell_three_parameters():
    two = Acquisition(LabelingType.PCASL, (0.8, 1.8), (1.8, 1.8), 0.85)
    with pytest.raises(UnsupportedError, match='at least three different delays'):
        fit_cbf_att_t1(torch.zeros(1, 2), two)
