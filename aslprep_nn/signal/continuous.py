"""Continuous labelling, (P)CASL, with any residue function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.signal.protocol import Protocol
from aslprep_nn.signal.response import Alternatives, Curvature, Kinetics, Response, step

#: How far beyond its kink, in parts of a decay, the first label counts as just arriving: fits often
#: lie on the kink, in single precision, and of a longer bolus something would be seen.
ON_KINK = 1e-6


class Residue(NamedTuple):
    """The part of a label that remains after a time, and its integral since arrival.

    ``total`` is the integral of ``remaining`` from 0 to the age; the rest are derivatives
    with respect to the age and the decay rate. All are 0 for spins that have not arrived.
    """

    total: Tensor
    remaining: Tensor
    total_d_rate: Tensor


class Rates(NamedTuple):
    """Decay rates of the label before and after it reaches the tissue [1/s]."""

    blood: Tensor
    tissue: Tensor


class ResidueCurvature(NamedTuple):
    """Second derivatives of a `Residue`'s total."""

    remaining_d_age: Tensor
    remaining_d_rate: Tensor
    total_d_rate_rate: Tensor


@dataclass(frozen=True)
class ContinuousKinetics(Kinetics):
    """(P)CASL: a bolus of constant strength that lasts one labelling duration.

    Spins decay with blood T1 until they arrive and with ``rate`` afterwards, which is one
    expression in the ages of the first and the last spin that have arrived (Buxton et al.
    1998, eq. 5), continuous in ATT.
    """

    def response(
        self, att: Tensor, rate: Tensor, protocol: Protocol, regime: Tensor | None = None
    ) -> Response:
        """Compute the unit response and its derivatives; see `Kinetics.response`."""
        blood_rate = 1 / protocol.t1_blood
        bolus = self._bolus(att, Rates(blood_rate, rate), protocol, regime)
        transit = torch.exp(-att * blood_rate)
        d_att = (bolus.remaining + blood_rate * bolus.total).mul_(-transit)
        return Response(transit * bolus.total, d_att, transit * bolus.total_d_rate)

    def value(self, att: Tensor, rate: Tensor, protocol: Protocol) -> Tensor:
        """Compute the unit response without its derivatives; see `Kinetics.value`."""
        blood_rate = 1 / protocol.t1_blood
        rates = Rates(blood_rate, rate)
        oldest, newest = protocol.pld + protocol.labeling_duration - att, protocol.pld - att
        bolus = self._total(oldest, rates) - self._total(newest, rates)
        return torch.exp(-att * blood_rate) * bolus

    def alternatives(
        self, att: Tensor, rate: Tensor, protocol: Protocol, spread: float
    ) -> Alternatives:
        """Compute what is seen under other assumptions; see `Kinetics.alternatives`.

        While label fades exponentially, what a later or earlier arrival leaves differs by a
        factor of the voxel alone, but for what has not arrived: two exponentials serve all.
        """
        if type(self) is not ContinuousKinetics:
            return super().alternatives(att, rate, protocol, spread)
        blood_rate = 1 / protocol.t1_blood
        last = torch.exp((att - protocol.pld) * rate)
        first = last * torch.exp(protocol.labeling_duration * -rate)

        def seen(shift: Tensor | float) -> Tensor:
            """Return the response at ATT plus a shift, times the rate."""
            later = torch.exp(rate * shift)
            bolus = (last * later).clamp_(max=1)
            bolus -= (first * later).clamp_(max=1)
            return bolus.mul_(torch.exp((att + shift) * -blood_rate))

        either_side = seen(spread).add_(seen(-att.clamp(max=spread))).div_(rate)
        transit = torch.exp(att * -blood_rate) * protocol.labeling_duration
        return Alternatives(torch.where(first < 1 + ON_KINK, first, 0).mul_(transit), either_side)

    def curvature(self, att: Tensor, rate: Tensor, protocol: Protocol) -> Curvature:
        """Compute the second derivatives of the unit response."""
        blood_rate = 1 / protocol.t1_blood
        rates = Rates(blood_rate, rate)
        first, last = self._ends(att, rates, protocol)
        bent_first, bent_last = (
            self._residue_curvature(edge - att, rates, edge - att)
            for edge in (protocol.pld + protocol.labeling_duration, protocol.pld)
        )
        change = first.remaining - last.remaining
        transit = torch.exp(-att * blood_rate)
        return Curvature(
            d_att_att=transit
            * (
                blood_rate**2 * (first.total - last.total)
                + 2 * blood_rate * change
                + (bent_first.remaining_d_age - bent_last.remaining_d_age)
            ),
            d_att_rate=-transit
            * (
                blood_rate * (first.total_d_rate - last.total_d_rate)
                + (bent_first.remaining_d_rate - bent_last.remaining_d_rate)
            ),
            d_rate_rate=transit * (bent_first.total_d_rate_rate - bent_last.total_d_rate_rate),
        )

    def kinks(self, protocol: Protocol) -> Tensor:
        """List the delays and the ends of the boluses [s]."""
        return torch.cat([protocol.pld, protocol.pld + protocol.labeling_duration], -1)

    def _bolus(
        self, att: Tensor, rates: Rates, protocol: Protocol, regime: Tensor | None
    ) -> Residue:
        """Compute the residue of a bolus: that of its first spins less that of its last.

        While label fades exponentially that is one expression of few steps and few copies: fits
        and tests spend much of their time here.
        """
        if type(self) is not ContinuousKinetics:
            first_residue, last_residue = self._ends(att, rates, protocol, regime)
            return Residue(*map(torch.sub, first_residue, last_residue))
        (older, newer), nominal = _ages(att, protocol, regime)
        arrived, mean_life = [step(age) for age in nominal], 1 / rates.tissue
        first = torch.exp(older * -rates.tissue).mul_(arrived[0])
        last = torch.exp(newer * -rates.tissue).mul_(arrived[1])
        remaining = first - last
        total = (arrived[0] - arrived[1] - remaining).mul_(mean_life)
        total_d_rate = (older * first).sub_(newer * last).sub_(total).mul_(mean_life)
        return Residue(total, remaining, total_d_rate)

    def _ends(
        self, att: Tensor, rates: Rates, protocol: Protocol, regime: Tensor | None = None
    ) -> tuple[Residue, Residue]:
        ages = zip(*_ages(att, protocol, regime), strict=True)
        first, last = (self._residue(age, rates, by_then) for age, by_then in ages)
        return first, last

    def _total(self, age: Tensor, rates: Rates) -> Tensor:
        """Integrate what remains since arrival, up to a constant that the ends of a bolus share."""
        return torch.exp(age.clamp(min=0) * -rates.tissue) * (-1 / rates.tissue)

    def _residue(self, age: Tensor, rates: Rates, nominal_age: Tensor) -> Residue:
        """Compute the residue at an age; the nominal one decides what has happened by then."""
        mean_life = 1 / rates.tissue
        arrived = step(nominal_age)
        remaining = arrived * torch.exp(-rates.tissue * age)
        total = (arrived - remaining) * mean_life
        return Residue(total, remaining, (age * remaining - total) * mean_life)

    def _residue_curvature(
        self, age: Tensor, rates: Rates, nominal_age: Tensor
    ) -> ResidueCurvature:
        _, remaining, total_d_rate = ContinuousKinetics._residue(self, age, rates, nominal_age)
        return ResidueCurvature(
            remaining_d_age=-rates.tissue * remaining,
            remaining_d_rate=-age * remaining,
            total_d_rate_rate=-(age**2 * remaining + 2 * total_d_rate) / rates.tissue,
        )


@dataclass(frozen=True)
class OutflowKinetics(ContinuousKinetics):
    """(P)CASL in an organ that label leaves again, as through the kidney's efferent arterioles.

    Label stays for a mean time, decaying as in `ContinuousKinetics`, and then also leaves at
    a constant rate. Leaving at rate 0 is `ContinuousKinetics`.

    Parameters
    ----------
    residence_time
        How long label stays before any leaves [s].
    outflow_rate
        The rate at which it then leaves [1/s].
    """

    residence_time: float = 1.0
    outflow_rate: float = 0.5

    def kinks(self, protocol: Protocol) -> Tensor:
        """List the kinks of the bolus and those at which its ends begin to leave [s]."""
        kinks = super().kinks(protocol)
        return torch.cat([kinks, kinks - self.residence_time], -1)

    def _residue(self, age: Tensor, rates: Rates, nominal_age: Tensor) -> Residue:
        stay = self.residence_time
        leaving = nominal_age > stay
        stayed = torch.where(leaving, stay, age)
        before = super()._residue(stayed, rates, nominal_age)
        after = super()._residue(age - stay, self._leaving(rates), nominal_age - stay)
        survival = torch.exp(-rates.tissue * stay)
        return Residue(
            total=before.total + survival * after.total,
            remaining=torch.where(leaving, survival * after.remaining, before.remaining),
            total_d_rate=before.total_d_rate + survival * (after.total_d_rate - stay * after.total),
        )

    def _residue_curvature(
        self, age: Tensor, rates: Rates, nominal_age: Tensor
    ) -> ResidueCurvature:
        stay = self.residence_time
        leaving = nominal_age > stay
        stayed = torch.where(leaving, stay, age)
        before = super()._residue_curvature(stayed, rates, nominal_age)
        later = age - stay, self._leaving(rates), nominal_age - stay
        after = super()._residue(*later)
        bent = super()._residue_curvature(*later)
        survival = torch.exp(-rates.tissue * stay)
        remaining_d_rate = survival * (bent.remaining_d_rate - stay * after.remaining)
        total_d_rate_rate = bent.total_d_rate_rate - 2 * stay * after.total_d_rate
        return ResidueCurvature(
            remaining_d_age=torch.where(
                leaving, survival * bent.remaining_d_age, before.remaining_d_age
            ),
            remaining_d_rate=torch.where(leaving, remaining_d_rate, before.remaining_d_rate),
            total_d_rate_rate=before.total_d_rate_rate
            + survival * (total_d_rate_rate + stay**2 * after.total),
        )

    def _total(self, age: Tensor, rates: Rates) -> Tensor:
        stay = self.residence_time
        before = super()._total(age.clamp(max=stay), rates)
        after = super()._total(age - stay, self._leaving(rates))
        return before + torch.exp(-rates.tissue * stay) * after

    def _leaving(self, rates: Rates) -> Rates:
        return Rates(rates.blood, rates.tissue + self.outflow_rate)


def _ages(
    att: Tensor, protocol: Protocol, regime: Tensor | None
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Compute how long ago the first and the last spins arrived, and by the regime's ATT [s]."""
    start, end = protocol.pld + protocol.labeling_duration, protocol.pld
    ages = start - att, end - att
    return ages, ages if regime is None else (start - regime, end - regime)
