"""Repetitions along directions: what fitted parameters explain, what is left, and Student's t."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from aslprep_nn.misspecification.vectors import RepetitionVectors

#: A direction that keeps less than this part of its length is not told from the parameters.
COLLINEAR = 1e-6
#: Nor a third parameter that keeps less than this: before the first delay the second is nearly
#: the first, and what is left of a third is the rounding of both (1e-6 to 1e-5; else 1e-2).
COLLINEAR_THIRD = 1e-4


@dataclass(frozen=True)
class Projections:
    """The repetitions of some voxels along directions: of fitted parameters first, then others.

    All arithmetic after the two products with the data is on numbers per direction, not per
    timing: taking from each direction what the parameters could explain (Gram-Schmidt) is done
    to the projections, which costs a fraction of doing it to the directions.

    Parameters
    ----------
    along
        How far each repetition lies from the fit, ``(repetition, direction, voxel)``; 0 in
        incomplete repetitions.
    overlap
        Inner products of the parameters' directions, and of the first after them, with all,
        ``(one of these, direction, voxel)``.
    energy
        Squared length of each direction, ``(direction, voxel)``.
    vectors
        The repetitions less the fit.
    n_parameters
        How many directions belong to parameters.
    """

    along: Tensor
    overlap: Tensor
    energy: Tensor
    vectors: RepetitionVectors
    n_parameters: int

    @classmethod
    def of(
        cls,
        vectors: RepetitionVectors,
        directions: Sequence[Tensor] | Tensor,
        signal: Tensor,
        *,
        n_parameters: int,
        shapes: Tensor | None = None,
    ) -> Projections:
        """Project repetitions.

        Parameters
        ----------
        vectors
            The repetitions.
        directions
            Those of the parameters first, ``(timing, voxel)`` each.
        signal
            The fit, ``(timing, voxel)``.
        n_parameters
            How many directions belong to parameters.
        shapes
            Further directions that all voxels share, ``(timing, shape)``.
        """
        rows, residuals = torch.stack(list(directions)), vectors.less(signal)
        first = rows[: n_parameters + 1]
        return cls(
            _inner_products(residuals.values, rows, shapes),
            _inner_products(first, rows, shapes),
            torch.cat(_energies(rows, shapes)),
            residuals,
            n_parameters,
        )

    def orthogonalized(self) -> Projections:
        """Take from each direction what the parameters before it explain.

        Where next to nothing remains of a parameter's direction it cannot be told from those
        before it: its energy, which is rounding, and everything after it are NaN.
        """
        along, overlap, energy = self.along.clone(), self.overlap.clone(), self.energy.clone()
        for parameter in range(self.n_parameters):
            later = slice(parameter + 1, None)
            row = overlap[parameter, later]
            least = COLLINEAR if parameter < 2 else COLLINEAR_THIRD
            told = energy[parameter] > least**2 * self.energy[parameter]
            energy[parameter] = torch.where(told, energy[parameter], torch.nan)
            share = row / energy[parameter]
            along[:, later].addcmul_(along[:, parameter, None], share, value=-1)
            energy[later] -= row * share
            overlap[later, later] -= overlap[later, parameter, None] * share
        return replace(self, along=along, overlap=overlap, energy=energy)

    def __getitem__(self, directions: slice) -> Projections:
        """Keep some directions."""
        return replace(
            self,
            along=self.along[:, directions],
            overlap=self.overlap[:, directions],
            energy=self.energy[directions],
        )

    def likeness(self, one: int) -> Tensor:
        """Compute the squared cosine between a direction and all, ``(direction, voxel)``.

        ``one`` is that of a parameter, or the first after them.
        """
        return self.overlap[one].square() / (self.energy[one] * self.energy)

    @cached_property
    def mean(self) -> Tensor:
        """Mean over the complete repetitions, ``(direction, voxel)``."""
        return self.along.sum(0) / self.vectors.count

    @cached_property
    def centered(self) -> Tensor:
        """Deviations from the mean, 0 in incomplete ones, ``(repetition, direction, voxel)``."""
        deviation = self.along - self.mean
        if self.vectors.all_complete:
            return deviation
        return deviation * self.vectors.complete.unsqueeze(1)

    @property
    def student_t(self) -> Tensor:
        """The mean divided by its standard error, ``(direction, voxel)``."""
        count, mean = self.vectors.count, self.mean
        squares = self.along.square().sum(0) - count * mean.square()
        return mean / (squares.clamp(min=0) / (count * (count - 1))).sqrt()


def _inner_products(these: Tensor, rows: Tensor, shapes: Tensor | None) -> Tensor:
    """Multiply vectors with directions, and with shapes that all voxels share.

    Timing by timing, so that each product runs along voxels, as they lie in memory.

    Parameters
    ----------
    these, rows
        ``(vector, timing, voxel)`` and ``(direction, timing, voxel)``.
    shapes
        ``(timing, shape)``.

    Returns
    -------
    ``(vector, direction and shape, voxel)``.
    """
    (n_vectors, n_timings, n_voxels), n_rows = these.shape, len(rows)
    n_shapes = 0 if shapes is None else shapes.shape[-1]
    products = these.new_empty(n_vectors, n_rows + n_shapes, n_voxels)
    torch.mul(these[:, None, 0], rows[:, 0], out=products[:, :n_rows])
    for timing in range(1, n_timings):
        products[:, :n_rows].addcmul_(these[:, None, timing], rows[:, timing])
    if shapes is not None:
        products[:, n_rows:] = shapes.mT @ these
    return products


def _energies(rows: Tensor, shapes: Tensor | None) -> tuple[Tensor, ...]:
    """Square the lengths of directions and of shapes, ``(direction, voxel)`` each."""
    energy = rows.square().sum(1)
    if shapes is None:
        return (energy,)
    return energy, shapes.square().sum(0).unsqueeze(-1).expand(-1, energy.shape[-1])
