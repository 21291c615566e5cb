"""Bounds of compressed measurements."""

import math
from dataclasses import replace

import pytest
import torch

from aslprep_nn.estimation.subspace.basis import Dictionary, in_chunks
from aslprep_nn.estimation.subspace.bounds import Losses, bounds

#: Rounding of a ratio of two bounds.
ROUNDING = 1e-12


def fisher_bound(jacobian):
    """Invert the information in float64, the slow and direct way."""
    return torch.linalg.inv(jacobian.mT @ jacobian).diagonal(dim1=-2, dim2=-1)


@pytest.mark.parametrize('crb_weight', [0.0, 0.5])
def test_the_exact_bound_is_the_inverse_information_of_the_coefficients(fingerprints, crb_weight):
    some = fingerprints(300)
    subspace = Dictionary.of([some]).subspace(crb_weight).truncated(6)
    found = bounds(some, subspace)
    compressed = subspace.compress(some.jacobian.mT).mT
    if compressed.is_complex():
        compressed = torch.cat([compressed.real, compressed.imag], -2)
    scale = compressed.norm(dim=-2, keepdim=True)
    direct = fisher_bound(compressed / scale)[:, :2] / scale.squeeze(-2)[:, :2].square()
    told = torch.linalg.cond(compressed / scale) < 1e5
    assert told.double().mean() > 0.9
    torch.testing.assert_close(found.exact[told], direct[told], rtol=1e-4, atol=0)


@pytest.mark.parametrize('n_components', [3, 4, 7])
def test_bounds_are_ordered_without_exception(fingerprints, n_components):
    some = fingerprints(3000)
    for crb_weight in (0.0, 0.5, 1.0):
        subspace = Dictionary.of([some]).subspace(crb_weight).truncated(n_components)
        found = bounds(some, subspace)
        assert (found.uncompressed <= found.approximate * (1 + ROUNDING)).all()
        assert (found.approximate <= found.exact * (1 + ROUNDING)).all()


def test_a_subspace_that_holds_the_derivatives_loses_nothing(turning):
    some = turning(1)
    whole = Dictionary.of(turning(40, seed=s) for s in range(3)).subspace(0.5)
    assert whole.n_components == some.signal.shape[1]
    found = bounds(some, whole)
    torch.testing.assert_close(found.exact, found.uncompressed, rtol=1e-9, atol=0)


def test_a_parameter_that_the_subspace_does_not_tell_has_no_bound(perfused):
    some = perfused(3)
    subspace = Dictionary.of([some]).subspace(0.0).truncated(2)
    blind = replace(subspace, vectors=torch.eye(21).double()[:, -2:])
    early = replace(some, jacobian=some.jacobian * torch.tensor([1.0, 0.0]).double())
    found = bounds(early, blind)
    assert torch.isinf(found.exact[:, 1]).all()
    assert torch.isinf(found.uncompressed[:, 1]).all()
    assert torch.isfinite(found.exact[:, 0]).all()


def test_coefficients_of_a_complex_signal_scatter_as_the_exact_bound_says(turning, turns):
    """Fit by Gauss-Newton steps from the truth, 4000 times."""
    noise, n_draws = 1e-3, 4000
    truth = torch.tensor([3.0, 8.0, 0.4]).double()
    subspace = Dictionary.of([turning(500)]).subspace(0.5).truncated(4)
    some = turns(truth.expand(n_draws, 3))
    generator = torch.Generator().manual_seed(1)
    draws = torch.randn(2, n_draws, some.signal.shape[1], generator=generator).double()
    data = subspace.compress(some.signal + noise * torch.complex(*draws))
    point = truth.expand(n_draws, 3).clone()
    for _ in range(6):
        here = turns(point)
        jacobian = torch.view_as_real(subspace.compress(here.jacobian.mT).mT.contiguous())
        jacobian = jacobian.movedim(-1, 1).flatten(1, 2)
        misfit = torch.view_as_real(data - subspace.compress(here.signal))
        misfit = misfit.movedim(-1, 1).flatten(1)
        point = point + torch.linalg.lstsq(jacobian, misfit.unsqueeze(-1)).solution.squeeze(-1)
    found = bounds(turns(truth.expand(1, 3)), subspace)
    expected = noise**2 * found.exact[0]
    torch.testing.assert_close(point.var(0)[:2], expected, rtol=0.08, atol=0)
    assert (expected > 1.02 * noise**2 * found.uncompressed[0]).any()


def test_losses_are_means_over_told_parameters_however_they_are_chunked(perfused):
    some = perfused(101)
    subspace = Dictionary.of([some]).subspace(0.2).truncated(3)
    whole, parts = (Losses.of(in_chunks(some, size), subspace) for size in (101, 10))
    found = bounds(some, subspace)
    lost = 1 - found.uncompressed / found.exact
    assert whole.exact['att'] == pytest.approx(float(lost[:, 1].mean()))
    assert whole.mean_exact == pytest.approx(float(lost.mean()))
    assert whole.ratio == pytest.approx(float((found.approximate / found.exact).mean()))
    assert parts.exact == pytest.approx(whole.exact)
    assert parts.energy == pytest.approx(whole.energy)
    assert 0 < whole.energy < 0.01
    assert whole.mean_approximate < whole.mean_exact


def test_a_fingerprint_that_tells_nothing_of_a_parameter_does_not_count(perfused):
    some = perfused(30)
    subspace = Dictionary.of([some]).subspace(0.2).truncated(3)
    jacobian = some.jacobian.clone()
    jacobian[:10, :, 1] = 0
    partly = Losses.of([replace(some, jacobian=jacobian)], subspace)
    rest = replace(some, signal=some.signal[10:], jacobian=some.jacobian[10:])
    assert partly.exact['att'] == pytest.approx(Losses.of([rest], subspace).exact['att'])
    assert not math.isnan(partly.ratio)
