"""Every estimator on one batch: what is judged, and what it is judged against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.hybrid import cbf_at, fit_hybrid
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.measurements import Measurements
from aslprep_nn.estimation.profile import fit_posterior_mean
from aslprep_nn.estimation.series import PerfusionSeries
from aslprep_nn.evaluation.phantoms import MIDDLE
from aslprep_nn.evaluation.total_variation import denoised
from aslprep_nn.network.apply import estimate_at_dials
from aslprep_nn.network.model import AmplitudeAwareNetwork
from aslprep_nn.network.samples import series_of
from aslprep_nn.simulation.lesions import MOST_FLOW
from aslprep_nn.simulation.training import TrainingBatch

#: Standard deviations of kernels [voxel]: for both, or for ATT; for CBF at that ATT.
SIGMAS = (0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
SIGMAS_OF_ATT, SIGMAS_OF_CBF = (0.7, 1.0, 1.5, 2.0, 3.0), (0.0, 0.5, 0.7, 1.0, 1.5, 2.0)
#: Weights of total variation, in standard deviations of the noise.
STRENGTHS = (0.3, 0.6, 1.0, 1.6, 2.5)


class Family(StrEnum):
    """An estimator, whatever its setting."""

    AS_SHIPPED = 'least squares, as shipped'
    LEAST_SQUARES = 'least squares'
    POSTERIOR = 'posterior mean'
    SMOOTHED = 'LSQ**'
    TOTAL_VARIATION = 'TV**'
    HYBRID_AS_SHIPPED = 'HYB, as shipped'
    HYBRID = 'HYB**'
    LEAST_ERROR = 'network, dial 1'
    LEAST_BIAS = 'network, dial 8'


#: The ends of the network's dial.
DIALS = {Family.LEAST_ERROR: 1.0, Family.LEAST_BIAS: 8.0}


class Key(NamedTuple):
    """An estimator with its setting."""

    family: Family
    setting: tuple[float, ...] = ()


class Estimates(NamedTuple):
    """What an estimator says of the middle slices, NaN where it says nothing.

    Parameters
    ----------
    values, std
        CBF [mL/100 g/min] and ATT [s] with their standard deviations, ``(parameter, ..., phantom,
        x, y)``.
    """

    values: Tensor
    std: Tensor


def estimate_all(
    batch: TrainingBatch, network: AmplitudeAwareNetwork | None, *, total_variation: bool = False
) -> Mapping[Key, Estimates]:
    """Run every estimator on every draw of a batch.

    Parameters
    ----------
    batch
        The measurements.
    network
        The network, if there is one.
    total_variation
        Whether the data are denoised by total variation, too; it takes longest.

    Returns
    -------
    Estimates whose images are ``(parameter, draw, phantom, x, y)``.
    """
    draws = []
    for draw in range(len(batch.relative_delta_m)):
        series = middle_slices(batch, draw)
        found = dict(baselines(series))
        found.update(hybrid_sweep(series, found))
        if total_variation:
            found.update(_denoised(series))
        if network is not None:
            found.update(_on_stacks(network, batch, draw))
        draws.append(found)
    return {
        key: Estimates(
            *(torch.stack(parts, 1) for parts in zip(*(d[key] for d in draws), strict=True))
        )
        for key in draws[0]
    }


def middle_slices(batch: TrainingBatch, draw: int) -> PerfusionSeries:
    """Take the middle slices of all phantoms as the slices of one volume.

    All baselines work within slices, so they can share a call; all slices are read out at once.
    """
    mask = batch.mask[:, MIDDLE].movedim(0, -1)
    return PerfusionSeries(
        batch.relative_delta_m[draw, :, MIDDLE].movedim(0, 2),
        mask,
        batch.noise[draw].expand(mask.shape),
        batch.acquisitions,
        weights=batch.repetitions.to(batch.relative_delta_m),
    )


def baselines(series: PerfusionSeries) -> Iterator[tuple[Key, Estimates]]:
    """Estimate by least squares in all its forms, ``(parameter, slice, x, y)``.

    No flow of the phantoms exceeds `MOST_FLOW`, and baselines are told so: where a protocol does
    not tell ATT, least squares as it ships may give any number.
    """
    plain = series.measurements()
    fit = least_squares(plain)
    yield Key(Family.AS_SHIPPED), of_fit(series, fit)
    bounded = _bounded(of_fit(series, fit))
    yield Key(Family.LEAST_SQUARES), bounded
    yield Key(Family.POSTERIOR), of_fit(series, fit_posterior_mean(plain, series.voxel_noise))
    yield Key(Family.SMOOTHED, (0.0,)), bounded
    for sigma in SIGMAS:
        smooth = least_squares(series.smoothed(sigma))
        yield Key(Family.SMOOTHED, (sigma,)), _bounded(of_fit(series, smooth))
    yield Key(Family.HYBRID_AS_SHIPPED), of_fit(series, fit_hybrid(series))


def hybrid_sweep(
    series: PerfusionSeries, found: Mapping[Key, Estimates]
) -> Iterator[tuple[Key, Estimates]]:
    """Fit CBF to data smoothed by each width at the ATT that ``found`` has for larger ones."""
    smooth = {sigma: series.smoothed(sigma) for sigma in SIGMAS_OF_CBF}
    for of_att in SIGMAS_OF_ATT:
        att = found[Key(Family.SMOOTHED, (of_att,))].values[1][series.inside]
        sigmas = [sigma for sigma in SIGMAS_OF_CBF if sigma <= of_att]
        flows = _cbf_at(_join([smooth[sigma] for sigma in sigmas]), att.repeat(len(sigmas)))
        for sigma, cbf in zip(sigmas, flows.chunk(len(sigmas)), strict=True):
            values = torch.stack([cbf.clamp(min=0, max=MOST_FLOW), att])
            images = series.image(values, torch.nan)
            key = Key(Family.HYBRID, (of_att, sigma))
            yield key, Estimates(images, torch.full_like(images, torch.nan))


def _join(parts: list[Measurements]) -> Measurements:
    """List several smoothings of the same voxels one after another."""
    delay, weights = parts[0].slice_delay, [part.weights for part in parts]
    return replace(
        parts[0],
        relative_delta_m=torch.cat([part.relative_delta_m for part in parts]),
        slice_delay=None if delay is None else delay.repeat(len(parts)),
        weights=torch.cat([one for one in weights if one is not None]),
    )


def _denoised(series: PerfusionSeries) -> Iterator[tuple[Key, Estimates]]:
    for strength in STRENGTHS:
        fit = least_squares(denoised(series, strength))
        yield Key(Family.TOTAL_VARIATION, (strength,)), _bounded(of_fit(series, fit))


def _on_stacks(
    network: AmplitudeAwareNetwork, batch: TrainingBatch, draw: int
) -> Iterator[tuple[Key, Estimates]]:
    """Ask the network about whole stacks, as it would see a volume; keep their middle slices."""
    phantoms = [
        dict(by_network(network, series_of(batch, draw, phantom)))
        for phantom in range(batch.mask.shape[0])
    ]
    for key in phantoms[0]:
        parts = zip(*(one[key] for one in phantoms), strict=True)
        yield key, Estimates(*(torch.stack([one[:, MIDDLE] for one in part], 1) for part in parts))


def by_network(
    network: AmplitudeAwareNetwork, series: PerfusionSeries
) -> Iterator[tuple[Key, Estimates]]:
    """Estimate at both ends of the dial, ``(parameter, slice, x, y)``."""
    fits = estimate_at_dials(network, series, tuple(DIALS.values()))
    for family, fit in zip(DIALS, fits, strict=True):
        parts = (_stacked(fit.parameters), _stacked(fit.std))
        maps = (part.reshape(-1, *series.mask.shape).movedim(-1, 1) for part in parts)
        yield Key(family), Estimates(*maps)


def least_squares(measured: Measurements) -> Fit:
    """Fit a set of measurements."""
    return fit_cbf_att(
        measured.relative_delta_m,
        measured.acquisitions,
        slice_delay=measured.slice_delay,
        t1_tissue=measured.t1_tissue,
        weights=measured.weights,
    )


def _cbf_at(measured: Measurements, att: Tensor) -> Tensor:
    """Fit CBF, ``(voxel,)``, at a given ATT; where there is none, at none."""
    cbf, places = torch.full_like(att, torch.nan), torch.arange(len(att))
    for chunk in measured.chunks():
        model = measured.model(chunk.slice_delay, chunk.t1_tissue, att.dtype)
        cbf[chunk.voxels] = cbf_at(model, chunk, att[places[chunk.voxels]])
    return cbf


def _bounded(found: Estimates) -> Estimates:
    cbf, att = found.values
    return found._replace(values=torch.stack([cbf.clamp(max=MOST_FLOW), att]))


def of_fit(series: PerfusionSeries, fit: Fit) -> Estimates:
    """Put the voxels of a fit into their places, ``(parameter, slice, x, y)``."""
    maps = torch.stack([_stacked(fit.parameters), _stacked(fit.std)])
    return Estimates(*series.image(maps, torch.nan))


def _stacked(parts: Mapping[str, Tensor]) -> Tensor:
    return torch.stack([parts['cbf'], parts['att']])
