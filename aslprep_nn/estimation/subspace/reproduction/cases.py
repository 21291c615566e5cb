"""What is compressed: perfusion protocols short and long, and an MRF-FISP miniature."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.benchmark.scenarios import PCASL_21, PROTOCOLS, pcasl
from aslprep_nn.estimation.subspace.fingerprints import Fingerprints
from aslprep_nn.estimation.subspace.reproduction.phase_graph import PulseTrain
from aslprep_nn.signal.model import SignalModel

#: Ranges of perfused tissue: CBF [mL/100 g/min], ATT and T1 [s]. The reference does not record
#: its own; over these its numbers are met.
CBF_RANGE, ATT_RANGE, T1_RANGE = (10.0, 120.0), (0.1, 2.2), (0.8, 1.6)
#: A train of readouts after each label: flip angle [°], first one and spacing after the label [s].
READOUT_ANGLE, FIRST_READOUT, READOUT_SPACING, N_READOUTS = 10.0, 0.2, 0.05, 60

#: Makes fingerprints from their number and a seed, some at a time.
Make = Callable[[int, int], Iterator[Fingerprints]]


@dataclass(frozen=True)
class Case:
    """A protocol with the tissues it sees.

    Parameters
    ----------
    name
        For people.
    make
        Draws tissues.
    n_components
        Sizes of subspace that are of interest, the smallest first.
    n_times
        Length of a fingerprint.
    """

    name: str
    make: Make
    n_components: tuple[int, ...]
    n_times: int


def look_locker() -> Acquisition:
    """Describe PCASL with a train of small flip angles after each label, as in 4-D ASL.

    Each readout takes 1 - cos(angle) of the label that has arrived, which is a faster decay in
    tissue (Look and Locker 1970; Günther et al. 2001). Taken as acting from arrival on, and on
    tissue alone.
    """
    delays = [FIRST_READOUT + READOUT_SPACING * i for i in range(N_READOUTS)]
    acquisition = pcasl(delays, 1.5)
    return replace(acquisition, t1_tissue=effective_t1(acquisition.t1_tissue))


def effective_t1(t1: float) -> float:
    """Shorten a T1 by what readouts take [s]."""
    lost = -math.log(math.cos(math.radians(READOUT_ANGLE))) / READOUT_SPACING
    return 1 / (1 / t1 + lost)


def perfused(acquisition: Acquisition, *, t1_unknown: bool, chunk: int = 5000) -> Make:
    """Draw tissues with one T1 or, where it is unknown, with any; evenly from the ranges."""

    def make(n_fingerprints: int, seed: int) -> Iterator[Fingerprints]:
        draw = torch.Generator().manual_seed(seed)
        for begin in range(0, n_fingerprints, chunk):
            n = min(chunk, n_fingerprints - begin)
            cbf, att = uniform(n, CBF_RANGE, draw), uniform(n, ATT_RANGE, draw)
            scale = acquisition.t1_tissue / PCASL_21.t1_tissue
            t1 = uniform(n, T1_RANGE, draw) * scale if t1_unknown else None
            model = SignalModel.of([acquisition], t1_tissue=t1)
            yield Fingerprints.of(model, cbf, att, t1_unknown=t1_unknown)

    return make


def lobe(n_frames: int = 500, low: float = 5.0, peak: float = 45.0) -> Tensor:
    """Make flip angles that rise and fall once like a sine, ``(frame,)`` [rad; °]."""
    place = (torch.arange(n_frames, dtype=torch.float64) + 0.5) / n_frames
    return torch.deg2rad(low + (peak - low) * torch.sin(math.pi * place))


@dataclass(frozen=True)
class Tissue:
    """Ranges of T1 and T2 [s], the share of all tissues, and the orders their graph needs."""

    t1: tuple[float, float]
    t2: tuple[float, float]
    share: float
    n_orders: int


#: Table I of Mao et al.; shares are those of its grid. Longer T2 remembers more pulses.
TISSUES = (
    Tissue((0.5, 1.5), (0.01, 0.2), 0.89, 64),
    Tissue((0.25, 0.55), (0.06, 0.14), 0.055, 64),
    Tissue((3.0, 5.0), (1.5, 2.5), 0.055, 250),
)


@lru_cache(maxsize=4)
def fingerprinted(n_fingerprints: int, seed: int) -> tuple[Fingerprints, ...]:
    """Simulate grey and white matter, fat and cerebrospinal fluid, one after the other.

    Simulation is what costs time, so the last ones are kept.
    """
    draw = torch.Generator().manual_seed(seed)
    found = []
    for tissue in TISSUES:
        n = max(1, round(tissue.share * n_fingerprints))
        train = PulseTrain(lobe(), n_orders=tissue.n_orders)
        t1, t2 = uniform(n, tissue.t1, draw), uniform(n, tissue.t2, draw)
        found.append(train.fingerprints(t1, t2))
    return tuple(found)


def uniform(n: int, bounds: tuple[float, float], draw: torch.Generator) -> Tensor:
    """Draw evenly from a range, ``(n,)``."""
    unit = torch.rand(n, generator=draw, dtype=torch.float64)
    return bounds[0] + (bounds[1] - bounds[0]) * unit


HADAMARD = PROTOCOLS['Hadamard-8'][0]
LOOK_LOCKER = look_locker()
PCASL_CASE = Case('PCASL, 21 delays', perfused(PCASL_21, t1_unknown=False), (2, 3, 4), 21)
PCASL_T1_CASE = Case(
    'PCASL, 21 delays, T1 unknown', perfused(PCASL_21, t1_unknown=True), (3, 4, 5), 21
)
MRF_CASE = Case('MRF-FISP', lambda n, seed: iter(fingerprinted(n, seed)), (3, 4, 5), 500)
LOOK_LOCKER_T1_CASE = Case(
    'Look-Locker PCASL, T1 unknown',
    perfused(LOOK_LOCKER, t1_unknown=True),
    (3, 4, 5),
    N_READOUTS,
)
CASES = (
    PCASL_CASE,
    PCASL_T1_CASE,
    Case('Hadamard-8', perfused(HADAMARD, t1_unknown=False), (2, 3, 4), 7),
    Case('Look-Locker PCASL', perfused(LOOK_LOCKER, t1_unknown=False), (2, 3, 4), N_READOUTS),
    LOOK_LOCKER_T1_CASE,
    MRF_CASE,
)
