"""How much the measurements say about CBF and ATT: Fisher information and its bounds."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.estimation.repetitions import Summary
from aslprep_nn.signal.model import SignalModel

#: Width of what is believed possible before measuring: CBF [mL/100 g/min] and ATT [s].
PRIOR_RANGE = (300.0, 3.0)
#: Points at which a normal distribution is averaged over.
N_QUANTILES = 9
#: Fewer degrees of freedom between repetitions than this say too little about the noise.
FEWEST_DEGREES_OF_FREEDOM = 4


class Information(NamedTuple):
    """The symmetric matrix of Fisher information about (CBF, ATT), ``(voxel,)`` each.

    For noise of standard deviation 1 and measurements of weight 1; divide by the variance.
    """

    cbf: Tensor
    both: Tensor
    att: Tensor

    @property
    def scaled_condition(self) -> Tensor:
        """Condition number after scaling both parameters to unit information.

        It does not depend on units or noise; where it is large, one parameter can be traded for
        the other without changing the signal.
        """
        correlation = self.both.abs() / (self.cbf * self.att).sqrt()
        return (1 + correlation) / (1 - correlation).clamp(min=0)

    def covariance(
        self, noise: Tensor, prior_range: tuple[float, float] | None = None
    ) -> Covariance:
        """Invert to the Cramér-Rao bound, with a prior's information where one is given."""
        variance = noise.square()
        cbf, both, att = self.cbf / variance, self.both / variance, self.att / variance
        if prior_range is not None:
            cbf, att = cbf + 12 / prior_range[0] ** 2, att + 12 / prior_range[1] ** 2
        return Information(cbf, both, att).inverse

    @property
    def inverse(self) -> Covariance:
        """The bound for noise of standard deviation 1."""
        determinant = self.cbf * self.att - self.both.square()
        return Covariance(self.att / determinant, -self.both / determinant, self.cbf / determinant)


class Covariance(NamedTuple):
    """The symmetric covariance matrix of (CBF, ATT), ``(voxel,)`` each."""

    cbf: Tensor
    both: Tensor
    att: Tensor


def fisher_information(model: SignalModel, cbf: Tensor, att: Tensor, weight: Tensor) -> Information:
    """Compute the Fisher information of Gaussian measurements.

    Parameters
    ----------
    model
        The protocol.
    cbf, att
        ``(voxel,)`` [mL/100 g/min, s].
    weight
        Relative precision of each timing, ``(timing, voxel)`` or ``(timing, 1)``.
    """
    signal = model.linearize(cbf, att)
    weighted = weight * signal.d_cbf
    return Information(
        (weighted * signal.d_cbf).sum(0),
        (weighted * signal.d_att).sum(0),
        (weight * signal.d_att.square()).sum(0),
    )


def smoothed_covariance(
    model: SignalModel,
    cbf: Tensor,
    att: Tensor,
    weight: Tensor,
    *,
    noise: Tensor,
    prior_range: tuple[float, float] = PRIOR_RANGE,
) -> Covariance:
    """Bound the scatter of estimates where the plain bound jumps: at the kinks.

    The information is averaged over where ATT may lie, a normal distribution as wide as the
    bound itself, and a prior as wide as the possible range is added (van Trees): this follows
    the scatter of simulated estimates, which the plain bound does not.
    """
    width = fisher_information(model, cbf, att, weight).covariance(noise, prior_range).att.sqrt()
    levels = (torch.arange(N_QUANTILES, dtype=att.dtype, device=att.device) + 0.5) / N_QUANTILES
    information = Information(*(torch.zeros_like(att),) * 3)
    for offset in torch.special.ndtri(levels):
        there = fisher_information(model, cbf, (att + offset * width).clamp(min=0), weight)
        information = Information(
            *(a + b / N_QUANTILES for a, b in zip(information, there, strict=True))
        )
    return information.covariance(noise, prior_range)


def noise_level(data: Summary, lack_of_fit: Tensor, n_parameters: int) -> Tensor:
    """Estimate the standard deviation of one measurement of weight 1.

    From the scatter of the repetitions, which no model can spoil; where there are too few of
    them, from all residuals.
    """
    repeated = data.n_measurements - data.n_timings
    everything = data.n_measurements - n_parameters
    pooled = data.scatter / repeated
    overall = (data.scatter + lack_of_fit) / everything
    enough = repeated >= FEWEST_DEGREES_OF_FREEDOM
    return torch.where(enough, pooled, overall).clamp(min=0).sqrt()
