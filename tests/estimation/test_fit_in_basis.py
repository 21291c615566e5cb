"""Fitting coefficients in a subspace instead of measurements."""

import pytest
import torch

from aslprep_nn.acquisition import LabelingType
from aslprep_nn.errors import UsageError
from aslprep_nn.estimation.information import fisher_information
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.tissue_t1 import fit_cbf_att_t1
from aslprep_nn.settings import Macrovascular
from aslprep_nn.signal.arterial import arterial_delta_m
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.protocol import Protocol

N_VOXELS = 400


@pytest.fixture(scope='module')
def truth(draw):
    return draw(N_VOXELS, 20, 100, 1), draw(N_VOXELS, 0.3, 2.0, 2)


@pytest.fixture(scope='module')
def some_basis():
    def make(n_components: int, n_measurements: int = 21) -> torch.Tensor:
        generator = torch.Generator().manual_seed(n_components)
        matrix = torch.randn(n_measurements, n_components, generator=generator).double()
        return torch.linalg.qr(matrix).Q

    return make


def test_a_turned_coordinate_system_changes_no_estimate(pcasl_21, measure, truth, some_basis):
    data, basis = measure(pcasl_21, *truth, noise=5e-4), some_basis(21)
    plain = fit_cbf_att(data, pcasl_21, dtype=torch.float64)
    turned = fit_cbf_att(data @ basis, pcasl_21, basis=basis, dtype=torch.float64)
    for name, values in plain.parameters.items():
        torch.testing.assert_close(turned.parameters[name], values, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(turned.std[name], plain.std[name], rtol=1e-6, atol=1e-9)
    assert torch.equal(turned.status, plain.status)


def test_four_coefficients_recover_what_21_delays_measured(pcasl_21, measure, truth, some_basis):
    basis = some_basis(4)
    coefficients = measure(pcasl_21, *truth) @ basis
    fit = fit_cbf_att(coefficients, pcasl_21, basis=basis, dtype=torch.float64)
    for name, values in zip(('cbf', 'att'), truth, strict=True):
        told = (fit.parameters[name] / values - 1).abs() < 1e-4
        assert told.double().mean() > 0.99


def test_repetitions_are_compressed_with_their_own_rows(make, measure, truth, some_basis):
    repeated = make(LabelingType.PCASL, (0.5, 1.0, 1.5, 2.0, 2.5), 1.8, repetitions=3)
    data, basis = measure(repeated, *truth, noise=5e-4), some_basis(15, 15)
    plain = fit_cbf_att(data, repeated, dtype=torch.float64)
    turned = fit_cbf_att(data @ basis, repeated, basis=basis, dtype=torch.float64)
    torch.testing.assert_close(turned.parameters['cbf'], plain.parameters['cbf'], rtol=1e-5, atol=0)
    torch.testing.assert_close(turned.residual, plain.residual, rtol=1e-5, atol=1e-12)


def test_scatter_in_a_subspace_is_the_bound_of_its_coefficients(pcasl_21, measure, some_basis):
    basis, noise, n_voxels = some_basis(8), 2e-4, 4000
    cbf, att = torch.full((n_voxels,), 60.0).double(), torch.full((n_voxels,), 1.13).double()
    data = measure(pcasl_21, cbf, att, noise=noise) @ basis
    fit = fit_cbf_att(data, pcasl_21, basis=basis, dtype=torch.float64)
    model = SignalModel.of([pcasl_21]).in_basis(basis)
    information = fisher_information(model, cbf[:1], att[:1], torch.ones(8, 1).double())
    bound = information.covariance(torch.tensor([noise]).double())
    assert fit.parameters['cbf'].var() == pytest.approx(float(bound.cbf), rel=0.08)
    assert fit.parameters['att'].var() == pytest.approx(float(bound.att), rel=0.08)


def test_three_parameters_are_recovered_from_coefficients(pcasl_21, measure, draw, some_basis):
    truth = draw(200, 20, 100, 1), draw(200, 0.7, 2.0, 2)
    t1, basis = draw(200, 0.9, 2.0, 3), some_basis(12)
    data = measure(pcasl_21, *truth, t1_tissue=t1) @ basis
    fit = fit_cbf_att_t1(data, pcasl_21, basis=basis)
    torch.testing.assert_close(fit.parameters['cbf'], truth[0], rtol=1e-5, atol=0)
    torch.testing.assert_close(fit.parameters['t1_tissue'], t1, rtol=1e-5, atol=0)


def test_arterial_blood_is_found_in_coefficients_too(pcasl_21, measure, truth, some_basis):
    basis, volume = some_basis(21), torch.tensor([0.01]).double()
    artery = arterial_delta_m(volume, torch.tensor([0.25]).double(), Protocol.of(pcasl_21))
    data = measure(pcasl_21, *truth, noise=1e-4) + artery
    on = Macrovascular.ON
    plain = fit_cbf_att(data, pcasl_21, macrovascular=on, dtype=torch.float64)
    turned = fit_cbf_att(data @ basis, pcasl_21, basis=basis, macrovascular=on, dtype=torch.float64)
    name = 'arterial_blood_volume'
    same = (turned.parameters[name] / plain.parameters[name] - 1).abs() < 1e-4
    assert same.double().mean() > 0.98


@pytest.mark.parametrize(
    ('fit', 'n_components', 'said'),
    [
        (fit_cbf_att, 1, 'basis is of 1 components; expected at least 2, one for each of cbf, att'),
        (fit_cbf_att_t1, 2, 'at least 3, one for each of cbf, att, t1_tissue'),
    ],
)
def test_fewer_components_than_parameters_are_refused(
    fit, n_components, said, pcasl_21, some_basis
):
    with pytest.raises(UsageError, match=said):
        fit(torch.zeros(1, n_components), pcasl_21, basis=some_basis(n_components))


def test_what_is_no_basis_of_the_measurements_is_refused(pcasl_21, some_basis):
    with pytest.raises(
        UsageError, match=r'basis is of shape \(20, 3\); expected \(21, component\)'
    ):
        fit_cbf_att(torch.zeros(1, 3), pcasl_21, basis=some_basis(3, 20))
    with pytest.raises(UsageError, match='not orthonormal by 3'):
        fit_cbf_att(torch.zeros(1, 3), pcasl_21, basis=2 * some_basis(3))
