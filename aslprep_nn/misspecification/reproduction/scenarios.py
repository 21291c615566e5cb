"""What is simulated: two organs, and the ways in which the world may differ from the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.benchmark.scenarios import PCASL_21, Population
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.misspecification.assessment import Assessment, assess
from aslprep_nn.signal.arterial import arterial_delta_m
from aslprep_nn.signal.continuous import OutflowKinetics
from aslprep_nn.signal.kinetics import delta_m
from aslprep_nn.signal.protocol import Protocol

#: Tissue T1 over the assumed one, and the labelling duration over the assumed one.
LONGER_T1, LONGER_LABEL = 1.2, 1.2
#: How long label stays in the kidney [s] and the rate at which it then leaves [1/s]; why these,
#: and what others would give, is a table of its own (`gates.outflow_sensitivity`).
OUTFLOW = OutflowKinetics(residence_time=1.0, outflow_rate=3.0)
#: Arterial blood: the part of the voxel, and how long before the tissue it is reached [s].
ARTERIAL_VOLUME, ARTERIAL_LEAD = 0.01, 0.3
#: The part of a voxel's signal that comes from another voxel while the head is displaced.
DISPLACED = 0.5
#: Standard deviation of flow between repetitions, relative.
FLOW_CHANGE = 0.2
#: How much later than assumed a slice is read out [s].
LATE = 0.5


@dataclass(frozen=True)
class Organ:
    """An organ as Wang, Tamir & Bush simulate and scan it (sections 3.1 and 3.2).

    Parameters
    ----------
    name
        For people.
    population
        The ranges of CBF and ATT, the noise of one difference, and tissue T1. The noise is that
        of the project's reference values; the paper does not print its own.
    n_repetitions
        As scanned.
    """

    name: str
    population: Population
    n_repetitions: int

    @property
    def protocol(self) -> Acquisition:
        """One repetition: 21 delays, labelling 1.5 s."""
        return replace(PCASL_21, t1_tissue=self.population.t1_tissue)


BRAIN = Organ('brain', Population((0, 150), (0, 2), 0.002, 1.2), 10)
KIDNEY = Organ('kidney', Population((0, 900), (0, 2), 0.006, 1.4), 8)
ORGANS = (BRAIN, KIDNEY)


@dataclass(frozen=True)
class Truth:
    """CBF [mL/100 g/min] and ATT [s] of some voxels, ``(voxel,)``."""

    cbf: Tensor
    att: Tensor

    @classmethod
    def draw(cls, population: Population, n_voxels: int, generator: torch.Generator) -> Truth:
        """Draw voxels evenly from the ranges of a population."""

        def uniform(bounds: tuple[float, float]) -> Tensor:
            unit = torch.rand(n_voxels, generator=generator, dtype=torch.float64)
            return bounds[0] + (bounds[1] - bounds[0]) * unit

        return cls(uniform(population.cbf), uniform(population.att))


class Scenario(StrEnum):
    """What is true while the analysis assumes the correct model of `Organ.protocol`."""

    CORRECT = 'correct model'
    T1 = 'tissue T1 20 % longer'
    OUTFLOW = 'outflow'
    DURATION = 'labelling 1.8 s, not 1.5 s'
    MOVED = 'one repetition moved'
    FLOW = 'flow changes by 20 %'
    ARTERIAL = 'arterial blood 1 %'
    LATE = 'all delays .5 s later'


def repeat(protocol: Acquisition, n_repetitions: int) -> Acquisition:
    """Run a protocol through several times."""
    return replace(
        protocol,
        pld=protocol.pld * n_repetitions,
        labeling_duration=protocol.labeling_duration * n_repetitions,
    )


def signal_of(
    scenario: Scenario,
    truth: Truth,
    protocol: Acquisition,
    n_repetitions: int,
    generator: torch.Generator,
) -> Tensor:
    """Predict what each repetition would show without noise, ``(voxel, repetition, timing)``.

    Parameters
    ----------
    scenario
        What is true.
    truth
        Of each voxel.
    protocol
        One repetition, as assumed.
    n_repetitions
        How many.
    generator
        Of what is random besides noise.
    """
    if scenario is Scenario.MOVED:
        return _with_displaced_repetition(truth, protocol, n_repetitions, generator)
    if scenario is Scenario.FLOW:
        shape = n_repetitions, len(truth.cbf)
        change = torch.randn(shape, generator=generator, dtype=torch.float64)
        flow = truth.cbf * (1 + FLOW_CHANGE * change)
        return delta_m(flow.mT, truth.att.unsqueeze(-1), Protocol.of(protocol))
    constant = _CONSTANT[scenario](truth, protocol)
    return constant.unsqueeze(1).expand(-1, n_repetitions, -1)


def measure(
    scenario: Scenario,
    truth: Truth,
    organ: Organ,
    n_repetitions: int,
    generator: torch.Generator,
) -> Tensor:
    """Measure voxels with independent normal noise, ``(voxel, measurement)``."""
    signal = signal_of(scenario, truth, organ.protocol, n_repetitions, generator)
    noise = torch.randn(signal.shape, generator=generator, dtype=torch.float64)
    return (signal + organ.population.noise * noise).flatten(1)


def fit_and_assess(
    data: Tensor, acquisition: Acquisition, t1_tissue: Tensor | None = None
) -> tuple[Fit, Assessment]:
    """Do to simulated voxels what the app does to measured ones."""
    fit = fit_cbf_att(data, acquisition, t1_tissue=t1_tissue)
    return fit, assess(data, acquisition, fit, t1_tissue=t1_tissue)


def generator_of(seed: int, *place: int) -> torch.Generator:
    """Seed a part of a run so that no part depends on which others were run."""
    for number in place:
        seed = 1009 * seed + number + 1
    return torch.Generator().manual_seed(seed)


def _with_displaced_repetition(
    truth: Truth, protocol: Acquisition, n_repetitions: int, generator: torch.Generator
) -> Tensor:
    signal = delta_m(truth.cbf, truth.att, Protocol.of(protocol))
    repeated = signal.unsqueeze(1).repeat(1, n_repetitions, 1)
    other = signal[torch.randperm(len(signal), generator=generator)]
    repeated[:, 0] += DISPLACED * (other - signal)
    return repeated


def _plain(truth: Truth, protocol: Acquisition) -> Tensor:
    return delta_m(truth.cbf, truth.att, Protocol.of(protocol))


def _longer_t1(truth: Truth, protocol: Acquisition) -> Tensor:
    return _plain(truth, replace(protocol, t1_tissue=LONGER_T1 * protocol.t1_tissue))


def _outflow(truth: Truth, protocol: Acquisition) -> Tensor:
    return delta_m(truth.cbf, truth.att, Protocol.of(protocol), OUTFLOW)


def _longer_label(truth: Truth, protocol: Acquisition) -> Tensor:
    duration = tuple(LONGER_LABEL * value for value in protocol.labeling_duration)
    return _plain(truth, replace(protocol, labeling_duration=duration))


def _arterial(truth: Truth, protocol: Acquisition) -> Tensor:
    volume = torch.full_like(truth.cbf, ARTERIAL_VOLUME)
    arrival = (truth.att - ARTERIAL_LEAD).clamp(min=0)
    artery = arterial_delta_m(volume, arrival, Protocol.of(protocol))
    return _plain(truth, protocol) + artery


def _late(truth: Truth, protocol: Acquisition) -> Tensor:
    return _plain(truth, replace(protocol, pld=tuple(pld + LATE for pld in protocol.pld)))


#: The scenarios in which repetitions differ by noise alone.
_CONSTANT: dict[Scenario, Callable[[Truth, Acquisition], Tensor]] = {
    Scenario.CORRECT: _plain,
    Scenario.T1: _longer_t1,
    Scenario.OUTFLOW: _outflow,
    Scenario.DURATION: _longer_label,
    Scenario.ARTERIAL: _arterial,
    Scenario.LATE: _late,
}
