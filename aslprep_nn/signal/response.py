"""What every kinetic model answers: the signal per unit of flow, and how it bends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.signal.protocol import Protocol

ML_PER_100G_MIN_PER_ML_G_S = 6000.0
#: Relative change of the labelling duration over which a response is differentiated.
DURATION_CHANGE = 1e-3


def step(x: Tensor) -> Tensor:
    """Give 1 where x is positive, else 0, as a number.

    Signs are ten times as fast as comparisons, whose results are bytes that have to be
    converted before they can be multiplied.
    """
    return torch.sign(x).clamp(min=0)


class LabelDecay(StrEnum):
    """What makes the label fade once it has arrived."""

    #: Tissue T1 and venous clearance, 1/T1 + f/lambda (Buxton et al. 1998).
    TISSUE = 'tissue'
    #: Blood T1 alone: the label never leaves the microvasculature (the simplified model).
    BLOOD = 'blood'


class Response(NamedTuple):
    """The signal per unit of flow and its first derivatives, all of one broadcast shape.

    ``value`` has the unit s; the difference signal is ``2 alpha f / lambda * value``.
    """

    value: Tensor
    d_att: Tensor
    d_rate: Tensor


class Alternatives(NamedTuple):
    """A unit response under other assumptions, all of one broadcast shape [s].

    Parameters
    ----------
    longer
        What it gains per relative increase of the labelling duration.
    either_side
        The sum of the responses to label that arrives before ATT and after it.
    """

    longer: Tensor
    either_side: Tensor


class Curvature(NamedTuple):
    """The second derivatives of a `Response`."""

    d_att_att: Tensor
    d_att_rate: Tensor
    d_rate_rate: Tensor


@dataclass(frozen=True)
class Kinetics(ABC):
    """A kinetic model: how one unit of flow, arriving at ``att``, becomes signal.

    Everything else (flow, efficiency, the dependence of the decay on flow, Jacobians in CBF,
    ATT and T1) follows from the unit response and is written once, in `kinetics`.

    The methods broadcast their arguments as they come: for many voxels, shape ``att`` and
    ``rate`` as ``(..., 1)`` against ``(measurement,)`` timings, or as ``(voxel,)`` against a
    protocol with `Protocol.measurements_first`.

    Parameters
    ----------
    decay
        What makes the label fade once it has arrived.
    """

    decay: LabelDecay = LabelDecay.TISSUE

    @abstractmethod
    def response(
        self, att: Tensor, rate: Tensor, protocol: Protocol, regime: Tensor | None = None
    ) -> Response:
        """Compute the unit response and its derivatives.

        Parameters
        ----------
        att
            Arterial transit time [s].
        rate
            Decay rate of the label in tissue [1/s].
        protocol
            Timing and constants.
        regime
            An arrival time [s] that decides on which side of each kink a measurement lies;
            ``att`` itself when absent. At a kink the derivatives differ between its sides, so
            an optimiser that works between two kinks says here which side it means.
        """

    def value(self, att: Tensor, rate: Tensor, protocol: Protocol) -> Tensor:
        """Compute the unit response without its derivatives; arguments as in `response`."""
        return self.response(att, rate, protocol).value

    def alternatives(
        self, att: Tensor, rate: Tensor, protocol: Protocol, spread: float
    ) -> Alternatives:
        """Compute what is seen if labelling lasted longer, or label arrived spread in time.

        Parameters
        ----------
        att, rate, protocol
            As in `response`.
        spread
            Distance of arrivals from ATT on either side, not before labelling begins [s].
        """
        duration = protocol.labeling_duration * (1 + DURATION_CHANGE)
        here, longer = (
            self.value(att, rate, each)
            for each in (protocol, replace(protocol, labeling_duration=duration))
        )
        later, earlier = (
            self.value(each, rate, protocol) for each in (att + spread, (att - spread).clamp(min=0))
        )
        return Alternatives((longer - here) / DURATION_CHANGE, later + earlier)

    @abstractmethod
    def curvature(self, att: Tensor, rate: Tensor, protocol: Protocol) -> Curvature:
        """Compute the second derivatives of the unit response."""

    @abstractmethod
    def kinks(self, protocol: Protocol) -> Tensor:
        """List the arrival times at which a derivative of the response jumps, ``(kink,)`` [s]."""

    def rate(self, cbf: Tensor, protocol: Protocol) -> Tensor:
        """Compute the decay rate of the label in tissue at a flow [1/s]."""
        if self.decay is LabelDecay.BLOOD:
            return 1 / protocol.t1_blood + 0 * cbf
        return 1 / protocol.t1_tissue + cbf * self.rate_per_cbf(protocol)

    def rate_per_cbf(self, protocol: Protocol) -> Tensor:
        """Compute how much one mL/100 g/min adds to the decay rate [1/s]."""
        clearance = 1 / (ML_PER_100G_MIN_PER_ML_G_S * protocol.partition_coefficient)
        return 0 * clearance if self.decay is LabelDecay.BLOOD else clearance

    def rate_per_t1(self, protocol: Protocol) -> Tensor:
        """Compute how much one second of tissue T1 adds to the decay rate [1/s²]."""
        slope = -(protocol.t1_tissue**-2)
        return 0 * slope if self.decay is LabelDecay.BLOOD else slope
