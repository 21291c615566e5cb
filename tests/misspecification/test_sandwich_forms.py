"""Other readings of the sandwich: what they are, and whether their null holds."""

import numpy as np
import pytest
import torch
from voxels import BRAIN, KIDNEY, SHORT_DELAYS, Population, measure, pcasl, rejected

from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.misspecification.assessment import NAMES, assess
from aslprep_nn.misspecification.sandwich_forms import SandwichForm
from aslprep_nn.signal.continuous import OutflowKinetics
from aslprep_nn.signal.kinetics import hessian
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.protocol import Protocol

N_REPETITIONS = 8
ACQUISITION = pcasl(delays=SHORT_DELAYS, repetitions=N_REPETITIONS)
#: Noise at which the observed Hessian visibly differs, away from kinks.
NOISY = Population(cbf=(60.0, 60.0), att=(1.15, 1.35), noise=0.004)


@pytest.fixture(scope='module')
def few():
    data = measure(ACQUISITION, NOISY, n_voxels=20)
    return data, fit_cbf_att(data, ACQUISITION, dtype=torch.float64)


def of_voxel(few, voxel: int) -> dict[str, np.ndarray]:
    """Give J, H and the residuals of one voxel."""
    data, fit = few
    cbf, att = (fit.parameters[name][voxel : voxel + 1] for name in ('cbf', 'att'))
    distinct = Repetitions.of([ACQUISITION]).acquisitions
    here = SignalModel.of(distinct).linearize(cbf, att)
    bend = [term[0].numpy() for term in hessian(cbf, att, Protocol.of(distinct[0]))]
    return {
        'jacobian': np.stack([here.d_cbf[:, 0].numpy(), here.d_att[:, 0].numpy()], -1),
        'hessian': np.array([[bend[0], bend[1]], [bend[1], bend[2]]]),
        'residual': data[voxel].reshape(N_REPETITIONS, -1).numpy() - here.delta_m[:, 0].numpy(),
    }


def pooled_variance(residual: np.ndarray) -> float:
    return float(residual.var(0, ddof=1).mean())


def test_the_observed_hessian_is_bent_by_the_misfit(few):
    found = assess(few[0], ACQUISITION, few[1], form=SandwichForm.OBSERVED_HESSIAN).statistics
    plain = assess(few[0], ACQUISITION, few[1]).statistics
    assert found['kappa'].isfinite().any()
    for voxel in found['kappa'].isfinite().nonzero().flatten().tolist():
        parts = of_voxel(few, voxel)
        scores = parts['residual'] @ parts['jacobian']
        bent = parts['hessian'] @ parts['residual'].mean(0)
        curvature = parts['jacobian'].T @ parts['jacobian'] - bent
        b = np.cov(scores.T) / pooled_variance(parts['residual'])
        values = np.sort(np.linalg.eigvals(np.linalg.solve(curvature, b)).real)
        assert float(found['lambdamax'][voxel]) == pytest.approx(values[1], rel=1e-3)
        assert float(found['kappa'][voxel]) == pytest.approx(values[1] / values[0], rel=1e-3)
    assert not torch.allclose(found['kappa'], plain['kappa'], rtol=1e-3, equal_nan=True)
    assert found['pnoise'].isnan().all()


def test_one_score_per_sample_weighs_each_delay_by_its_own_scatter(few):
    found = assess(few[0], ACQUISITION, few[1], form=SandwichForm.SAMPLES).statistics
    for voxel in range(20):
        parts = of_voxel(few, voxel)
        weight = (parts['residual'] ** 2).mean(0) / pooled_variance(parts['residual'])
        b = parts['jacobian'].T @ (weight[:, None] * parts['jacobian'])
        inverse = np.linalg.inv(parts['jacobian'].T @ parts['jacobian'])
        values = np.sort(np.linalg.eigvals(inverse @ b).real)
        assert float(found['lambdamax'][voxel]) == pytest.approx(values[1], rel=1e-4)
        assert float(found['lambdamin'][voxel]) == pytest.approx(values[0], rel=1e-4)


@pytest.mark.parametrize('repetitions', [2, 8])
def test_the_simulated_null_of_samples_keeps_its_level(repetitions):
    acquisition = pcasl(delays=SHORT_DELAYS, repetitions=repetitions)
    data = measure(acquisition, Population(noise=0.001), n_voxels=4000)
    fit = fit_cbf_att(data, acquisition)
    found = assess(data, acquisition, fit, form=SandwichForm.SAMPLES).statistics
    assert 0.035 <= rejected(found['pnoise']) <= 0.065


def test_samples_react_to_a_wrong_mean_where_repetitions_do_not():
    acquisition = pcasl(repetitions=20, t1_tissue=1.4)
    data = measure(acquisition, KIDNEY, n_voxels=1000, kinetics=OutflowKinetics())
    fit = fit_cbf_att(data, acquisition)
    samples, repetitions = (
        assess(data, acquisition, fit, form=form).statistics
        for form in (SandwichForm.SAMPLES, SandwichForm.REPETITIONS)
    )
    assert rejected(samples['pnoise']) > 0.25
    assert rejected(repetitions['pnoise']) < 0.15


@pytest.mark.parametrize('form', list(SandwichForm))
def test_another_form_leaves_every_other_statistic_as_it_was(form):
    data = measure(ACQUISITION, BRAIN, n_voxels=50)
    fit = fit_cbf_att(data, ACQUISITION)
    found, plain = (
        assess(data, ACQUISITION, fit, form=f).statistics for f in (form, SandwichForm.REPETITIONS)
    )
    of_scatter = {'kappa', 'lambdamax', 'lambdamin', 'trace', 'kl', 'pnoise', 'ptrace'}
    for name in set(NAMES) - of_scatter:
        torch.testing.assert_close(found[name], plain[name], rtol=0, atol=0, equal_nan=True)
