"""A bolus that spreads on its way: gamma-dispersed (P)CASL, in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.signal.continuous import ContinuousKinetics, Rates, Residue, ResidueCurvature


class _Spread(NamedTuple):
    """The parts of a dispersed residue at an age.

    ``input`` is the label that has entered, ``gone`` the part of it that the tissue no longer
    holds, ``entering`` the kernel at that age; ``width`` is the kernel's rate less the tissue's.
    """

    age: Tensor
    input: Tensor
    gone: Tensor
    entering: Tensor
    width: Tensor
    scale: Tensor


@dataclass(frozen=True)
class DispersedKinetics(ContinuousKinetics):
    """(P)CASL whose arrival times are spread by a gamma distribution (Chappell et al. 2013).

    ATT is when the first label can arrive. Label that comes later has decayed with blood T1
    for longer. The plain bolus filtered by the gamma kernel and by the exponential residue has
    a closed form in incomplete gamma functions, which takes the place of the residue's integral
    in the plain model. The kernel must be faster than the decay in tissue.

    Parameters
    ----------
    sharpness
        Rate of the gamma kernel [1/s].
    time_to_peak
        Mode of the kernel [s]; its shape parameter is 1 + sharpness * time_to_peak.
    """

    sharpness: float = 10.0
    time_to_peak: float = 0.1

    def _total(self, age: Tensor, rates: Rates) -> Tensor:
        return self._residue(age, rates, age).total

    def _residue(self, age: Tensor, rates: Rates, nominal_age: Tensor) -> Residue:
        spread = self._spread(age, rates, nominal_age)
        total = (spread.input - spread.gone) / rates.tissue
        gone_d_rate = self._gone_d_rate(spread)
        return Residue(
            total=spread.scale * total,
            remaining=spread.scale * spread.gone,
            total_d_rate=-spread.scale * (gone_d_rate + total) / rates.tissue,
        )

    def _residue_curvature(
        self, age: Tensor, rates: Rates, nominal_age: Tensor
    ) -> ResidueCurvature:
        spread = self._spread(age, rates, nominal_age)
        rate, shape = rates.tissue, self._shape
        total = (spread.input - spread.gone) / rate
        gone_d_rate = self._gone_d_rate(spread)
        total_d_rate = -(gone_d_rate + total) / rate
        slope = shape / spread.width - spread.age
        gone_d_rate_rate = (
            gone_d_rate * slope
            + (spread.gone * shape - spread.entering * spread.age) / spread.width**2
        )
        return ResidueCurvature(
            remaining_d_age=spread.scale * (spread.entering - rate * spread.gone),
            remaining_d_rate=spread.scale * gone_d_rate,
            total_d_rate_rate=-spread.scale * (gone_d_rate_rate + 2 * total_d_rate) / rate,
        )

    @property
    def _shape(self) -> float:
        return 1 + self.sharpness * self.time_to_peak

    def _gone_d_rate(self, spread: _Spread) -> Tensor:
        slope = self._shape / spread.width - spread.age
        return spread.gone * slope - spread.entering * spread.age / spread.width

    def _spread(self, age: Tensor, rates: Rates, nominal_age: Tensor) -> _Spread:
        age = age.clamp(min=0) * (nominal_age > 0)
        decaying = self.sharpness + rates.blood
        width = decaying - rates.tissue
        shape = torch.full_like(age, self._shape)
        gone = (decaying / width) ** self._shape * torch.exp(-rates.tissue * age)
        log_kernel = torch.special.xlogy(self._shape - 1, decaying * age) - decaying * age
        return _Spread(
            age=age,
            input=torch.special.gammainc(shape, decaying * age),
            gone=gone * torch.special.gammainc(shape, width * age),
            entering=decaying * torch.exp(log_kernel - math.lgamma(self._shape)),
            width=width,
            scale=(self.sharpness / decaying) ** self._shape,
        )
