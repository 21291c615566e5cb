"""Random numbers in the distributions that phantoms and protocols are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Interval(NamedTuple):
    """The lowest and the highest value that is drawn."""

    low: float
    high: float


@dataclass(frozen=True)
class Dice:
    """Draws from one seeded stream, on the device the stream belongs to.

    Parameters
    ----------
    generator
        The stream; everything drawn lies on its device.
    """

    generator: torch.Generator

    @property
    def device(self) -> torch.device:
        """Where the numbers are drawn."""
        return self.generator.device

    def unit(self, *shape: int) -> Tensor:
        """Draw from [0, 1)."""
        return torch.rand(shape, generator=self.generator, device=self.device)

    def uniform(self, interval: Interval, *shape: int) -> Tensor:
        """Draw evenly from an interval."""
        return interval.low + (interval.high - interval.low) * self.unit(*shape)

    def log_uniform(self, interval: Interval, *shape: int) -> Tensor:
        """Draw so that every factor of two is as likely as the next; the interval is positive."""
        return self.uniform(Interval(math.log(interval.low), math.log(interval.high)), *shape).exp()

    def normal(self, *shape: int) -> Tensor:
        """Draw from the standard normal distribution."""
        return torch.randn(shape, generator=self.generator, device=self.device)

    def chance(self, probability: float, *shape: int) -> Tensor:
        """Draw True with a probability."""
        return self.unit(*shape) < probability

    def integer(self, first: int, last: int, *shape: int) -> Tensor:
        """Draw whole numbers from ``first`` to ``last``, both included."""
        return torch.randint(first, last + 1, shape, generator=self.generator, device=self.device)

    def number(self, interval: Interval) -> float:
        """Draw one number evenly, to the millisecond where it is a time."""
        return round(self.uniform(interval).item(), 3)

    def happens(self, probability: float) -> bool:
        """Decide once."""
        return bool(self.chance(probability).item())

    def count(self, first: int, last: int) -> int:
        """Draw one whole number, both ends included."""
        return int(self.integer(first, last).item())


def smooth_fields(
    where: Tensor, n_fields: int, wavelength: Interval, dice: Dice, *, n_waves: int = 16
) -> Tensor:
    """Draw smooth random fields of zero mean and unit variance at any points in space.

    A sum of plane waves of random direction, length and phase: nearly Gaussian, infinitely
    smooth, continuous from slice to slice, and evaluated only where it is needed.

    Parameters
    ----------
    where
        Points of each phantom, ``(phantom, ..., 3)`` [mm].
    n_fields
        Number of independent fields for each phantom.
    wavelength
        The waves' lengths [mm].
    dice
        Where the randomness comes from.
    n_waves
        How many waves make one field.

    Returns
    -------
    ``(phantom, ..., field)`` [1].
    """
    n_phantoms = where.shape[0]
    direction = torch.nn.functional.normalize(dice.normal(n_phantoms, n_fields, n_waves, 3), dim=-1)
    number = 2 * math.pi / dice.log_uniform(wavelength, n_phantoms, n_fields, n_waves, 1)
    phase = dice.uniform(Interval(0, 2 * math.pi), n_phantoms, 1, n_fields, n_waves)
    vectors = (direction * number).flatten(1, 2).mT
    angles = where.reshape(n_phantoms, -1, 3) @ vectors
    angles = angles.reshape(n_phantoms, -1, n_fields, n_waves)
    fields = angles.add_(phase).sin_().sum(-1) * math.sqrt(2 / n_waves)
    return fields.reshape(*where.shape[:-1], n_fields)
