"""How phantoms are measured, and what an analysis takes for true that is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

import torch

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.evaluation.phantoms import Phantoms
from aslprep_nn.simulation.dice import Dice
from aslprep_nn.simulation.disturbances import Disturbances
from aslprep_nn.simulation.grid import FWHM_PER_SIGMA
from aslprep_nn.simulation.held_out import HELD_OUT_PROTOCOLS
from aslprep_nn.simulation.random_protocols import DrawnProtocol
from aslprep_nn.simulation.training import TrainingBatch, measure_batch
from aslprep_nn.simulation.true_physics import TruePhysics

#: Where nothing else is said.
MAIN_PROTOCOL = 'PCASL, 6 long delays'
#: Repetitions, which tell the noise; static tissue left of M0 by background suppression.
N_REPETITIONS, STATIC = 2, 0.1
#: Standard deviation of the kernel that correlates the noise of neighbours [voxel].
CORRELATED = 0.6
#: Seeds of neighbouring chunks of phantoms lie this far apart.
SEED_STRIDE = 7919


class Constant(StrEnum):
    """A constant that an analysis has to assume."""

    T1_TISSUE = 'T1 of tissue'
    T1_BLOOD = 'T1 of blood'
    EFFICIENCY = 'labelling efficiency'
    DURATION = 'labelling duration'


class Wrong(NamedTuple):
    """One constant whose true value is a multiple of what the analysis assumes."""

    constant: Constant
    factor: float

    def truth(self, assumed: Acquisition) -> Acquisition:
        """Give an acquisition the true constant; no efficiency exceeds 1."""
        if self.constant is Constant.DURATION:
            durations = tuple(self.factor * one for one in assumed.labeling_duration)
            return replace(assumed, labeling_duration=durations)
        if self.constant is Constant.EFFICIENCY:
            efficiency = min(1.0, self.factor * assumed.labeling_efficiency)
            return replace(assumed, labeling_efficiency=efficiency)
        if self.constant is Constant.T1_BLOOD:
            return replace(assumed, t1_blood=self.factor * assumed.t1_blood)
        return replace(assumed, t1_tissue=self.factor * assumed.t1_tissue)


@dataclass(frozen=True)
class Condition:
    """How phantoms are measured.

    Parameters
    ----------
    snr
        Mean peak of grey matter over the noise of the mean of all repetitions [1].
    protocol
        A key of `HELD_OUT_PROTOCOLS`.
    correlation
        Standard deviation of the kernel that correlates the noise of neighbours [voxel].
    wrong
        What the analysis does not know.
    """

    snr: float
    protocol: str = MAIN_PROTOCOL
    correlation: float = 0.0
    wrong: Wrong | None = None

    def __str__(self) -> str:
        parts = [self.protocol, f'SNR {self.snr:g}']
        if self.correlation:
            parts.append(f'noise correlated over {self.correlation:g} voxel')
        if self.wrong:
            parts.append(f'{self.wrong.constant} {100 * (self.wrong.factor - 1):+.0f} %')
        return ', '.join(parts)


def measured(phantoms: Phantoms, condition: Condition, seed: int) -> Iterator[TrainingBatch]:
    """Measure phantoms twice, a few at a time.

    The scanner's noise is thermal, the readout three-dimensional. The stated noise is the one
    that the two repetitions tell. The same seed gives the same noise, but for its size, whatever
    is measured.

    Yields
    ------
    Batches whose acquisitions hold what the analysis assumes.
    """
    assumed = HELD_OUT_PROTOCOLS[condition.protocol]
    true = tuple(condition.wrong.truth(one) if condition.wrong else one for one in assumed)
    n_timings = sum(one.n_measurements for one in assumed)
    for number, part in enumerate(phantoms.chunks()):
        n_phantoms = len(part)
        nothing = torch.zeros(n_phantoms)
        batch = measure_batch(
            part.stacks,
            part.maps,
            protocol=DrawnProtocol(
                true, (N_REPETITIONS,) * n_timings, torch.zeros(part.maps.mask.shape[:2])
            ),
            physics=TruePhysics.as_assumed(n_phantoms, nothing.device),
            disturbances=Disturbances(
                snr=torch.full_like(nothing, condition.snr),
                fwhm=torch.full_like(nothing, condition.correlation * float(FWHM_PER_SIGMA)),
                fluctuation=nothing,
                displacement=nothing,
                static=torch.full((n_phantoms, n_timings), STATIC),
            ),
            dice=Dice(torch.Generator().manual_seed(seed + SEED_STRIDE * number)),
        )
        yield replace(batch, acquisitions=assumed)
