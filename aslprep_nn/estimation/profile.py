"""What the measurements say about every ATT on one grid: the posterior, whatever the protocol.

At a given ATT the signal is an amplitude times a known shape, so the best amplitude is a ratio
of two inner products and its likelihood is closed. Over a fixed grid of ATT this turns any
number of measurements, by any labelling, into the same few numbers per voxel; all of them are
free of the scale of the data if noise is measured on the same scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import lru_cache

import torch
from torch import Tensor

from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.flow import flow_of_amplitude, unit_signal
from aslprep_nn.estimation.measurements import Chunk, Measurements
from aslprep_nn.maps import FitStatus

#: The grid of ATT: its ends [s] and its number of points.
FIRST_ATT, LAST_ATT, N_ATT = 0.02, 3.0, 48
#: Steps of the finer grid, on which the posterior is integrated, per step of the grid.
FINENESS = 4
#: Least energy of a shape relative to the strongest one: where the protocol sees next to
#: nothing, dividing by what it sees would make amplitudes out of noise.
LEAST_ENERGY = 2e-3
#: Standard deviation of ATT beyond which it is the grid that speaks, whose own is .86 [s].
UNTOLD_STD = 0.6


@dataclass(frozen=True)
class Profile:
    """The posterior of amplitude and ATT, under flat priors. Amplitude: see `flow`.

    NaN in voxels without a measurement.

    Parameters
    ----------
    probability
        Of each ATT of the grid, ``(att, voxel)``; it sums to 1.
    drop
        Log-likelihood of each ATT, at its best amplitude, below that of the best ATT of the
        grid, ``(att, voxel)``, never positive.
    conditional_amplitude, conditional_std
        Mean and standard deviation of the amplitude given ATT, ``(att, voxel)``
        [mL/100 g/min].
    amplitude, amplitude_std
        Its posterior mean and standard deviation, ``(voxel,)`` [mL/100 g/min].
    att, att_std
        Posterior mean and standard deviation of ATT, ``(voxel,)`` [s].
    misfit
        Sum of squares, in units of the noise variance, that the best ATT leaves unexplained,
        ``(voxel,)``: chi-square with ``degrees_of_freedom`` where the model holds.
    degrees_of_freedom
        Number of measurements less two parameters, ``(voxel,)``.
    """

    probability: Tensor
    drop: Tensor
    conditional_amplitude: Tensor
    conditional_std: Tensor
    amplitude: Tensor
    amplitude_std: Tensor
    att: Tensor
    att_std: Tensor
    misfit: Tensor
    degrees_of_freedom: Tensor

    @classmethod
    def nothing(cls, n_voxels: int, dtype: torch.dtype, device: torch.device) -> Profile:
        """Make room for the profile of voxels: NaN everywhere."""

        def missing(*shape: int) -> Tensor:
            return torch.full((*shape, n_voxels), torch.nan, dtype=dtype, device=device)

        return cls(*(missing(N_ATT) for _ in range(4)), *(missing() for _ in range(6)))

    def amplitude_at(self, att: Tensor) -> Tensor:
        """Interpolate the mean of the amplitude given an ATT of each voxel, ``(voxel,)``."""
        place = (att - FIRST_ATT) / (LAST_ATT - FIRST_ATT) * (N_ATT - 1)
        below = place.nan_to_num().floor().clamp(0, N_ATT - 2).long()
        first, second = (self.conditional_amplitude.gather(0, (below + i)[None])[0] for i in (0, 1))
        return torch.lerp(first, second, (place - below).clamp(0, 1).to(first))

    def put(self, voxels: Tensor | slice, part: Profile) -> None:
        """Write the voxels of a part into their places."""
        for field in fields(self):
            getattr(self, field.name)[..., voxels] = getattr(part, field.name)


def att_grid(dtype: torch.dtype = torch.float64, device: torch.device | str = 'cpu') -> Tensor:
    """List the ATT of the grid, ``(att,)`` [s]."""
    return torch.linspace(FIRST_ATT, LAST_ATT, N_ATT, dtype=torch.float64).to(device, dtype)


def profile(
    measured: Measurements, noise: Tensor, *, dtype: torch.dtype = torch.float32
) -> Profile:
    """Find the posterior of amplitude and ATT in every voxel.

    With c = <x, k> / <k, k> for the signal k of amplitude 1 at an ATT, and e = max(c, 0)² <k, k>
    / noise², the flat prior on the amplitude leaves ATT the density exp(e / 2) / |k|. A negative
    amplitude explains nothing. The log-likelihood is interpolated onto a finer grid before it is
    integrated, because at high signal to noise the posterior is narrower than a step.

    Parameters
    ----------
    measured
        The measurements.
    noise
        Standard deviation of one measurement of weight 1, a scalar or ``(voxel,)``, above 0
        [delta M / M0].
    dtype
        Of the result. Likelihoods, differences of large numbers, are always taken in float64.

    Returns
    -------
    The profile.
    """
    device = measured.relative_delta_m.device
    whole = Profile.nothing(measured.n_voxels, dtype, device)
    noise = noise.to(device, torch.float64).expand(measured.n_voxels)
    for chunk in measured.chunks():
        shapes = _unit_signals(measured, chunk)
        whole.put(chunk.voxels, _profile(shapes, chunk, noise[chunk.voxels], dtype))
    return whole


def fit_posterior_mean(
    measured: Measurements, noise: Tensor, *, dtype: torch.dtype = torch.float32
) -> Fit:
    """Estimate CBF and ATT by the mean of their posterior.

    Arguments as in `profile`. It has less error than least squares at low signal to noise, and
    more bias: towards the middle of the grid where the measurements do not tell ATT.

    Returns
    -------
    A fit with the parameters ``cbf`` and ``att``.
    """
    found = profile(measured, noise, dtype=dtype)
    cbf, cbf_std = flow_with_std(
        measured, found.amplitude, found.amplitude_std, found.att.clamp(min=0)
    )
    noise = noise.to(cbf).expand_as(cbf)
    return Fit(
        parameters={'cbf': cbf, 'att': found.att},
        std={'cbf': cbf_std, 'att': found.att_std},
        status=status_of(cbf, found.att_std),
        residual=found.misfit * noise.square(),
        noise=noise.clone(),
    )


def status_of(cbf: Tensor, att_std: Tensor) -> Tensor:
    """Say how far estimates that are means of a posterior can be used, ``(voxel,)``."""
    status = torch.full_like(cbf, FitStatus.CONVERGED, dtype=torch.uint8)
    status[att_std > UNTOLD_STD] = FitStatus.ATT_NOT_IDENTIFIABLE
    status[cbf < 0] = FitStatus.AT_BOUND
    status[cbf.isnan()] = FitStatus.FAILED
    return status


def flow_with_std(
    measured: Measurements, amplitude: Tensor, amplitude_std: Tensor, att: Tensor
) -> tuple[Tensor, Tensor]:
    """Turn amplitudes, and how sure they are, into CBF.

    Parameters
    ----------
    measured
        The measurements the amplitudes explain.
    amplitude, amplitude_std, att
        ``(voxel,)`` [mL/100 g/min, mL/100 g/min, s].

    Returns
    -------
    CBF and its standard deviation, ``(voxel,)`` [mL/100 g/min].
    """
    cbf, std = torch.full_like(amplitude, torch.nan), torch.full_like(amplitude, torch.nan)
    for chunk in measured.chunks():
        model = measured.model(chunk.slice_delay, chunk.t1_tissue, amplitude.dtype)
        weight = chunk.summary.weight.to(amplitude)
        middle, half, when = (part[chunk.voxels] for part in (amplitude, amplitude_std, att))
        cbf[chunk.voxels] = flow_of_amplitude(model, middle, when, weight)
        ends = [flow_of_amplitude(model, middle + s * half, when, weight) for s in (-1, 1)]
        std[chunk.voxels] = (ends[1] - ends[0]) / 2
    return cbf, std


def _unit_signals(measured: Measurements, chunk: Chunk) -> Tensor:
    """Predict the signal of amplitude 1 at each ATT, ``(timing, att, voxel or 1)``, float64."""
    att = att_grid(device=measured.relative_delta_m.device)
    if chunk.t1_tissue is None:
        return unit_signal(measured.model(chunk.slice_delay, None), att).unsqueeze(-1)
    t1_tissue = chunk.t1_tissue.repeat(N_ATT)
    signals = unit_signal(
        measured.model(chunk.slice_delay, t1_tissue), att.repeat_interleave(len(chunk.t1_tissue))
    )
    return signals.reshape(len(signals), N_ATT, -1)


def _profile(shapes: Tensor, chunk: Chunk, noise: Tensor, dtype: torch.dtype) -> Profile:
    """Find the profile of voxels that share ``shapes``; see `_unit_signals`."""
    data = chunk.summary
    weight, mean = data.weight.double(), data.mean.double()
    score = _over_timings(shapes, weight * mean)
    energy = _over_timings(shapes.square(), weight)
    energy = torch.maximum(energy, LEAST_ENERGY * energy.amax(0))
    likelihood = score.clamp(min=0).square() / (2 * energy * noise.square())
    best = likelihood.amax(0)
    drop = (likelihood - best).to(dtype)
    amplitude, std = (score / energy).to(dtype), (noise / energy.sqrt()).to(dtype)

    cubic, linear = (matrix.to(drop) for matrix in _interpolations())
    fine_drop = cubic @ drop
    density = torch.softmax(fine_drop - linear @ (energy.log() / 2).to(dtype), 0)
    fine_att, fine_amplitude = (linear @ att_grid().to(drop)).unsqueeze(-1), linear @ amplitude
    mean_att, att_variance = _moments(density, fine_att)
    mean_amplitude, amplitude_variance = _moments(density, fine_amplitude)
    step = (LAST_ATT - FIRST_ATT) / (N_ATT - 1) / FINENESS
    within = (density * (linear @ std.square())).sum(0)
    explained = 2 * (best + fine_drop.amax(0).clamp(min=0))
    squares = (weight * mean.square()).sum(0) + data.scatter.double()
    return Profile(
        probability=linear.mT @ density,
        drop=drop,
        conditional_amplitude=amplitude,
        conditional_std=std,
        amplitude=mean_amplitude,
        amplitude_std=(amplitude_variance + within).sqrt(),
        att=mean_att,
        att_std=(att_variance + step**2 / 12).sqrt(),
        misfit=(squares / noise.square() - explained).clamp(min=0).to(dtype),
        degrees_of_freedom=(data.n_measurements - 2).to(drop).expand_as(mean_att),
    )


def _moments(density: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Find mean and variance, the mean to the last digit although ``density`` is rounded."""
    mean = (density * values).sum(0)
    deviation = values - mean
    weighted = density * deviation
    return mean + weighted.sum(0), (weighted * deviation).sum(0)


def _over_timings(shapes: Tensor, values: Tensor) -> Tensor:
    """Sum ``(timing, att, voxel or 1)`` times ``(timing, voxel)`` over timings."""
    if shapes.shape[-1] == 1:
        return shapes.squeeze(-1).mT @ values
    return (shapes * values.unsqueeze(1)).sum(0)


@lru_cache(maxsize=1)
def _interpolations() -> tuple[Tensor, Tensor]:
    """Weigh the points of the grid at each point of the finer one, ``(fine att, att)``.

    Returns
    -------
    By the cubic through the four nearest points, and by the straight line through two.
    """
    n_fine = (N_ATT - 1) * FINENESS + 1
    position = torch.arange(n_fine, dtype=torch.float64) / FINENESS
    return _lagrange(position, 4), _lagrange(position, 2)


def _lagrange(position: Tensor, n_points: int) -> Tensor:
    first = (position.floor() - n_points // 2 + 1).clamp(min=0, max=N_ATT - n_points)
    nodes = first.unsqueeze(-1) + torch.arange(n_points)
    offsets = position.unsqueeze(-1) - nodes
    matrix = torch.zeros(len(position), N_ATT, dtype=torch.float64)
    for i in range(n_points):
        others = [j for j in range(n_points) if j != i]
        scale = math.prod(i - j for j in others)
        matrix.scatter_(1, nodes[:, i : i + 1].long(), offsets[:, others].prod(-1, True) / scale)
    return matrix
