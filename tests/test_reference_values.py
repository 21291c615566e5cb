"""Numbers of an independent implementation, for signals, derivatives, bounds and tests.

`reference_values.json` holds signals by Gauss-Legendre quadrature of the convolution, their
derivatives by five-point differences of it, and one worked example of the sandwich.
"""

import json
from pathlib import Path

import pytest
import torch

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.estimation.information import fisher_information
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.misspecification.assessment import assess
from aslprep_nn.misspecification.null import p_of_kappa
from aslprep_nn.misspecification.sandwich import Spread
from aslprep_nn.signal.continuous import ContinuousKinetics
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.pulsed import VelocitySelectiveKinetics, WangEquation4Kinetics
from aslprep_nn.signal.response import LabelDecay

REFERENCE = json.loads(Path(__file__).with_name('reference_values.json').read_text('utf-8'))
TOLERANCE = REFERENCE['tolerances']
CASES = {case['name']: case for case in REFERENCE['cases']}
PCASL, PASL, VSASL = LabelingType.PCASL, LabelingType.PASL, LabelingType.VSASL


def acquire(labeling, delays, efficiency, fixed, duration):
    return Acquisition(
        labeling,
        tuple(delays),
        (duration,) * len(delays),
        efficiency,
        t1_blood=fixed['t1b'],
        t1_tissue=fixed.get('t1', 1.2),
        partition_coefficient=fixed['lam'],
    )


def model_of(case):
    """Build the model a case was computed with."""
    fixed, name = case['fixed'], case['name']
    if name.startswith('multiverse'):
        parts = [
            acquire(PCASL, fixed['pld'], fixed['alpha_pcasl'], fixed, fixed['tau']),
            acquire(VSASL, fixed['pld'], fixed['alpha_vsasl'], fixed, 1.0),
        ]
        blood = LabelDecay.BLOOD
        return SignalModel.of(parts, [ContinuousKinetics(blood), VelocitySelectiveKinetics(blood)])
    if name.startswith('pasl'):
        return SignalModel.of([acquire(PASL, fixed['ti'], fixed['alpha'], fixed, fixed['tau'])])
    if name.startswith('vsasl'):
        return SignalModel.of([acquire(VSASL, fixed['pld'], fixed['alpha'], fixed, 1.0)])
    if name.startswith('seed000'):
        delays = [t - fixed['tau'] for t in fixed['t']]
        acquisition = acquire(PCASL, delays, fixed['alpha'], fixed, fixed['tau'])
        return SignalModel.of([acquisition], [WangEquation4Kinetics()])
    fixed = fixed | ({'t1': case['theta']['t1']} if 't1' in case['theta'] else {})
    return SignalModel.of([acquire(PCASL, fixed['pld'], fixed['alpha'], fixed, fixed['tau'])])


def predict(case):
    """Compute the signal and its derivatives in the parameters of a case."""
    model = model_of(case)
    cbf, att = (torch.tensor([case['theta'][name]], dtype=torch.float64) for name in ('cbf', 'att'))
    here = model.linearize(cbf, att)
    columns = [here.d_cbf, here.d_att]
    if 't1' in case['theta']:
        columns.append(model.d_t1_tissue(here))
    return model, (cbf, att), here.delta_m[:, 0], torch.cat(columns, -1)


def numbers(values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize('name', CASES)
def test_the_signal_is_that_of_the_quadrature(name):
    signal = predict(CASES[name])[2]
    expected = numbers(CASES[name]['signal'])
    limit = TOLERANCE['signal_rel_to_max'] * expected.abs().max()
    assert (signal - expected).abs().max() <= limit


@pytest.mark.parametrize('name', CASES)
def test_the_derivatives_are_those_of_the_quadrature(name):
    jacobian = predict(CASES[name])[3]
    expected = numbers(CASES[name]['jacobian'])
    limit = TOLERANCE['jacobian_rel_to_colmax'] * expected.abs().amax(0)
    assert ((jacobian - expected).abs() <= limit).all()


@pytest.mark.parametrize('name', CASES)
def test_the_cramer_rao_bound_is_that_of_the_quadrature(name):
    case = CASES[name]
    jacobian = predict(case)[3]
    bound = case['sigma'] ** 2 * torch.linalg.inv(jacobian.mT @ jacobian)
    torch.testing.assert_close(bound, numbers(case['crb']), rtol=TOLERANCE['crb_rel'], atol=1e-12)


@pytest.mark.parametrize('name', [name for name in CASES if 't1' not in CASES[name]['theta']])
def test_the_package_s_bound_is_that_of_the_quadrature(name):
    case = CASES[name]
    model, point, _, _ = predict(case)
    information = fisher_information(model, *point, torch.ones(1, 1, dtype=torch.float64))
    bound = information.covariance(torch.tensor([case['sigma']], dtype=torch.float64))
    expected = numbers(case['crb'])
    rtol = TOLERANCE['crb_rel']
    torch.testing.assert_close(bound.cbf, expected[:1, 0], rtol=rtol, atol=0)
    torch.testing.assert_close(bound.att, expected[1:, 1], rtol=rtol, atol=0)
    condition = information.scaled_condition
    torch.testing.assert_close(condition, numbers([case['fim_scaled_cond']]), rtol=1e-4, atol=0)


@pytest.fixture(scope='module')
def sandwich():
    """Fit and test the worked example."""
    case = REFERENCE['sandwich_case']
    fixed, n_repetitions = case['fixed'], len(case['X'])
    delays = case['pld'] * n_repetitions
    acquisition = acquire(PCASL, delays, fixed['alpha'], fixed, fixed['tau'])
    data = numbers(case['X']).reshape(1, -1)
    fit = fit_cbf_att(data, acquisition, dtype=torch.float64)
    return case, fit, assess(data, acquisition, fit).statistics


def test_the_worked_example_is_fitted_alike(sandwich):
    case, fit, _ = sandwich
    for name, expected in case['mle'].items():
        limit = case['tolerance']['mle_rel']
        assert fit.parameters[name].item() == pytest.approx(expected, rel=limit)


def test_the_worked_example_is_tested_alike(sandwich):
    """The example divides by M and takes sigma as known; here it is M - 1 and measured."""
    case, fit, found = sandwich
    n_repetitions = len(case['X'])
    known = (fit.noise.item() / case['sigma']) ** 2 * (n_repetitions - 1) / n_repetitions
    largest, smallest = (value for value in case['eig_P_gn'])
    tolerance = case['tolerance']['eig_rel']
    assert found['lambdamax'].item() * known == pytest.approx(largest, rel=tolerance)
    assert found['lambdamin'].item() * known == pytest.approx(smallest, rel=tolerance)
    assert found['kappa'].item() == pytest.approx(case['kappa_gn'], rel=tolerance)
    assert found['pnoise'].item() == pytest.approx(case['p_kappa_exact'], rel=tolerance)
    assert found['lackoffit'].item() == pytest.approx(case['lof_F'], rel=tolerance)
    assert found['pmodel'].item() == pytest.approx(case['p_lof_F'], rel=tolerance)


QUANTILES = [
    (int(count), 1 - float(level), kappa)
    for count, row in REFERENCE['kappa_null_quantiles_P2'].items()
    for level, kappa in row.items()
]


@pytest.mark.parametrize(('count', 'upper', 'kappa'), QUANTILES)
def test_kappa_has_the_tabulated_quantiles(count, upper, kappa):
    spread = Spread(numbers([kappa]), numbers([1.0]))
    assert p_of_kappa(spread, torch.tensor([count])).item() == pytest.approx(upper, rel=1e-6)
