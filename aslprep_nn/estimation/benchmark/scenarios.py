"""The protocols and populations that every part of the benchmark draws on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.signal.encoding import sub_bolus_acquisition
from aslprep_nn.signal.kinetics import delta_m
from aslprep_nn.signal.protocol import Protocol

Row = dict[str, str | int | float]


@dataclass(frozen=True)
class Table:
    """One question of the benchmark and its answer.

    Parameters
    ----------
    name
        One word.
    question
        A sentence.
    rows
        Records with the same keys, in order.
    """

    name: str
    question: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Population:
    """Where voxels lie, and how noisy a measurement at the reference level is.

    Parameters
    ----------
    cbf, att
        Ranges of uniform distributions [mL/100 g/min, s].
    noise
        Standard deviation of delta M / M0.
    t1_tissue
        [s].
    """

    cbf: tuple[float, float]
    att: tuple[float, float]
    noise: float
    t1_tissue: float


BRAIN = Population((10, 120), (0.5, 2.5), 0.001, 1.2)
KIDNEY = Population((150, 900), (0.3, 1.5), 0.006, 1.4)


def acquire(
    labeling: LabelingType, delays: Sequence[float], duration: float, efficiency: float
) -> Acquisition:
    """Describe a protocol whose bolus is the same for all delays."""
    return Acquisition(labeling, tuple(delays), (duration,) * len(delays), efficiency)


def pcasl(delays: Sequence[float], duration: float) -> Acquisition:
    """Describe a PCASL protocol."""
    return acquire(LabelingType.PCASL, delays, duration, 0.85)


#: Wang, Tamir & Bush: 0 to 1 s by .1 and to 3 s by .2.
PCASL_21 = pcasl([0.1 * i for i in range(11)] + [1 + 0.2 * i for i in range(1, 11)], 1.5)
PCASL_6 = pcasl([0.5 * i for i in range(1, 7)], 1.8)
VSASL_6 = acquire(LabelingType.VSASL, PCASL_6.pld, 1.0, 0.56)

_UNEQUAL = [(0.2, 6), (0.7, 6), (1.2, 6), (1.7, 10), (2.2, 15)]
PROTOCOLS: dict[str, tuple[Acquisition, ...]] = {
    '5 PLDs x 6 6 6 10 15': (pcasl([pld for pld, n in _UNEQUAL for _ in range(n)], 1.5),),
    '6 PLDs x 8': (pcasl([0.25 * i for i in range(1, 7)] * 8, 1.4),),
    '7 PLDs .7-2.6': (pcasl(torch.linspace(0.7, 2.6, 7).tolist(), 1.8),),
    'PASL 10 TIs': (acquire(LabelingType.PASL, [0.3 * i for i in range(1, 11)], 0.8, 0.98),),
    '21 PLDs 0-3': (PCASL_21,),
    'Hadamard-8': (sub_bolus_acquisition(pcasl([0.2], 3.6), (3.6 / 7,) * 7),),
    'PCASL + VSASL 6 + 6': (PCASL_6, VSASL_6),
}


def irregular_protocol(generator: random.Random) -> Acquisition:
    """Draw a protocol that nobody would choose."""
    delays = sorted(generator.uniform(0.1, 3.2) for _ in range(generator.randint(3, 12)))
    kind = generator.choice(['one duration', 'many durations', 'pulsed'])
    if kind == 'pulsed':
        return acquire(LabelingType.PASL, delays, generator.uniform(0.5, 1.2), 0.98)
    if kind == 'one duration':
        return pcasl(delays, generator.uniform(0.8, 2.2))
    durations = tuple(generator.uniform(0.5, 2.5) for _ in delays)
    return replace(pcasl(delays, 1.0), labeling_duration=durations)


def draw(
    acquisition: Acquisition,
    population: Population,
    n_voxels: int,
    *,
    signal_to_noise: float = 1.0,
    seed: int = 0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Simulate voxels of a population.

    Returns
    -------
    True CBF and ATT, ``(voxel,)``, and the measurements, ``(voxel, measurement)``; float64.
    """
    generator = torch.Generator().manual_seed(seed)

    def uniform(bounds: tuple[float, float]) -> Tensor:
        unit = torch.rand(n_voxels, generator=generator, dtype=torch.float64)
        return bounds[0] + (bounds[1] - bounds[0]) * unit

    cbf, att = uniform(population.cbf), uniform(population.att)
    acquisition = replace(acquisition, t1_tissue=population.t1_tissue)
    signal = delta_m(cbf, att, Protocol.of(acquisition))
    noise = torch.randn(signal.shape, generator=generator, dtype=torch.float64)
    return cbf, att, signal + population.noise / signal_to_noise * noise
