"""What the network is told about a whole slice: what its protocol can tell, and how loudly."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from aslprep_nn.acquisition import LabelingType
from aslprep_nn.estimation.flow import REFERENCE_CBF, unit_signal
from aslprep_nn.estimation.information import smoothed_covariance
from aslprep_nn.estimation.measurements import Measurements
from aslprep_nn.estimation.profile import Profile
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.estimation.series import PerfusionSeries

#: ATT at which the protocol is asked what it can tell [s].
PROBED_ATT = (0.3, 0.65, 1.0, 1.35, 1.7, 2.05, 2.4, 2.75)
#: ATT at which the amplitude is turned into a signal-to-noise ratio [s].
TYPICAL_ATT = 1.2
#: Kinds of labelling whose signals differ in what their amplitude means.
KINDS = (
    (LabelingType.PCASL, LabelingType.CASL),
    (LabelingType.PASL,),
    (LabelingType.VSASL,),
)
#: Two bounds at each probed ATT.
N_BOUNDS = 2 * len(PROBED_ATT)
#: Presence, mean, standard deviation and maximum of each kind, one ratio, log SNR.
N_AMPLITUDES = 4 * len(KINDS) + 2


def conditions(
    series: PerfusionSeries, scale: Tensor, profiles: Sequence[Profile], roughness: Tensor
) -> Tensor:
    """Say what the protocol can tell about each slice at this noise, ``(slice, condition)``.

    Logarithms of the smoothed Cramér-Rao bounds (standard deviations of relative CBF and of
    ATT) at eight ATT, at the flow and noise of an image of the reference amplitude, so that
    they do not depend on its scale; by how much the misfit exceeds its expectation after each
    smoothing (unsmoothed, that says whether the stated noise is right; smoothed, whether the
    noise of neighbours is as independent as smoothing takes it to be); and the mean of each
    ``roughness``, ``(roughness, voxel)``.
    """
    noise = _slice_mean(series, series.voxel_noise.square()).sqrt()
    relative_noise = (noise / scale).double() * REFERENCE_CBF
    n_probes = len(PROBED_ATT)
    att = torch.tensor(PROBED_ATT, dtype=torch.float64, device=scale.device).repeat(len(noise))
    delay = None if series.slice_delay is None else series.slice_delay.repeat_interleave(n_probes)
    bound = smoothed_covariance(
        series.measurements().model(delay, None),
        torch.full_like(att, REFERENCE_CBF),
        att,
        _timing_weight(series).double().repeat_interleave(n_probes, -1),
        noise=relative_noise.repeat_interleave(n_probes),
    )
    variances = torch.stack([bound.cbf / REFERENCE_CBF**2, bound.att]).reshape(2, -1, n_probes)
    misfits = [_slice_mean(series, _excess(found)).asinh() for found in profiles]
    rough = _slice_mean(series, roughness).movedim(0, -1)
    return torch.cat([*(variances.log() / 2), torch.stack(misfits, -1), rough], -1).to(scale)


def _excess(found: Profile) -> Tensor:
    """Relate the misfit of each voxel to its expectation, 0 where it has none, ``(voxel,)``."""
    freedom = found.degrees_of_freedom
    return torch.where(freedom > 0, found.misfit / freedom.clamp(min=1) - 1, 0)


def amplitudes(series: PerfusionSeries, plain: Measurements, scale: Tensor) -> Tensor:
    """Say how strong the signal of each slice is in units of its noise, ``(slice, amplitude)``.

    For each kind of labelling whether it is there, and mean, standard deviation and maximum
    over voxels of its average signal; the angle whose tangent is the ratio of continuous to
    velocity-selective signal, where both are there; the logarithm of the signal-to-noise ratio
    of the reference amplitude.
    """
    repetitions = Repetitions.of(series.acquisitions)
    summary = repetitions.summarize(plain.relative_delta_m, series.weights)
    weight = summary.weight.to(summary.mean).expand_as(summary.mean)
    columns, means = [], []
    for timings in _timings_of_kinds(repetitions):
        total = weight[timings].sum(0)
        signal = (weight[timings] * summary.mean[timings]).sum(0) / total.sqrt().clamp(min=1e-12)
        signal = series.image(signal / series.voxel_noise).flatten(1)
        mean = _slice_mean(series, signal[series.inside.flatten(1)])
        inside = series.inside.flatten(1)
        square = ((signal - mean.unsqueeze(-1)) * inside).square().sum(1)
        spread = (square / inside.sum(1).clamp(min=1)).sqrt()
        most = signal.masked_fill(~inside, -torch.inf).amax(1)
        most = torch.where(inside.any(1), most, 0)
        there = torch.full_like(mean, float(bool(timings)))
        columns += [there, mean.asinh(), spread.asinh(), most.asinh()]
        means.append(mean)
    both = columns[0] * columns[8]
    columns.append(both * torch.atan2(means[0], means[2]))
    columns.append(_log_snr(series, plain, scale))
    return torch.stack(columns, -1).to(scale)


def _log_snr(series: PerfusionSeries, plain: Measurements, scale: Tensor) -> Tensor:
    noise = _slice_mean(series, series.voxel_noise.square()).sqrt()
    att = torch.tensor([TYPICAL_ATT], dtype=torch.float64, device=scale.device)
    peak = unit_signal(plain.model(None, None), att).amax().to(scale)
    return (peak * scale / noise.clamp(min=torch.finfo(noise.dtype).tiny)).log()


def _timings_of_kinds(repetitions: Repetitions) -> list[list[int]]:
    kinds = [a.labeling for a in repetitions.acquisitions for _ in a.pld]
    return [[i for i, kind in enumerate(kinds) if kind in members] for members in KINDS]


def _timing_weight(series: PerfusionSeries) -> Tensor:
    """Average the weight of each distinct timing over each slice, ``(timing, slice)``."""
    repetitions = Repetitions.of(series.acquisitions)
    summary = repetitions.summarize(series.voxels(series.relative_delta_m), series.weights)
    weight = summary.weight.to(summary.mean).expand_as(summary.mean)
    return _slice_mean(series, weight)


def _slice_mean(series: PerfusionSeries, voxels: Tensor) -> Tensor:
    """Average ``(..., voxel)`` over each slice, over the volume where it is empty."""
    n_voxels = series.inside.flatten(1).sum(1)
    total = series.image(voxels).flatten(-2).sum(-1)
    return torch.where(n_voxels > 0, total / n_voxels.clamp(min=1), voxels.mean(-1, keepdim=True))
