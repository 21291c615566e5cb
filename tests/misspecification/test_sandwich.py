"""The whitened arithmetic against the textbook formulas with explicit inverses."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from voxels import Population, measure, pcasl

from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.misspecification.assessment import Assessment, assess
from aslprep_nn.misspecification.projections import Projections
from aslprep_nn.misspecification.sandwich import (
    ScoreCovariance,
    Spread,
    Triangle,
    standard_deviations,
)
from aslprep_nn.misspecification.vectors import RepetitionVectors
from aslprep_nn.signal.kinetics import Hessian, Linearization, hessian
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.protocol import Protocol

NOISE = 0.002
N_REPETITIONS = 8
#: Of a voxel whose optimum lies between kinks: there the mean score is 0.
SEED = 3


def basis_of(vectors: RepetitionVectors, here: Linearization) -> Projections:
    directions = torch.stack([here.d_cbf, here.d_att])
    return Projections.of(vectors, directions, here.delta_m, n_parameters=2).orthogonalized()


@pytest.fixture(scope='module')
def voxel():
    """Fit one voxel; give J, H and x as arrays, and the tensors the module works with."""
    acquisition = pcasl(repetitions=N_REPETITIONS)
    between_kinks = Population(cbf=(60.0, 60.0), att=(1.1, 1.1))
    data = measure(acquisition, between_kinks, n_voxels=1, seed=SEED)
    fit = fit_cbf_att(data, acquisition, dtype=torch.float64)
    repetitions = Repetitions.of([acquisition])
    cbf, att = fit.parameters['cbf'], fit.parameters['att']
    here = SignalModel.of(repetitions.acquisitions).linearize(cbf, att)
    bend = hessian(cbf, att, Protocol.of(repetitions.acquisitions[0]))
    return {
        'basis': basis_of(RepetitionVectors.of(data, repetitions), here),
        'here': here,
        'bend': Hessian(*(term.mT for term in bend)),
        'jacobian': np.stack([here.d_cbf[:, 0].numpy(), here.d_att[:, 0].numpy()], -1),
        'hessian': np.array([[bend[0][0].numpy(), bend[1][0].numpy()],
                             [bend[1][0].numpy(), bend[2][0].numpy()]]),
        'residual': data.reshape(N_REPETITIONS, -1).numpy() - here.delta_m[:, 0].numpy(),
    }  # fmt: skip


def textbook(voxel, curvature: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute C_M and the eigenvalues of P for a Hessian A, with M - 1 in B."""
    scores = voxel['residual'] @ voxel['jacobian'] / NOISE**2
    b = scores.T @ scores / (N_REPETITIONS - 1)
    inverse = np.linalg.inv(curvature)
    return inverse @ b @ inverse, np.sort(np.linalg.eigvals(-inverse @ b).real)


def gauss_newton(voxel) -> np.ndarray:
    return -voxel['jacobian'].T @ voxel['jacobian'] / NOISE**2


def variance() -> torch.Tensor:
    return torch.tensor([NOISE**2], dtype=torch.float64)


def test_the_eigenvalues_are_those_of_the_crb_compared_with_the_sandwich(voxel):
    scatter = ScoreCovariance.along(voxel['basis'])
    spread = scatter.spread(variance())
    smallest, largest = textbook(voxel, gauss_newton(voxel))[1]
    assert float(spread.largest) == pytest.approx(largest, rel=1e-5)
    assert float(spread.smallest) == pytest.approx(smallest, rel=1e-5)
    assert float(spread.kappa) == pytest.approx(largest / smallest, rel=1e-5)


def test_the_covariance_is_the_sandwich(voxel):
    scatter = ScoreCovariance.along(voxel['basis'])
    expected = textbook(voxel, gauss_newton(voxel))[0]
    found = [float(part) for part in scatter.covariance(Triangle.of(voxel['basis']))]
    assert found == pytest.approx([expected[0, 0], expected[0, 1], expected[1, 1]], rel=1e-4)


def test_the_observed_hessian_gives_its_own_eigenvalues(voxel):
    misfit = voxel['residual'].mean(0)
    curvature = gauss_newton(voxel) + (voxel['hessian'] @ misfit) / NOISE**2
    smallest, largest = textbook(voxel, curvature)[1]
    spread = ScoreCovariance.along(voxel['basis']).observed_spread(
        variance(),
        Triangle.of(voxel['basis']),
        torch.from_numpy(misfit).unsqueeze(-1),
        voxel['bend'],
    )
    assert float(spread.largest) == pytest.approx(largest, rel=1e-5)
    assert float(spread.smallest) == pytest.approx(smallest, rel=1e-5)
    assert largest != pytest.approx(textbook(voxel, gauss_newton(voxel))[1][1], rel=1e-9)


def test_an_observed_hessian_that_is_no_maximum_has_no_eigenvalues(voxel):
    misfit = torch.full_like(voxel['here'].delta_m, 1e3)
    spread = ScoreCovariance.along(voxel['basis']).observed_spread(
        variance(), Triangle.of(voxel['basis']), misfit, Hessian(*(t.abs() for t in voxel['bend']))
    )
    assert spread.largest.isnan().all()


def test_noise_as_assumed_leaves_the_mean_trace_at_two():
    acquisition = pcasl(repetitions=4)
    data = measure(acquisition, n_voxels=4000)
    repetitions = Repetitions.of([acquisition])
    cbf, att = torch.full((4000,), 60.0).double(), torch.full((4000,), 1.1).double()
    here = SignalModel.of(repetitions.acquisitions).linearize(cbf, att)
    scatter = ScoreCovariance.along(basis_of(RepetitionVectors.of(data, repetitions), here))
    assert scatter.spread(variance()).trace.mean() == pytest.approx(2, rel=0.02)


def test_the_divergence_vanishes_only_where_noise_is_as_assumed():
    one = torch.ones(1)
    assert Spread(one, one).divergence == 0
    assert Spread(2 * one, 2 * one).divergence > 0
    assert Spread(2 * one, 0.5 * one).divergence > 0


def assessed(
    n_repetitions: int, change: Callable[..., torch.Tensor] | None = None
) -> tuple[Assessment, Fit, torch.Tensor]:
    """Fit and assess voxels of one CBF, and give how far their estimates lie from it."""
    acquisition = pcasl(repetitions=n_repetitions)
    truth = Population(cbf=(60.0, 60.0), att=(0.5, 1.8))
    data = measure(acquisition, truth, n_voxels=3000, change=change)
    fit = fit_cbf_att(data, acquisition)
    return assess(data, acquisition, fit), fit, (fit.parameters['cbf'] - 60).abs()


def changing_flow(signal: torch.Tensor, cbf: torch.Tensor, att: torch.Tensor) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    share = 1 + 0.2 * torch.randn(len(cbf), N_REPETITIONS, generator=generator).double()
    return signal * share.repeat_interleave(signal.shape[1] // N_REPETITIONS, 1)


@pytest.mark.parametrize(
    ('change', 'of_bound'), [(None, (0.63, 0.72)), (changing_flow, (0.3, 0.5))]
)
def test_two_thirds_of_estimates_lie_within_the_chosen_standard_deviation(change, of_bound):
    found, fit, error = assessed(N_REPETITIONS, change)
    chosen = standard_deviations(found, fit)['cbf']
    assert of_bound[0] < (error < fit.std['cbf']).double().mean() < of_bound[1]
    assert 0.62 < (error < chosen).double().mean() < 0.74
    assert 0.89 < (error < 1.96 * chosen).double().mean() < 0.97


def test_three_repetitions_are_too_few_for_a_sandwich():
    found, fit, _ = assessed(3)
    assert found.statistics['stdcbf'].isnan().all()
    for name, values in standard_deviations(found, fit).items():
        torch.testing.assert_close(values, fit.std[name], equal_nan=True)


def test_where_att_is_unknown_the_sandwich_is_not_believed():
    found, fit, _ = assessed(4)
    found.statistics['stdatt'][:5], found.statistics['stdcbf'][:5] = 50.0, 1e4
    found.statistics['stdcbf'][5] = 1e4
    chosen = standard_deviations(found, fit)
    assert chosen['cbf'][:5].tolist() == fit.std['cbf'][:5].tolist()
    assert float(chosen['cbf'][5]) == 1e4


def test_a_standard_deviation_is_missing_only_where_the_fit_has_none():
    found, fit, _ = assessed(4)
    fit.std['att'][2] = torch.nan
    found.statistics['stdcbf'][3] = torch.nan
    found.statistics['stdatt'][3] = torch.nan
    chosen = standard_deviations(found, fit)
    assert chosen['att'].isnan().nonzero().flatten().tolist() == [2]
    assert torch.isfinite(chosen['cbf']).all()
