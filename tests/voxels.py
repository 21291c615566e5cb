"""Simulated voxels: a known truth, measured several times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.signal.kinetics import delta_m
from aslprep_nn.signal.protocol import Protocol
from aslprep_nn.signal.response import Kinetics

#: Delays of Wang, Tamir & Bush, section 3.1 [s].
DELAYS = (*(i / 10 for i in range(11)), *((10 + 2 * i) / 10 for i in range(1, 11)))
SHORT_DELAYS = (0.25, 0.5, 1.0, 1.5, 2.0, 2.5)


def pcasl(
    *, delays: tuple[float, ...] = DELAYS, repetitions: int = 8, duration: float = 1.5, **constants
) -> Acquisition:
    """Describe a protocol run through several times."""
    pld = delays * repetitions
    return Acquisition(LabelingType.PCASL, pld, (duration,) * len(pld), 0.85, **constants)


@dataclass(frozen=True)
class Population:
    """What voxels are drawn from, evenly: CBF [mL/100 g/min], ATT [s], and their noise."""

    cbf: tuple[float, float] = (30.0, 90.0)
    att: tuple[float, float] = (0.5, 1.8)
    noise: float = 0.002


BRAIN = Population()
KIDNEY = Population(cbf=(200.0, 600.0), att=(0.3, 1.5), noise=0.006)


def measure(
    acquisition: Acquisition,
    population: Population = BRAIN,
    *,
    n_voxels: int = 2000,
    seed: int = 0,
    kinetics: Kinetics | None = None,
    change: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None,
) -> Tensor:
    """Measure voxels whose truth ``kinetics`` and ``change(signal, cbf, att)`` describe."""
    generator = torch.Generator().manual_seed(seed)

    def draw(low: float, high: float) -> Tensor:
        share = torch.rand(n_voxels, generator=generator, dtype=torch.float64)
        return low + (high - low) * share

    cbf, att = draw(*population.cbf), draw(*population.att)
    signal = delta_m(cbf, att, Protocol.of(acquisition), kinetics)
    if change is not None:
        signal = change(signal, cbf, att)
    noise = torch.randn(signal.shape, generator=generator, dtype=torch.float64)
    return signal + population.noise * noise


def rejected(p: Tensor, level: float = 0.05) -> float:
    """Find the share of the voxels tested whose p is below a level."""
    tested = p[torch.isfinite(p)]
    return float((tested < level).double().mean())
