"""Labelling in an instant: PASL with its cut-offs, VSASL, and one published variant."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from math import factorial
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.signal.protocol import Protocol
from aslprep_nn.signal.response import Curvature, Kinetics, Response, step


class Window(NamedTuple):
    """When the label that is seen was delivered: from ``start`` to ``end`` after labelling.

    The slopes say whether each limit moves with ATT (1) or stays (0); where nothing was
    delivered both limits coincide and both slopes are 0.
    """

    start: Tensor
    end: Tensor
    start_slope: Tensor
    end_slope: Tensor


@dataclass(frozen=True)
class PulsedKinetics(Kinetics):
    """Label made at one moment, seen through the window in which the tissue received it.

    Blood delivered at time s carries exp(-s/T1b) and then decays in tissue until the readout
    (Buxton et al. 1998, eq. 3), so the response is the integral over the window of
    exp(-s Rb - R (TI - s)): one expression for every cut-off.
    """

    @abstractmethod
    def _window(self, att: Tensor, protocol: Protocol, regime: Tensor) -> Window: ...

    def response(
        self, att: Tensor, rate: Tensor, protocol: Protocol, regime: Tensor | None = None
    ) -> Response:
        """Compute the unit response and its derivatives; see `Kinetics.response`."""
        window = self._window(att, protocol, att if regime is None else regime)
        terms = _Terms(window, rate, protocol)
        zeroth, first = terms.moments(2)
        return Response(
            value=terms.at_start * zeroth,
            d_att=terms.at_end * window.end_slope - terms.at_start * window.start_slope,
            d_rate=terms.at_start * (first - terms.age_at_start * zeroth),
        )

    def curvature(self, att: Tensor, rate: Tensor, protocol: Protocol) -> Curvature:
        """Compute the second derivatives of the unit response."""
        window = self._window(att, protocol, att)
        terms = _Terms(window, rate, protocol)
        zeroth, first, second = terms.moments(3)
        age = terms.age_at_start
        from_start = terms.at_start * window.start_slope
        from_end = terms.at_end * window.end_slope
        return Curvature(
            d_att_att=terms.excess * (from_start - from_end),
            d_att_rate=age * from_start - (protocol.pld - window.end) * from_end,
            d_rate_rate=terms.at_start * (age**2 * zeroth - 2 * age * first + second),
        )


class _Terms:
    """What both orders of derivative share."""

    def __init__(self, window: Window, rate: Tensor, protocol: Protocol) -> None:
        blood_rate = 1 / protocol.t1_blood
        self.excess = blood_rate - rate
        self.width = window.end - window.start
        self.age_at_start = protocol.pld - window.start
        self.at_start = torch.exp(-blood_rate * window.start - rate * self.age_at_start)
        self.at_end = torch.exp(-blood_rate * window.end - rate * (protocol.pld - window.end))

    def moments(self, count: int) -> list[Tensor]:
        """Integrate s^n exp(-excess s) over the width of the window, n = 0 ... count - 1."""
        scaled = exponential_moments(self.excess * self.width, count)
        return [self.width ** (n + 1) * moment for n, moment in enumerate(scaled)]


def exponential_moments(x: Tensor, count: int) -> list[Tensor]:
    """Integrate s^n exp(-x s) over s from 0 to 1, for n = 0 ... count - 1.

    Near x = 0, where the tissue decays like blood, the closed forms cancel; a series takes
    their place, long enough for the precision of ``x``.
    """
    near_zero = x.abs() < 0.5
    safe = torch.where(near_zero, 1.0, x)
    decayed = torch.exp(-safe)
    n_terms = 15 if x.dtype == torch.float64 else 8
    moments: list[Tensor] = []
    for n in range(count):
        closed = (n * moments[-1] - decayed if moments else 1 - decayed) / safe
        series = torch.zeros_like(x)
        for j in reversed(range(n_terms)):
            series = series * x + (-1) ** j / (factorial(j) * (n + 1 + j))
        moments.append(torch.where(near_zero, series, closed))
    return moments


@dataclass(frozen=True)
class PulsedBolusKinetics(PulsedKinetics):
    """PASL whose bolus has a known duration: QUIPSS II, Q2TIPS, or the coil's own length."""

    def _window(self, att: Tensor, protocol: Protocol, regime: Tensor) -> Window:
        inversion_time, duration = protocol.pld, protocol.labeling_duration
        begun = step(inversion_time - regime)
        ended = step(inversion_time - duration - regime)
        start = inversion_time + begun * (att - inversion_time)
        end = inversion_time + ended * (att + duration - inversion_time)
        return Window(start, end, start_slope=begun, end_slope=ended)

    def kinks(self, protocol: Protocol) -> Tensor:
        """List when the bolus begins and ends to arrive before each readout [s]."""
        return torch.cat([protocol.pld, protocol.pld - protocol.labeling_duration], -1)


@dataclass(frozen=True)
class QuipssKinetics(PulsedKinetics):
    """PASL with QUIPSS (Wong et al. 1998): what had arrived by TI1 is saturated in the tissue.

    TI1 is the protocol's labelling duration. The bolus is taken to outlast the readout, the
    condition under which QUIPSS measures flow.
    """

    def _window(self, att: Tensor, protocol: Protocol, regime: Tensor) -> Window:
        inversion_time, saturation = protocol.pld, protocol.labeling_duration
        begun = (regime >= saturation) & (regime < inversion_time)
        at_rest = torch.minimum(
            torch.where(regime < saturation, saturation, inversion_time), inversion_time
        )
        start = torch.where(begun, att, at_rest)
        end = inversion_time.expand_as(start)
        return Window(start, end, begun.to(att), torch.zeros_like(start))

    def kinks(self, protocol: Protocol) -> Tensor:
        """List the readouts and the saturations [s]."""
        return torch.cat([protocol.pld, protocol.labeling_duration], -1)


@dataclass(frozen=True)
class VelocitySelectiveKinetics(PulsedKinetics):
    """VSASL: label begins to arrive at once and its trailing edge arrives at ATT.

    The bolus is made everywhere that blood flows fast enough, the tissue's own arterioles
    included, so ATT is its duration (Qin et al. 2022).
    """

    def _window(self, att: Tensor, protocol: Protocol, regime: Tensor) -> Window:
        ended = step(protocol.pld - regime)
        end = protocol.pld + ended * (att - protocol.pld)
        nothing = torch.zeros_like(end)
        return Window(nothing, end, start_slope=nothing, end_slope=ended)

    def kinks(self, protocol: Protocol) -> Tensor:
        """List the delays [s]."""
        return protocol.pld


@dataclass(frozen=True)
class WangEquation4Kinetics(PulsedBolusKinetics):
    """Equation 4 of Wang, Tamir & Bush taken literally, for reproducing that paper only.

    Its input is exp(-(t - ATT)/T1b): label that has not decayed on its way, which is neither
    PCASL nor PASL. Fitted to PCASL it turns CBF 60 into 68 to 27 as ATT grows.
    """

    def response(
        self, att: Tensor, rate: Tensor, protocol: Protocol, regime: Tensor | None = None
    ) -> Response:
        """Compute the unit response and its derivatives; see `Kinetics.response`."""
        decayed = super().response(att, rate, _since_start(protocol), regime)
        blood_rate = 1 / protocol.t1_blood
        undo = torch.exp(att * blood_rate)
        return Response(
            value=undo * decayed.value,
            d_att=undo * (decayed.d_att + blood_rate * decayed.value),
            d_rate=undo * decayed.d_rate,
        )

    def curvature(self, att: Tensor, rate: Tensor, protocol: Protocol) -> Curvature:
        """Compute the second derivatives of the unit response."""
        decayed = super().response(att, rate, _since_start(protocol))
        bent = super().curvature(att, rate, _since_start(protocol))
        blood_rate = 1 / protocol.t1_blood
        undo = torch.exp(att * blood_rate)
        return Curvature(
            d_att_att=undo
            * (bent.d_att_att + 2 * blood_rate * decayed.d_att + blood_rate**2 * decayed.value),
            d_att_rate=undo * (bent.d_att_rate + blood_rate * decayed.d_rate),
            d_rate_rate=undo * bent.d_rate_rate,
        )

    def kinks(self, protocol: Protocol) -> Tensor:
        """List when the bolus begins and ends to arrive before each readout [s]."""
        return super().kinks(_since_start(protocol))


def _since_start(protocol: Protocol) -> Protocol:
    """Count a continuous protocol's delays from the start of labelling."""
    if not protocol.labeling.is_continuous:
        return protocol
    return replace(protocol, pld=protocol.pld + protocol.labeling_duration)
