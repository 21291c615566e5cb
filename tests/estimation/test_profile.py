"""The posterior on the grid of ATT: against brute force, against truth, for any protocol."""

from dataclasses import fields

import pytest
import torch

from aslprep_nn.acquisition import LabelingType
from aslprep_nn.errors import UsageError
from aslprep_nn.estimation.flow import amplitude_of_flow, unit_signal
from aslprep_nn.estimation.measurements import Measurements
from aslprep_nn.estimation.profile import (
    FIRST_ATT,
    LAST_ATT,
    LEAST_ENERGY,
    N_ATT,
    Profile,
    att_grid,
    fit_posterior_mean,
    profile,
)
from aslprep_nn.maps import FitStatus
from aslprep_nn.signal.kinetics import delta_m
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.protocol import Protocol

DELAYS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)


@pytest.fixture(scope='module')
def protocols(make):
    return {
        'pcasl': (make(LabelingType.PCASL, DELAYS, 1.8),),
        'repeated': (make(LabelingType.PCASL, DELAYS, 1.8, repetitions=4),),
        'pasl': (make(LabelingType.PASL, [0.3 * i for i in range(1, 11)], 0.8, 0.98),),
        'both': (
            make(LabelingType.PCASL, DELAYS, 1.8),
            make(LabelingType.VSASL, DELAYS, 1.0, 0.56),
        ),
    }


NAMES = ['pcasl', 'repeated', 'pasl', 'both']


def signal_of(acquisitions, cbf, att, **voxelwise):
    parts = [delta_m(cbf, att, Protocol.of(a, **voxelwise)) for a in acquisitions]
    return torch.cat(parts, -1)


def brute_force(acquisitions, data, noise):
    """Integrate the likelihood of one voxel over amplitude and ATT, on a fine mesh."""
    att = torch.linspace(FIRST_ATT, LAST_ATT, 1200, dtype=torch.float64)
    amplitude = torch.linspace(-100, 300, 1601, dtype=torch.float64)
    unit = unit_signal(SignalModel.of(acquisitions), att)
    kept = unit.square().sum(0) > LEAST_ENERGY * unit.square().sum(0).max()
    unit, att = unit[:, kept], att[kept]
    expected = unit.unsqueeze(-1) * amplitude
    log_likelihood = -(data[:, None, None] - expected).square().sum(0) / (2 * noise**2)
    density = (log_likelihood - log_likelihood.max()).exp()
    density = density / density.sum()
    moments = []
    for axis, values in ((1, att), (0, amplitude)):
        marginal = density.sum(axis)
        mean = (marginal * values).sum()
        moments += [mean, (marginal * (values - mean).square()).sum().sqrt()]
    return torch.stack(moments)


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize(('cbf', 'att'), [(60.0, 1.31), (90.0, 1.93), (50.0, 0.84)])
def test_moments_are_those_of_numerical_integration(protocols, name, cbf, att):
    acquisitions, noise = protocols[name], 8e-4
    clean = signal_of(acquisitions, torch.tensor(cbf).double(), torch.tensor(att).double())
    generator = torch.Generator().manual_seed(3)
    data = clean + noise * torch.randn(clean.shape, generator=generator, dtype=torch.float64)
    found = profile(
        Measurements(data.unsqueeze(0), acquisitions), torch.tensor(noise), dtype=torch.float64
    )
    ours = torch.cat([found.att, found.att_std, found.amplitude, found.amplitude_std])
    torch.testing.assert_close(ours, brute_force(acquisitions, data, noise), rtol=0.02, atol=2e-3)


@pytest.mark.parametrize('name', NAMES)
def test_noise_free_truth_comes_back_at_the_reference_flow_and_others(protocols, name):
    acquisitions = protocols[name]
    cbf, att = (
        mesh.flatten().double()
        for mesh in torch.meshgrid(
            torch.tensor([20.0, 60.0, 120.0]), torch.linspace(0.6, 2.3, 18), indexing='ij'
        )
    )
    measured = Measurements(signal_of(acquisitions, cbf, att), acquisitions)
    fit = fit_posterior_mean(measured, torch.tensor(2e-5))
    assert (fit.parameters['cbf'] / cbf - 1).abs().max() < 0.025
    assert (fit.parameters['cbf'] / cbf - 1).abs().median() < 0.005
    assert (fit.parameters['att'] - att).abs().max() < 0.025
    assert (fit.parameters['att'] - att).abs().median() < 0.008


@pytest.mark.parametrize('cbf', [15.0, 60.0, 150.0, 400.0])
def test_amplitude_is_exact_at_every_att_of_the_grid_that_is_seen(protocols, cbf):
    acquisitions = protocols['pcasl']
    att = att_grid()
    flow = torch.full_like(att, cbf)
    measured = Measurements(signal_of(acquisitions, flow, att), acquisitions)
    found = profile(measured, torch.tensor(1e-4), dtype=torch.float64)
    expected = amplitude_of_flow(
        SignalModel.of(acquisitions), flow, att, torch.ones(1, 1, dtype=torch.float64)
    )
    torch.testing.assert_close(found.conditional_amplitude.diagonal(), expected)


@pytest.mark.parametrize('scale', [1e-3, 0.1, 10.0, 1e3])
@pytest.mark.parametrize('name', NAMES)
def test_nothing_changes_when_signal_and_noise_change_together(protocols, draw, name, scale):
    acquisitions = protocols[name]
    data = signal_of(acquisitions, draw(50, 10, 90, 1), draw(50, 0.5, 2.4, 2))
    generator = torch.Generator().manual_seed(0)
    data = data + 5e-4 * torch.randn(data.shape, generator=generator, dtype=torch.float64)
    one, other = (
        profile(Measurements((s * data).float(), acquisitions), torch.tensor(s * 5e-4))
        for s in (1.0, scale)
    )
    for field in fields(Profile):
        expected, found = getattr(one, field.name), getattr(other, field.name)
        if 'amplitude' in field.name or field.name == 'conditional_std':
            found = found / scale
        if field.name in ('drop', 'misfit'):
            torch.testing.assert_close(found.tanh(), expected.tanh(), rtol=1e-5, atol=1e-5)
        else:
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_a_slice_delay_is_a_later_delay(protocols, make):
    data = signal_of(protocols['pcasl'], *(torch.tensor([v]).double() for v in (60.0, 1.2)))
    later = make(LabelingType.PCASL, [p + 0.3 for p in DELAYS], 1.8)
    delayed = Measurements(
        data.repeat(3, 1), protocols['pcasl'], slice_delay=torch.tensor([0.0, 0.3, 0.0])
    )
    found = profile(delayed, torch.tensor(5e-4))
    expected = profile(Measurements(data, (later,)), torch.tensor(5e-4))
    for field in fields(Profile):
        values = getattr(found, field.name)
        torch.testing.assert_close(values[..., 1:2], getattr(expected, field.name))
        torch.testing.assert_close(values[..., 0], values[..., 2])


def test_each_voxel_decays_with_its_own_t1(protocols):
    cbf, att = (torch.full((4,), v, dtype=torch.float64) for v in (60.0, 1.3))
    t1 = torch.tensor([0.9, 1.2, 1.5, 3.0], dtype=torch.float64)
    data = signal_of(protocols['pcasl'], cbf, att, t1_tissue=t1)
    known = Measurements(data, protocols['pcasl'], t1_tissue=t1)
    fit = fit_posterior_mean(known, torch.tensor(2e-5))
    torch.testing.assert_close(fit.parameters['cbf'].double(), cbf, rtol=0.01, atol=0)
    torch.testing.assert_close(fit.parameters['att'].double(), att, rtol=0, atol=0.01)
    ignored = fit_posterior_mean(Measurements(data, protocols['pcasl']), torch.tensor(2e-5))
    assert (ignored.parameters['cbf'] - 60).abs()[0] > 5


def test_missing_measurements_are_as_if_they_had_not_been_made(protocols, make):
    data = signal_of(protocols['pcasl'], *(torch.tensor([v]).double() for v in (60.0, 1.2)))
    fewer = make(LabelingType.PCASL, (0.5, 1.5, 2.0, 3.0), 1.8)
    expected = profile(Measurements(data[:, [0, 2, 3, 5]], (fewer,)), torch.tensor(5e-4))
    data = data.repeat(2, 1)
    data[0, [1, 4]] = torch.nan
    found = profile(Measurements(data, protocols['pcasl']), torch.tensor(5e-4))
    for field in fields(Profile):
        part = getattr(found, field.name)[..., :1]
        torch.testing.assert_close(part, getattr(expected, field.name))


def test_weights_are_repetitions(protocols):
    data = signal_of(protocols['pcasl'], *(torch.tensor([v]).double() for v in (60.0, 1.2)))
    weights = torch.tensor([4.0] * 6)
    once = profile(Measurements(data, protocols['pcasl'], weights=weights), torch.tensor(1e-3))
    often = profile(Measurements(data.repeat(1, 4), protocols['repeated']), torch.tensor(1e-3))
    torch.testing.assert_close(once.att_std, often.att_std)
    torch.testing.assert_close(once.amplitude, often.amplitude)
    apiece = weights.expand(1, -1)
    per_voxel = profile(Measurements(data, protocols['pcasl'], weights=apiece), torch.tensor(1e-3))
    torch.testing.assert_close(once.probability, per_voxel.probability)


def test_amplitudes_between_the_points_of_the_grid_are_interpolated(protocols, draw):
    data = 3e-3 * draw(40 * 6, -1, 1, 8).reshape(40, 6)
    found = profile(Measurements(data, protocols['pcasl']), torch.tensor(1e-3))
    grid = att_grid(torch.float32)
    for point in (0, 17, N_ATT - 1):
        there = found.amplitude_at(grid[point].expand(40))
        torch.testing.assert_close(there, found.conditional_amplitude[point], rtol=1e-4, atol=1e-3)
    between = found.amplitude_at(grid[7:9].mean().expand(40))
    middle = found.conditional_amplitude[7:9].mean(0)
    torch.testing.assert_close(between, middle, rtol=1e-4, atol=1e-3)
    outside = found.amplitude_at(torch.full((40,), 9.0))
    torch.testing.assert_close(outside, found.conditional_amplitude[-1])


def test_a_voxel_without_measurements_has_no_posterior(protocols):
    data = torch.full((2, 6), torch.nan, dtype=torch.float64)
    data[1] = 0.004
    fit = fit_posterior_mean(Measurements(data, protocols['pcasl']), torch.tensor(5e-4))
    assert fit.parameters['cbf'].isnan().tolist() == [True, False]
    assert fit.status.tolist() == [FitStatus.FAILED, FitStatus.CONVERGED]


def test_where_the_grid_speaks_for_att_the_status_says_so(make, protocols):
    one = (make(LabelingType.PCASL, (1.8,), 1.8),)
    data = torch.full((3, 1), 0.005, dtype=torch.float64)
    fit = fit_posterior_mean(Measurements(data, one), torch.tensor(5e-4))
    assert (fit.status == FitStatus.ATT_NOT_IDENTIFIABLE).all()
    noise = 5e-4 * torch.randn(500, 6, generator=torch.Generator().manual_seed(1)).double()
    nothing = fit_posterior_mean(Measurements(noise, protocols['pcasl']), torch.tensor(5e-4))
    untold = (nothing.status != FitStatus.CONVERGED).double().mean()
    assert untold > 0.8


def test_the_misfit_is_chi_square_where_the_model_holds(protocols):
    acquisitions, noise = protocols['repeated'], 5e-4
    many = (torch.full((4000,), v, dtype=torch.float64) for v in (60.0, 1.3))
    clean = signal_of(acquisitions, *many)
    generator = torch.Generator().manual_seed(5)
    data = clean + noise * torch.randn(clean.shape, generator=generator, dtype=torch.float64)
    found = profile(Measurements(data, acquisitions), torch.tensor(noise))
    assert found.degrees_of_freedom.unique().tolist() == [22]
    assert found.misfit.mean().item() == pytest.approx(22, rel=0.02)


def test_the_posterior_says_how_far_estimates_scatter(protocols):
    acquisitions, noise = protocols['pcasl'], 4e-4
    many = (torch.full((4000,), v, dtype=torch.float64) for v in (60.0, 1.25))
    clean = signal_of(acquisitions, *many)
    generator = torch.Generator().manual_seed(6)
    data = clean + noise * torch.randn(clean.shape, generator=generator, dtype=torch.float64)
    fit = fit_posterior_mean(Measurements(data, acquisitions), torch.tensor(noise))
    for name in ('cbf', 'att'):
        ratio = fit.parameters[name].std() / fit.std[name].square().mean().sqrt()
        assert ratio.item() == pytest.approx(1, abs=0.1)


def test_probabilities_sum_to_one_and_the_best_drop_is_zero(protocols, draw):
    data = 3e-3 * draw(30 * 6, -1, 1, 4).reshape(30, 6)
    found = profile(Measurements(data, protocols['pcasl']), torch.tensor(1e-3))
    torch.testing.assert_close(found.probability.sum(0), torch.ones(30))
    assert not found.drop.amax(0).any()
    assert found.probability.shape == (N_ATT, 30)


def test_parts_that_do_not_fit_together_are_refused(protocols):
    with pytest.raises(UsageError, match='slice_delay'):
        Measurements(torch.zeros(3, 6), protocols['pcasl'], slice_delay=torch.zeros(2))
    with pytest.raises(UsageError, match='relative_delta_m'):
        Measurements(torch.zeros(3, 5), protocols['pcasl'])
