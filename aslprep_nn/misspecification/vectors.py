"""Repetitions as vectors: what was measured each time the protocol was run through."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from aslprep_nn.estimation.repetitions import Repetitions, Summary


@dataclass(frozen=True)
class RepetitionVectors:
    """The complete repetitions of some voxels.

    Repetition m of a protocol is the vector of the m-th measurements of every timing. It is
    complete in a voxel where none of them is missing. With unequal numbers of measurements
    there are as many repetitions as the rarest timing has; what is left over enters the fit and
    the lack of fit, but no vector.

    Parameters
    ----------
    values
        ``(repetition, timing, voxel)``, 0 in incomplete repetitions [delta M / M0].
    complete
        Which repetitions are, ``(repetition, voxel)``.
    """

    values: Tensor
    complete: Tensor

    @classmethod
    def of(cls, data: Tensor, repetitions: Repetitions) -> RepetitionVectors:
        """Arrange measurements; NaN is missing.

        Parameters
        ----------
        data
            ``(voxel, measurement)``.
        repetitions
            Which measurements share a timing.
        """
        sets = complete_sets(repetitions).mT
        if not torch.equal(sets.flatten(), torch.arange(data.shape[-1])):
            data = data[:, sets.flatten().to(data.device)]
        values = data.mT.reshape(*sets.shape, len(data))
        if bool(torch.isfinite(data.sum())):
            return cls(values, torch.ones_like(values[:, 0], dtype=torch.bool))
        complete = torch.isfinite(values.sum(1))
        return cls(torch.where(complete.unsqueeze(1), values, 0), complete)

    def at(self, repetitions: Tensor) -> RepetitionVectors:
        """Keep some repetitions."""
        return RepetitionVectors(self.values[repetitions], self.complete[repetitions])

    @cached_property
    def all_complete(self) -> bool:
        """Whether every repetition is complete in every voxel."""
        return bool(self.complete.all())

    @cached_property
    def count(self) -> Tensor:
        """Number of complete repetitions M, ``(voxel,)``."""
        return self.complete.sum(0)

    @property
    def n_timings(self) -> int:
        """Number of distinct timings N."""
        return self.values.shape[1]

    def less(self, signal: Tensor) -> RepetitionVectors:
        """Subtract a signal, ``(timing, voxel)``, from every repetition."""
        # converted first, because arithmetic between two precisions is several times slower
        values = self.values.to(signal, copy=True, memory_format=torch.contiguous_format)
        values -= signal
        if not self.all_complete:
            values = torch.where(self.complete.unsqueeze(1), values, 0)
        return RepetitionVectors(values, self.complete)

    def hold(self, data: Tensor) -> bool:
        """Whether every measurement, ``(voxel, measurement)``, is in a complete repetition."""
        return self.all_complete and data.shape[-1] == self.values[..., 0].numel()

    @property
    def summary(self) -> Summary:
        """What a fit needs of repetitions that are all complete."""
        n_repetitions, n_timings = self.values.shape[:2]
        return Summary.of(
            mean=self.total / n_repetitions,
            weight=torch.full((n_timings, 1), float(n_repetitions)).to(self.values),
            scatter=self.scatter,
            n_measurements=torch.full((1,), n_repetitions * n_timings, device=self.values.device),
        )

    @cached_property
    def scatter(self) -> Tensor:
        """Sum of squares of the complete repetitions about their mean, ``(voxel,)``."""
        squares = self.values[0].square()
        for repetition in self.values[1:]:
            squares.addcmul_(repetition, repetition)  # no copy of all values
        squares = squares.sum(0)
        return (squares - self.total.square().sum(0) / self.count).clamp(min=0)

    @cached_property
    def total(self) -> Tensor:
        """Sum of the complete repetitions, ``(timing, voxel)``."""
        return self.values.sum(0)

    @property
    def variance(self) -> Tensor:
        """The variance of a measurement pooled within timings, ``(voxel,)``.

        It needs no model of the signal: only that nothing but noise changes between repetitions.
        """
        return self.scatter / (self.n_timings * (self.count - 1))


def complete_sets(repetitions: Repetitions) -> Tensor:
    """Find which measurement is the m-th of each timing, ``(timing, repetition)``."""
    order = repetitions.timing.argsort(stable=True)
    n_members = torch.bincount(repetitions.timing)
    fewest = torch.arange(int(n_members.min()))
    return order[(n_members.cumsum(0) - n_members).unsqueeze(-1) + fewest]
