"""Label still in arteries: found by comparing fits, claimed only where noise cannot explain it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from aslprep_nn.estimation.fan import Fan
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.information import noise_level, smoothed_covariance
from aslprep_nn.estimation.optimum import Optimum, estimates, find_optimum
from aslprep_nn.estimation.repetitions import Summary
from aslprep_nn.signal.arterial import arterial_response, arterial_window
from aslprep_nn.signal.model import Direction, SignalModel

#: Label reaches the large arteries of the head within this time [s].
ARRIVAL_RANGE = (0.0, 2.0)
#: Share of voxels without arterial signal in which one may be claimed.
FALSE_POSITIVE_RATE = 0.04
#: Simulated voxels, and their CBF [mL/100 g/min], ATT [s] and peak signal over noise.
N_SIMULATED = 4000
CBF_RANGE, ATT_RANGE = (20.0, 100.0), (0.4, 2.0)
SIGNAL_TO_NOISE = (40.0, 10.0, 4.0)


@dataclass(frozen=True)
class Passage:
    """Arrival times [s] for which the same measurements see label pass through the artery.

    Within them the arterial signal keeps its shape, so finitely many passages cover every
    arrival time. ``signal`` is that of a voxel full of arterial blood whose label arrives at
    ``arrival``, ``(timing, 1)``.
    """

    earliest: float
    arrival: float
    signal: Tensor


def arterial_passages(model: SignalModel) -> list[Passage]:
    """List every passage that a protocol can tell from the others."""
    windows = [torch.stack(arterial_window(p)) for p in model.protocols]
    kinks = torch.cat([w.flatten() for w in windows])
    inside = kinks[(kinks > ARRIVAL_RANGE[0]) & (kinks < ARRIVAL_RANGE[1])].tolist()
    spans = [
        (earliest, latest)
        for earliest, latest in pairwise(sorted({*ARRIVAL_RANGE, *inside}))
        if latest - earliest > 1e-3
    ]
    arrivals = kinks.new_tensor(spans).mean(-1)
    response = torch.cat([arterial_response(arrivals, p) for p in model.protocols])
    signals = model.compress(response).mT
    return [
        Passage(earliest, arrival, signal.unsqueeze(-1))
        for (earliest, _), arrival, signal, seen in zip(
            spans, arrivals.tolist(), signals, signals.any(-1).tolist(), strict=True
        )
        if seen
    ]


class ArterialFit(NamedTuple):
    """The best fit with an arterial term, ``(voxel,)``; its passage is -1 where none fits."""

    optimum: Optimum
    arterial_blood_volume: Tensor
    passage: Tensor


@dataclass(frozen=True)
class ArterialFans:
    """The cones of a protocol with each passage's signal projected out of them."""

    passages: tuple[Passage, ...]
    fans: tuple[Fan, ...]

    @classmethod
    def of(
        cls, model: SignalModel, weight: Tensor, make_fan: Callable[[SignalModel], Fan]
    ) -> ArterialFans:
        """Build the fans; ``model`` is in float64 and the same for all voxels."""
        passages = tuple(arterial_passages(model))
        weight = weight.double().unsqueeze(-1)
        fans = tuple(make_fan(model.without(Direction(p.signal, weight))) for p in passages)
        return cls(passages, fans)

    def fit(self, model: SignalModel, data: Summary) -> ArterialFit:
        """Fit every passage and keep the best one with a positive volume.

        Label passes through arteries before it reaches tissue, so passages that begin after a
        voxel's ATT do not count.
        """
        nothing = torch.full_like(data.energy, torch.nan)
        status = torch.zeros_like(nothing, dtype=torch.uint8)
        missing = torch.full_like(nothing, torch.inf)
        nowhere = torch.full_like(nothing, -1, dtype=torch.long)
        best = [nothing, nothing, missing, status, nothing, nowhere]
        for index, (passage, fan) in enumerate(zip(self.passages, self.fans, strict=True)):
            direction = Direction(passage.signal.to(data.mean), data.weight)
            found = find_optimum(fan, model.without(direction), data.without(direction))
            tissue = model.linearize(found.cbf, found.att).delta_m
            volume = direction.strength_in(data.mean - tissue)
            possible = (volume > 0) & (found.att >= passage.earliest) & (found.cost < best[2])
            candidate = [*found, volume, torch.full_like(best[5], index)]
            best = [
                torch.where(possible, new, old) for new, old in zip(candidate, best, strict=True)
            ]
        return ArterialFit(Optimum(*best[:4]), best[4], best[5])


def arterial_estimates(
    found: ArterialFit, fans: ArterialFans, model: SignalModel, data: Summary
) -> Fit:
    """Turn arterial fits into estimates with standard deviations."""
    signals = torch.stack([p.signal.squeeze(-1) for p in fans.passages]).to(data.mean)
    direction = Direction(signals[found.passage.clamp(min=0)].mT, data.weight)
    noise = noise_level(data, found.optimum.cost, n_parameters=3)
    point = found.optimum.cbf, found.optimum.att
    without = model.without(direction)
    covariance = smoothed_covariance(without, *point, data.weight, noise=noise)
    fit = estimates(found.optimum, covariance, data, noise)
    tissue = model.linearize(*point)
    per_cbf, per_att = (direction.strength_in(d) for d in (tissue.d_cbf, tissue.d_att))
    variance = (
        noise.square() / direction.energy
        + per_cbf.square() * covariance.cbf
        + 2 * per_cbf * per_att * covariance.both
        + per_att.square() * covariance.att
    )
    name = 'arterial_blood_volume'
    return replace(
        fit,
        parameters={**fit.parameters, name: found.arterial_blood_volume},
        std={**fit.std, name: variance.sqrt()},
    )


def gain_statistic(data: Summary, plain_cost: Tensor, arterial_cost: Tensor) -> Tensor:
    """Compute how much better the arterial fit is, in units of its noise variance."""
    freedom = (data.n_measurements - 3).clamp(min=1)
    variance = (data.scatter + arterial_cost) / freedom
    return (plain_cost - arterial_cost) / variance


def calibrate_gain(model: SignalModel, plain: Fan, arterial: ArterialFans, data: Summary) -> float:
    """Find the gain that voxels without arterial signal exceed at `FALSE_POSITIVE_RATE`.

    Which passage fits best is chosen among many, so the gain follows no textbook distribution.
    Voxels without arterial signal are simulated with the protocol's own timings and numbers of
    repetitions, at several levels of noise; the largest quantile counts.

    Parameters
    ----------
    model
        In the precision of the fit.
    plain, arterial
        The cones without and with an arterial term.
    data
        Any voxels of the study, for the weights and numbers of measurements.
    """
    quantiles = []
    for level, ratio in enumerate(SIGNAL_TO_NOISE):
        simulated = _simulate(model, data, ratio, seed=level)
        without = find_optimum(plain, model, simulated)
        found = arterial.fit(model, simulated)
        gain = gain_statistic(simulated, without.cost, found.optimum.cost)
        quantiles.append(gain.nan_to_num(0).quantile(1 - FALSE_POSITIVE_RATE))
    return float(max(quantiles))


def _simulate(model: SignalModel, data: Summary, ratio: float, seed: int) -> Summary:
    generator = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(N_SIMULATED, generator=generator)

    cbf, att = uniform(*CBF_RANGE).to(data.mean), uniform(*ATT_RANGE).to(data.mean)
    weight = data.weight[:, :1]
    signal = model.at(torch.zeros(N_SIMULATED, dtype=torch.long)).linearize(cbf, att).delta_m
    noise = signal.amax(0).mean() / ratio
    normal = torch.randn(signal.shape, generator=generator).to(signal)
    repeated = int((data.n_measurements - data.n_timings).flatten()[0])
    random = np.random.default_rng(seed)
    scatter = random.chisquare(repeated, N_SIMULATED) if repeated else np.zeros(N_SIMULATED)
    return Summary.of(
        signal + noise * normal / weight.sqrt(),
        weight,
        noise**2 * torch.from_numpy(scatter).to(cbf),
        data.n_measurements.flatten()[:1],
    )
