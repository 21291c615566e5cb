"""The hybrid fit: ATT from strongly smoothed data, CBF at that ATT from lightly smoothed data.

ATT varies slowly over the brain and is what noise spoils first; CBF has fine detail and, at a
known ATT, is the factor of a known signal. Smoothing each by what it can bear is most of what
averaging neighbours can gain without a trained model.
"""

from __future__ import annotations

import torch
from torch import Tensor

from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.flow import flow_of_amplitude, unit_signal
from aslprep_nn.estimation.information import fisher_information, smoothed_covariance
from aslprep_nn.estimation.least_squares import ATT_RANGE, fit_cbf_att
from aslprep_nn.estimation.measurements import Chunk
from aslprep_nn.estimation.series import PerfusionSeries
from aslprep_nn.maps import FitStatus
from aslprep_nn.signal.model import SignalModel

#: Standard deviations of the kernels for ATT and for CBF, of a series of typical noise [voxel].
SMOOTHING_OF_ATT, SMOOTHING_OF_CBF = 2.0, 0.7
#: The flow at which the information about ATT is taken where CBF is less [mL/100 g/min].
LEAST_CBF = 5.0


def fit_hybrid(
    series: PerfusionSeries,
    *,
    att_smoothing: float = SMOOTHING_OF_ATT,
    cbf_smoothing: float = SMOOTHING_OF_CBF,
    att_range: tuple[float, float] = ATT_RANGE,
    dtype: torch.dtype = torch.float32,
) -> Fit:
    """Fit ATT on strongly, then CBF on lightly smoothed data.

    Parameters
    ----------
    series
        The measurements.
    att_smoothing, cbf_smoothing
        Standard deviation of the kernels, within slices and inside the mask [voxel].
    att_range
        Smallest and largest ATT [s].
    dtype
        Of the arithmetic.

    Returns
    -------
    A fit with the parameters ``cbf`` and ``att``, one entry per masked voxel, slice by slice, in
    the order of `PerfusionSeries.voxels`. Standard deviations are those of independent noise
    of the size that the series states; they say nothing about detail that smoothing took away.
    The residual is that of the lightly smoothed data.
    """
    strong, light = series.smoothed(att_smoothing), series.smoothed(cbf_smoothing)
    noise = series.voxel_noise.to(dtype)
    arrival = fit_cbf_att(
        strong.relative_delta_m,
        strong.acquisitions,
        slice_delay=strong.slice_delay,
        t1_tissue=strong.t1_tissue,
        weights=strong.weights,
        att_range=att_range,
        dtype=dtype,
        device=noise.device,
    )
    places = torch.arange(len(noise), device=noise.device)
    fit = Fit.nothing(len(noise), ('cbf', 'att'), dtype, noise.device)
    for smooth, detailed in zip(strong.chunks(), light.chunks(), strict=True):
        model = light.model(detailed.slice_delay, detailed.t1_tissue, dtype)
        voxels = detailed.voxels
        fit.put(
            voxels, _fit_cbf(model, detailed, smooth, arrival.at(places[voxels]), noise[voxels])
        )
    return fit


def cbf_at(model: SignalModel, chunk: Chunk, att: Tensor) -> Tensor:
    """Fit CBF where ATT, ``(voxel,)`` [s], is known: the factor of a known signal, ``(voxel,)``."""
    weight, data = chunk.summary.weight.to(att), chunk.summary.mean.to(att)
    unit = unit_signal(model, att)
    amplitude = (weight * unit * data).sum(0) / (weight * unit.square()).sum(0)
    return flow_of_amplitude(model, amplitude, att, weight)


def _fit_cbf(
    model: SignalModel, detailed: Chunk, smooth: Chunk, arrival: Fit, noise: Tensor
) -> Fit:
    """Fit CBF at the ATT of ``arrival``.

    What is left of the noise of CBF at a known ATT lies along the signal's slope in CBF, what
    ATT brings into CBF lies across it: their variances add.
    """
    att = arrival.parameters['att']
    weight, data = detailed.summary.weight.to(noise), detailed.summary.mean.to(noise)
    cbf = cbf_at(model, detailed, att)
    failed = ~torch.isfinite(cbf)
    at_least = cbf.clamp(min=LEAST_CBF)
    att_variance = smoothed_covariance(
        model, at_least, att, smooth.summary.weight.to(noise), noise=noise
    ).att
    information = fisher_information(model, at_least, att, weight)
    variance = noise.square() / information.cbf
    variance = variance + (information.both / information.cbf).square() * att_variance
    status = arrival.status.clone()
    status[cbf < 0] = FitStatus.AT_BOUND
    status[failed] = FitStatus.FAILED
    residual = (weight * (data - model.predict(cbf, att)).square()).sum(0)
    return Fit(
        parameters={'cbf': cbf.masked_fill(failed, torch.nan), 'att': att},
        std={
            'cbf': variance.sqrt().masked_fill(failed, torch.nan),
            'att': att_variance.sqrt().masked_fill(failed, torch.nan),
        },
        status=status,
        residual=residual,
        noise=noise,
    )
