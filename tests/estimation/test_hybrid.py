"""The hybrid fit: exact without noise, better than least squares with it, honest about both."""

from dataclasses import replace

import pytest
import torch

from aslprep_nn.acquisition import LabelingType
from aslprep_nn.estimation.hybrid import fit_hybrid
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.series import PerfusionSeries
from aslprep_nn.maps import FitStatus
from aslprep_nn.signal.kinetics import delta_m
from aslprep_nn.signal.protocol import Protocol

SHAPE = (32, 30, 4)


def tissue(shape=SHAPE):
    """Describe smoothly arriving blood and a chequered flow."""
    x, y = torch.meshgrid(*(torch.arange(n).double() for n in shape[:2]), indexing='ij')
    att = (1.1 + 0.3 * torch.sin(x / 9) * torch.cos(y / 11)).unsqueeze(-1).expand(shape)
    cbf = (30 + 40 * ((x // 10 + y // 10) % 2)).unsqueeze(-1).expand(shape)
    return cbf.clone(), att.clone()


def series_of(acquisition, cbf, att, noise, seed=0, **more):
    signal = delta_m(cbf, att, Protocol.of(acquisition))
    generator = torch.Generator().manual_seed(seed)
    data = signal + noise * torch.randn(signal.shape, generator=generator, dtype=signal.dtype)
    mask = torch.ones(cbf.shape).bool()
    mask[0] = False
    return PerfusionSeries(data, mask, torch.tensor(noise), (acquisition,), **more)


def uniform(shape):
    return torch.full(shape, 60.0).double(), torch.full(shape, 1.25).double()


def test_without_noise_and_without_detail_the_truth_comes_back(pcasl_6):
    series = series_of(pcasl_6, *uniform(SHAPE), noise=1e-9)
    fit = fit_hybrid(series, dtype=torch.float64)
    for name, value in (('cbf', 60.0), ('att', 1.25)):
        expected = torch.full_like(fit.parameters[name], value)
        torch.testing.assert_close(fit.parameters[name], expected, rtol=1e-4, atol=0)
    assert (fit.status == FitStatus.CONVERGED).all()


def test_without_smoothing_it_is_the_least_squares_fit(pcasl_6):
    series = series_of(pcasl_6, *tissue(), noise=3e-4)
    hybrid = fit_hybrid(series, att_smoothing=0, cbf_smoothing=0, dtype=torch.float64)
    plain = fit_cbf_att(series.measurements().relative_delta_m, pcasl_6, dtype=torch.float64)
    torch.testing.assert_close(hybrid.parameters['att'], plain.parameters['att'])
    error = (hybrid.parameters['cbf'] / plain.parameters['cbf'] - 1).abs()
    assert error.max() < 5e-3


def error_of(fit, series, truth, name):
    return (fit.parameters[name].double() - series.voxels(truth)).square().nanmean().sqrt()


def test_it_errs_less_than_least_squares_on_the_same_or_on_smoothed_data(pcasl_6):
    cbf, att = tissue()
    series = series_of(pcasl_6, cbf, att, noise=3e-3)
    hybrid = fit_hybrid(series)
    plain = fit_cbf_att(series.measurements().relative_delta_m, pcasl_6)
    smooth = series.smoothed(1.0)
    smoothed = fit_cbf_att(smooth.relative_delta_m, pcasl_6, weights=smooth.weights)
    assert error_of(hybrid, series, att, 'att') < 0.5 * error_of(plain, series, att, 'att')
    ours = error_of(hybrid, series, cbf, 'cbf')
    assert ours < 0.6 * error_of(plain, series, cbf, 'cbf')
    assert ours < error_of(smoothed, series, cbf, 'cbf')


def test_standard_deviations_match_the_scatter(pcasl_6):
    series = series_of(pcasl_6, *uniform((40, 40, 6)), noise=6e-4)
    fit = fit_hybrid(series, att_smoothing=1.5, cbf_smoothing=0.7)
    for name in ('cbf', 'att'):
        values, std = (
            series.image(part[name])[:, 6:-6, 6:-6] for part in (fit.parameters, fit.std)
        )
        ratio = values.std() / std.square().mean().sqrt()
        assert ratio.item() == pytest.approx(1, abs=0.15)


def test_slices_keep_their_delays_and_places(pcasl_6, make):
    cbf, att = uniform((12, 12, 3))
    delays = [0.0, 0.25, 0.1]
    volumes = [
        delta_m(cbf[..., z], att[..., z], Protocol.of(pcasl_6, slice_delay=torch.tensor(d)))
        for z, d in enumerate(delays)
    ]
    series = PerfusionSeries(
        torch.stack(volumes, 2),
        torch.ones(12, 12, 3).bool(),
        torch.tensor(1e-6),
        (pcasl_6,),
        slice_delay=torch.tensor(delays),
    )
    fit = fit_hybrid(series)
    assert (fit.parameters['cbf'] - 60).abs().max() < 0.1
    assert (fit.parameters['att'] - 1.25).abs().max() < 0.002


def test_a_voxel_without_measurements_takes_its_neighbours(pcasl_6):
    series = series_of(pcasl_6, *uniform(SHAPE), noise=1e-5)
    data = series.relative_delta_m.clone()
    data[10, 10, 1] = torch.nan
    fit = fit_hybrid(replace(series, relative_delta_m=data))
    assert torch.isfinite(fit.parameters['cbf']).all()
    data[:, :, 1] = torch.nan
    missing = fit_hybrid(replace(series, relative_delta_m=data))
    status = series.image(missing.status)
    assert (status[1, 1:] == FitStatus.FAILED).all()
    assert (status[0, 1:] == FitStatus.CONVERGED).all()
    assert series.image(missing.parameters['cbf'])[1, 1:].isnan().all()


def test_where_no_delay_tells_att_the_status_says_so(make):
    late = make(LabelingType.PCASL, (2.0, 2.5, 3.0), 1.8)
    cbf, att = uniform(SHAPE)
    fit = fit_hybrid(series_of(late, cbf, 0.5 * att, noise=1e-5))
    assert (fit.status == FitStatus.ATT_NOT_IDENTIFIABLE).double().mean() > 0.9


def test_negative_flow_is_kept_and_marked(pcasl_6):
    series = series_of(pcasl_6, *uniform(SHAPE), noise=1e-6)
    data = series.relative_delta_m.clone()
    data[15, 15, 2] *= -3
    fit = fit_hybrid(replace(series, relative_delta_m=data), cbf_smoothing=0)
    where = torch.zeros(SHAPE).bool()
    where[15, 15, 2] = True
    here = series.voxels(where)
    assert fit.parameters['cbf'][here].item() < -50
    assert fit.status[here].item() == FitStatus.AT_BOUND
