"""The least loss that any estimator can have, where what is believed before measuring is known."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.estimation.information import smoothed_covariance
from aslprep_nn.evaluation.conditions import Condition, measured
from aslprep_nn.evaluation.estimators import middle_slices
from aslprep_nn.evaluation.phantoms import MIDDLE, Phantoms
from aslprep_nn.evaluation.scores import Parameter, Region, Truth
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.simulation.dice import Interval
from aslprep_nn.simulation.perfusion import ANY_ATT, ANY_CBF
from aslprep_nn.simulation.training import TrainingBatch

#: Values of CBF and of ATT that integrals run over.
N_CBF, N_ATT = 120, 241
#: Voxels whose posterior densities are held at once.
CHUNK = 256


class Possible(NamedTuple):
    """Everything a voxel may be, at equal probability, ``(place,)``.

    Parameters
    ----------
    values
        CBF and ATT, ``(parameter, place)`` [mL/100 g/min, s].
    signal
        What would be measured, ``(timing, place)`` [delta M / M0].
    """

    values: Tensor
    signal: Tensor


def least_loss(phantoms: Phantoms, condition: Condition, seed: int) -> dict[Parameter, float]:
    """Find the mean loss over the bound below which no estimator can come.

    The phantoms have to be random voxel by voxel (`voxelwise`). What they were drawn from and
    the size of the noise are then all that can be known beforehand, and the mean of the
    posterior weighted by the inverse bound W, E[x / W] / E[1 / W], has the least expected loss
    (x - estimate)^2 / W of all functions of the data (the Bayes estimator under weighted squared
    loss; Lehmann and Casella 1998, chapter 4, corollary 1.2). No network can know more.

    Parameters
    ----------
    phantoms, condition, seed
        As of `run_condition`; physics has to be known.

    Returns
    -------
    Mean over all voxels and both draws of the noise, by parameter [1].
    """
    losses: list[Tensor] = []
    batches = measured(phantoms, condition, seed)
    for part, batch in zip(phantoms.chunks(), batches, strict=True):
        losses += _losses(batch, Truth.of(part, batch))
    mean = torch.cat(losses, 1).mean(1)
    return {parameter: mean[parameter].item() for parameter in Parameter}


def _losses(batch: TrainingBatch, truth: Truth) -> list[Tensor]:
    """Score the best estimator in every phantom, ``(parameter, draw and voxel)`` each."""
    model = middle_slices(batch, 0).measurements().model(None, None)
    weight = batch.repetitions.double().unsqueeze(1)
    possible = everything_possible(model)
    found = []
    for phantom, inside in enumerate(truth.regions[Region.BRAIN]):
        data = batch.relative_delta_m[:, phantom, MIDDLE][:, inside].double()
        # the bound is that of the noise an analysis would estimate, as in every other score
        noise = batch.noise[0, phantom].double()
        cbf, att = possible.values
        covariance = smoothed_covariance(model, cbf, att, weight, noise=noise.expand_as(cbf))
        bound = torch.stack([covariance.cbf, covariance.att])
        precision = weight / batch.thermal_noise[phantom].double().square()
        best = best_estimate(data.flatten(0, 1), precision, possible, bound)
        error = best.reshape(-1, *data.shape[:2]) - truth.values[:, phantom, inside].unsqueeze(1)
        loss = error.square() / truth.bound[:, phantom, inside].unsqueeze(1)
        found.append(loss.flatten(1))
    return found


def everything_possible(
    model: SignalModel, cbf: Interval = ANY_CBF, att: Interval = ANY_ATT
) -> Possible:
    """List the voxels that may be drawn, and their signals."""
    flows, arrivals = (
        low + (high - low) * (torch.arange(n, dtype=torch.float64) + 0.5) / n
        for (low, high), n in ((cbf, N_CBF), (att, N_ATT))
    )
    values = torch.cartesian_prod(flows, arrivals).T
    return Possible(values, model.predict(values[0], values[1]))


def best_estimate(data: Tensor, precision: Tensor, possible: Possible, bound: Tensor) -> Tensor:
    """Estimate with the least expected squared error over the bound.

    Parameters
    ----------
    data
        ``(voxel, timing)`` [delta M / M0].
    precision
        Inverse variance of each timing, ``(timing, 1)``.
    possible
        What a voxel may be.
    bound
        At each of these, ``(parameter, place)``.

    Returns
    -------
    ``(parameter, voxel)`` [mL/100 g/min, s].
    """
    weighted = precision * possible.signal
    energy = (weighted * possible.signal).sum(0) / 2
    asked = torch.cat([possible.values / bound, 1 / bound]).T
    means = []
    for part in torch.split(data, CHUNK):
        log_density = part @ weighted - energy
        density = (log_density - log_density.amax(1, keepdim=True)).exp()
        above, below = (density @ asked).T.chunk(2)
        means.append(above / below)
    return torch.cat(means, 1)
