"""Repetitions as vectors: what was measured each time the protocol was run through."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from aslprep_nn.estimation.repetitions import Repetitions


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
        ``(timing, repetition, voxel)``, 0 in incomplete repetitions [delta M / M0].
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
        values = data.mT[complete_sets(repetitions).to(data.device)]
        complete = torch.isfinite(values).all(0)
        if not bool(complete.all()):
            values = torch.where(complete, values, 0)
        return cls(values, complete)

    @property
    def count(self) -> Tensor:
        """Number of complete repetitions M, ``(voxel,)``."""
        return self.complete.sum(0)

    def project(self, directions: Tensor, center: Tensor) -> Tensor:
        """Measure how far each repetition lies from a point along some directions.

        Parameters
        ----------
        directions
            ``(direction, timing, voxel)``.
        center
            ``(timing, voxel)``.

        Returns
        -------
        ``(direction, repetition, voxel)``, 0 for incomplete repetitions.
        """
        along = torch.einsum('dnv,nmv->dmv', directions, self.values)
        offset = (directions * center).sum(1, keepdim=True)
        return (along - offset) * self.complete

    def variance(self) -> Tensor:
        """Pool the variance of a measurement within timings, ``(voxel,)``.

        It needs no model of the signal: only that nothing but noise changes between repetitions.
        """
        count = self.count
        total = self.values.sum(1)
        squares = self.values.square().sum((0, 1)) - total.square().sum(0) / count
        return squares.clamp(min=0) / (self.values.shape[0] * (count - 1))


def complete_sets(repetitions: Repetitions) -> Tensor:
    """Find which measurement is the m-th of each timing, ``(timing, repetition)``."""
    members = [
        (repetitions.timing == timing).nonzero().squeeze(-1)
        for timing in range(repetitions.n_timings)
    ]
    fewest = min(len(indices) for indices in members)
    return torch.stack([indices[:fewest] for indices in members])
