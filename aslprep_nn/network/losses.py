"""What the network learns from: errors in units of the bound, and the balance of their parts.

Every loss takes independent draws of the noise of one phantom, because bias and variance can
only be told apart by more than one. Dividing by a bound makes CBF and ATT, and voxels that are
easy and hard to estimate, count alike: an efficient unbiased estimator scores 1 everywhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import huber_loss

from aslprep_nn.errors import Problem, UsageError

#: Errors of so many standard deviations are hardly ever noise.
OUTLIER = 3.0
#: Mean squared error per bound below which a phantom is not made to count more.
LEAST_ERROR = 0.02


@dataclass(frozen=True)
class Target:
    """What estimates are compared with.

    Parameters
    ----------
    truth
        Amplitude and ATT, ``(parameter, ...)`` [mL/100 g/min, s].
    bound
        Variance of an efficient estimator of each, ``(parameter, ...)``.
    mask
        The voxels that count, ``(...)``, boolean.
    dial
        How many times as much bias counts as scatter, that broadcasts with ``(...)`` [1].
    importance
        How much each voxel counts in the likelihood, that broadcasts with ``(...)`` [1].
    """

    truth: Tensor
    bound: Tensor
    mask: Tensor
    dial: Tensor
    importance: Tensor = field(default_factory=lambda: torch.ones(()))

    def mean(self, values: Tensor) -> Tensor:
        """Average ``(..., parameter, ...)`` over the voxels of the mask and all before them."""
        values = torch.where(self.mask, values, 0)
        n_before = values.numel() // self.mask.numel()
        return values.sum() / (self.mask.sum() * n_before).clamp(min=1)

    def mean_of_phantoms(self, values: Tensor) -> Tensor:
        """Average ``(..., parameter, phantom, ...)`` to ``(parameter, phantom)``."""
        values = torch.where(self.mask, values, 0)
        sums = values.flatten(values.ndim - self.mask.ndim + 1).sum(-1)
        draws = sums.reshape(-1, *sums.shape[-2:])
        return draws.mean(0) / self.mask.flatten(1).sum(1).clamp(min=1)


class Loss(ABC):
    """A number that is least where the network is best."""

    #: Fewest draws of the noise that it can be computed from.
    fewest_draws = 1

    def __call__(self, draws: Tensor, target: Target, *, balance: float = 0.0) -> Tensor:
        """Compare ``(draw, parameter, ...)`` estimates with the truth, a scalar [1].

        Parameters
        ----------
        draws
            The estimates, ``(draw, parameter, phantom, ...)`` if they are balanced.
        target
            What to compare with.
        balance
            Power of the mean squared error per bound that the loss of each parameter of each
            phantom is divided by. With 1 a change by one per cent counts alike wherever it is
            made: a few phantoms that no estimator does well on (wrong constants, arteries) do
            not drown those with something to gain. With 0 all voxels count alike.

        Raises
        ------
        UsageError
            If there are too few draws.
        """
        if len(draws) < self.fewest_draws:
            expected = f'at least {self.fewest_draws}: it tells bias from variance'
            found = f'{len(draws)} for {type(self).__name__}'
            raise UsageError(Problem('training', 'draws', found, expected, 'Draw more noise.'))
        values = self.per_voxel(draws, target)
        if not balance:
            return target.mean(values)
        level = target.mean_of_phantoms(_squares_per_bound(draws.detach(), target)) + LEAST_ERROR
        return (target.mean_of_phantoms(values) / level**balance).mean()

    @abstractmethod
    def per_voxel(self, draws: Tensor, target: Target) -> Tensor:
        """Compute the loss before it is averaged, ``(..., parameter, ...)``."""


@dataclass(frozen=True)
class MeanSquaredError(Loss):
    """Squared errors in fixed units, so that the voxels hardest to estimate count most.

    Parameters
    ----------
    units
        One unit of amplitude [mL/100 g/min] and of ATT [s].
    """

    units: tuple[float, float] = (10.0, 0.1)

    def per_voxel(self, draws: Tensor, target: Target) -> Tensor:
        """See `Loss.per_voxel`."""
        unit = draws.new_tensor(self.units).reshape(-1, *(1,) * target.mask.ndim)
        return ((draws - target.truth) / unit).square()


@dataclass(frozen=True)
class BoundWeightedError(Loss):
    """Squared errors per Cramér-Rao bound (Zhang et al. 2022, eq. 1).

    It is 1 for an efficient unbiased estimator; a biased one may go below.
    """

    def per_voxel(self, draws: Tensor, target: Target) -> Tensor:
        """See `Loss.per_voxel`."""
        return _squares_per_bound(draws, target)


@dataclass(frozen=True)
class BiasReducedError(Loss):
    """Squared bias, and variance only where it exceeds a limit (Mao et al. 2024).

    The squared distance of a mean of N draws from the truth holds 1/N of the variance beside
    the squared bias. It is subtracted, or the network would be paid for lowering its variance.

    Parameters
    ----------
    penalty
        Lambda: weight of variance beyond the limit.
    limit
        Delta: variance that is free, in units of the bound.
    """

    penalty: float = 1.0
    limit: float = 1.0
    fewest_draws = 2

    def per_voxel(self, draws: Tensor, target: Target) -> Tensor:
        """See `Loss.per_voxel`."""
        variance = draws.var(0) / target.bound
        squared_bias = (draws.mean(0) - target.truth).square() / target.bound
        excess = (variance - self.limit).clamp(min=0)
        return squared_bias - variance / len(draws) + self.penalty * excess


@dataclass(frozen=True)
class BiasVarianceError(Loss):
    """Squared bias times the squared dial, plus variance, both unbiased from two draws.

    The product of two independent errors has the squared bias as its expectation, half their
    squared difference the variance. Unlike a limit on the variance this keeps paying for what
    averaging over neighbours gains beyond the bound of a single voxel. It is divided by the
    dial, or phantoms with a high one would decide alone what is learnt.
    """

    fewest_draws = 2

    def per_voxel(self, draws: Tensor, target: Target) -> Tensor:
        """See `Loss.per_voxel`; draws are taken in pairs."""
        n_pairs = len(draws) // 2
        errors = draws - target.truth
        first, second = errors[:n_pairs], errors[n_pairs : 2 * n_pairs]
        squared_bias, variance = first * second, (first - second).square() / 2
        return (target.dial.square() * squared_bias + variance) / (target.bound * target.dial)


def _squares_per_bound(draws: Tensor, target: Target) -> Tensor:
    return (draws - target.truth).square() / target.bound


def gaussian_likelihood(draws: Tensor, stds: Tensor, target: Target) -> Tensor:
    """Score predictive standard deviations by the normal likelihood of the errors, a scalar.

    It is least where each standard deviation is the root mean square of the errors, bias
    included. The errors are taken as given, so that this teaches the standard deviations alone.
    An error beyond `OUTLIER` standard deviations counts in proportion to its size, not its
    square (Huber 1964): an artery that nothing gives away must not widen every interval.

    Parameters
    ----------
    draws, stds
        Estimates and their standard deviations, ``(draw, parameter, ...)``.
    target
        What to compare with.
    """
    error = (draws - target.truth).detach() / stds
    cost = huber_loss(error, torch.zeros_like(error), reduction='none', delta=OUTLIER)
    return target.mean(target.importance * (stds.log() + cost))


def amplitude_error(amplitude: Tensor, target: Target) -> Tensor:
    """Compare the mean amplitude of each image with the true one, a scalar [1].

    The auxiliary task of a network whose normalisation could lose the amplitude: the squared
    relative error.

    Parameters
    ----------
    amplitude
        ``(draw, ..., x, y)`` [mL/100 g/min].
    target
        What to compare with.
    """
    inside = target.mask.to(amplitude)
    true = (target.truth[0] * inside).sum((-1, -2))
    found = (amplitude * inside).sum((-1, -2))
    seen = inside.any(-1).any(-1)
    error = found / torch.where(seen, true, 1) - 1
    return torch.where(seen, error.square(), 0).sum() / (len(amplitude) * seen.sum()).clamp(min=1)
