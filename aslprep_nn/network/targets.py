"""What there is to learn about a simulated series: its truth, its bound, its signal."""

from __future__ import annotations

import torch
from torch import Tensor

from aslprep_nn.estimation.flow import amplitude_of_flow, flow_of_amplitude
from aslprep_nn.estimation.information import PRIOR_RANGE, smoothed_covariance
from aslprep_nn.estimation.measurements import Chunk, Measurements
from aslprep_nn.estimation.series import PerfusionSeries
from aslprep_nn.network.losses import Target
from aslprep_nn.signal.model import SignalModel


def target_of(
    series: PerfusionSeries,
    cbf: Tensor,
    att: Tensor,
    dial: Tensor,
    *,
    prior_range: tuple[float, float] = PRIOR_RANGE,
) -> Target:
    """Say what an estimate of a series should be, and how far the best one scatters.

    The bound is the smoothed Cramér-Rao bound with the prior's information: at the kinks of a
    protocol, and where it does not tell ATT, the plain one is no weight for a loss.

    Parameters
    ----------
    series
        What was measured.
    cbf, att
        The truth, ``(x, y, slice)`` [mL/100 g/min, s].
    dial
        How many times as much bias counts as scatter, a scalar.
    prior_range
        Widths of what is believed possible: CBF [mL/100 g/min] and ATT [s].

    Returns
    -------
    The target, its images ``(slice, x, y)``; truth 0 and bound 1 outside the mask.
    """
    measured, noise = series.measurements(), series.voxel_noise
    flow, arrival = series.voxels(cbf).to(noise), series.voxels(att).to(noise)
    truth, bound = torch.stack([flow, arrival]), torch.empty(2, len(flow)).to(noise)
    for chunk in measured.chunks():
        model, weight = _model(measured, chunk, noise.dtype)
        here = flow[chunk.voxels], arrival[chunk.voxels]
        truth[0, chunk.voxels] = amplitude_of_flow(model, *here, weight)
        covariance = smoothed_covariance(
            model, *here, weight, noise=noise[chunk.voxels], prior_range=prior_range
        )
        bound[:, chunk.voxels] = torch.stack([covariance.cbf, covariance.att])
    return Target(series.image(truth), series.image(bound, 1.0), series.inside, dial)


def reconstruction_error(measured: Measurements, noise: Tensor, estimate: Tensor) -> Tensor:
    """Compare the signal that estimates predict with the one measured.

    Parameters
    ----------
    measured
        The measurements.
    noise
        Standard deviation of one measurement of weight 1, ``(voxel,)`` [delta M / M0].
    estimate
        Amplitude and ATT, ``(2, voxel)`` [mL/100 g/min, s].

    Returns
    -------
    Mean squared residual of the distinct timings in units of their noise, ``(voxel,)`` [1]: 1 on
    average at the truth, 0 where nothing was measured.
    """
    parts, places = [], []
    everywhere = torch.arange(measured.n_voxels, device=estimate.device)
    for chunk in measured.chunks():
        model, weight = _model(measured, chunk, estimate.dtype)
        amplitude, att = estimate[:, chunk.voxels]
        cbf = flow_of_amplitude(model, amplitude, att, weight)
        residual = chunk.summary.mean.to(estimate) - model.predict(cbf, att)
        squares = weight * residual.square() / noise[chunk.voxels].to(estimate).square()
        parts.append(squares.sum(0) / chunk.summary.n_timings.clamp(min=1))
        places.append(everywhere[chunk.voxels])
    return torch.cat(parts)[torch.cat(places).argsort()]


def _model(measured: Measurements, chunk: Chunk, dtype: torch.dtype) -> tuple[SignalModel, Tensor]:
    model = measured.model(chunk.slice_delay, chunk.t1_tissue, dtype)
    return model, chunk.summary.weight.to(dtype)
