"""Fisher information and the bounds that follow from it."""

import pytest
import torch

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.estimation.information import (
    Information,
    fisher_information,
    noise_level,
    smoothed_covariance,
)
from aslprep_nn.estimation.information_table import InformationTable
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.signal.kinetics import linearize
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.protocol import Protocol

ONE = torch.ones(1, 1, dtype=torch.float64)


def point(*values):
    return tuple(torch.tensor([value], dtype=torch.float64) for value in values)


def expect(value):
    return pytest.approx(value, rel=1e-9)


def test_the_bound_is_the_inverse_of_the_jacobian_s_square(pcasl_21):
    cbf, att = point(60.0, 1.23)
    signal = linearize(cbf, att, Protocol.of(pcasl_21))
    jacobian = torch.stack([signal.d_cbf[0], signal.d_att[0]], -1)
    inverse = 0.002**2 * torch.linalg.inv(jacobian.mT @ jacobian)
    information = fisher_information(SignalModel.of([pcasl_21]), cbf, att, ONE)
    bound = information.covariance(torch.tensor([0.002], dtype=torch.float64))
    assert bound.cbf.item() == expect(inverse[0, 0].item())
    assert bound.both.item() == expect(inverse[0, 1].item())
    assert bound.att.item() == expect(inverse[1, 1].item())


def test_the_scaled_condition_depends_on_neither_units_nor_noise():
    information = Information(*point(4.0, 1.0, 1.0))
    assert information.scaled_condition.item() == pytest.approx((1 + 0.5) / (1 - 0.5))
    rescaled = Information(*point(4.0 * 100, 1.0 * 10 * 3, 1.0 * 9))
    assert rescaled.scaled_condition.item() == pytest.approx(3)


def test_below_the_first_delay_the_condition_says_that_att_is_not_told(pcasl_6):
    model = SignalModel.of([pcasl_6])
    told, untold = (
        fisher_information(model, *point(60.0, att), ONE).scaled_condition.item()
        for att in (1.23, 0.33)
    )
    assert told < 10
    assert untold > 1e5


def test_a_prior_bounds_what_the_data_leave_open(pcasl_6):
    information = fisher_information(SignalModel.of([pcasl_6]), *point(60.0, 0.33), ONE)
    noise = torch.tensor([1e-3]).double()
    assert information.covariance(noise).att.sqrt() > 10
    assert information.covariance(noise, (300.0, 3.0)).att.sqrt() < 3 / 12**0.5


def test_weights_are_repetitions(pcasl_6, make):
    thrice = make(LabelingType.PCASL, pcasl_6.pld, 1.8, repetitions=3)
    once = fisher_information(SignalModel.of([pcasl_6]), *point(60.0, 1.2), 3 * ONE)
    all_of_them = fisher_information(SignalModel.of([thrice]), *point(60.0, 1.2), ONE)
    for one, three in zip(once, all_of_them, strict=True):
        torch.testing.assert_close(one, three)


# Signal to noise such that 10,000 estimates stay within one interval, and away from its kinks.
AWAY_FROM_KINKS = [(60.0, 1.25), (100.0, 0.77), (60.0, 0.75)]


@pytest.mark.parametrize('noise', [1e-4, 2e-4, 4e-4])
@pytest.mark.parametrize(('cbf', 'att'), AWAY_FROM_KINKS)
def test_estimates_scatter_as_the_bound_says(pcasl_6, measure, cbf, att, noise):
    many = torch.full((10000,), cbf).double(), torch.full((10000,), att).double()
    fit = fit_cbf_att(measure(pcasl_6, *many, noise=noise), pcasl_6)
    information = fisher_information(SignalModel.of([pcasl_6]), *point(cbf, att), ONE)
    bound = information.covariance(torch.tensor([noise]).double())
    for name, variance in (('cbf', bound.cbf), ('att', bound.att)):
        ratio = fit.parameters[name].double().var() / variance
        assert 0.95 < ratio.item() < 1.1
    bias = fit.parameters['cbf'].double().mean() - cbf
    assert abs(bias) < 0.05 * bound.cbf.sqrt()


@pytest.mark.parametrize('noise', [2e-4, 5e-4])
@pytest.mark.parametrize('att', [1.0, 1.5])
def test_at_a_kink_estimates_scatter_as_the_smoothed_bound_says(pcasl_21, measure, att, noise):
    many = torch.full((10000,), 60.0).double(), torch.full((10000,), att).double()
    fit = fit_cbf_att(measure(pcasl_21, *many, noise=noise), pcasl_21)
    sigma = torch.tensor([noise]).double()
    bound = smoothed_covariance(SignalModel.of([pcasl_21]), *point(60.0, att), ONE, noise=sigma)
    for name, variance in (('cbf', bound.cbf), ('att', bound.att)):
        ratio = fit.parameters[name].double().var() / variance
        assert 0.9 < ratio.item() < 1.1


@pytest.mark.parametrize(
    ('flow', 'sigma'), [((20, 130), 1e-3), ((150, 900), 6e-3)], ids=['brain', 'kidney']
)
def test_the_table_gives_what_it_tabulates(pcasl_21, draw, flow, sigma):
    model, n_voxels = SignalModel.of([pcasl_21]), 400
    cbf, att = draw(n_voxels, *flow, 1), draw(n_voxels, 0.2, 2.8, 2)
    noise = torch.full_like(cbf, sigma)
    table = InformationTable.of(model, torch.ones(21), att_range=(0.0, 4.0), dtype=torch.float64)
    fast = table.covariance(cbf, att, noise)
    exact = smoothed_covariance(model, cbf, att, ONE, noise=noise)
    for quick, slow in ((fast.cbf, exact.cbf), (fast.att, exact.att)):
        ratio = (quick / slow).sqrt()
        assert (ratio - 1).abs().median() < 0.01
        assert (ratio - 1).abs().max() < 0.1


def test_noise_comes_from_the_repetitions_where_there_are_enough(make, measure):
    thrice = make(LabelingType.PCASL, (0.5, 1.0, 1.5, 2.0), 1.8, repetitions=3)
    many = torch.full((20000,), 60.0).double(), torch.full((20000,), 1.2).double()
    signal = measure(thrice, *many, noise=2e-3)
    signal += 0.01 * torch.tensor([1.0, -1.0, 1.0, -1.0]).repeat(3)
    fit = fit_cbf_att(signal, thrice)
    assert fit.noise.square().mean().sqrt().item() == pytest.approx(2e-3, rel=0.02)


def test_noise_comes_from_the_residual_where_nothing_is_repeated(pcasl_21, measure):
    many = torch.full((20000,), 60.0).double(), torch.full((20000,), 1.15).double()
    fit = fit_cbf_att(measure(pcasl_21, *many, noise=5e-4), pcasl_21)
    assert fit.noise.square().mean().sqrt().item() == pytest.approx(5e-4, rel=0.02)


def test_noise_is_unknown_without_a_degree_of_freedom():
    two = Acquisition(LabelingType.PCASL, (0.8, 1.8), (1.8, 1.8), 0.85)
    summary = Repetitions.of([two]).summarize(torch.tensor([[0.005, 0.004]]))
    assert noise_level(summary, torch.zeros(1), n_parameters=2).isnan().all()


def test_no_noise_means_no_uncertainty(pcasl_21, measure):
    fit = fit_cbf_att(measure(pcasl_21, *point(60.0, 1.23)), pcasl_21, dtype=torch.float64)
    assert fit.std['cbf'].item() < 1e-6
    assert fit.std['att'].item() < 1e-6


def test_standard_deviations_match_the_scatter_of_estimates(make, measure):
    repeated = make(LabelingType.PCASL, (0.5, 1.0, 1.5, 2.0, 2.5, 3.0), 1.8, repetitions=8)
    many = torch.full((5000,), 60.0).double(), torch.full((5000,), 1.25).double()
    fit = fit_cbf_att(measure(repeated, *many, noise=1e-3), repeated)
    for name in ('cbf', 'att'):
        scatter = fit.parameters[name].std()
        assert fit.std[name].median().item() == pytest.approx(scatter.item(), rel=0.1)
