"""Repeated measurements as sufficient statistics: what a fit needs does not grow with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.signal.model import Direction

#: Voxels that show whether a measurement is there.
A_FEW = 64


@dataclass(frozen=True)
class Summary:
    """The measurements of some voxels, one entry per distinct timing.

    Parameters
    ----------
    mean
        Weighted mean of the repetitions, 0 where all are missing, ``(timing, voxel)``.
    weight
        Sum of their weights, ``(timing, voxel)``, or ``(timing, 1)`` where voxels share them.
    energy
        Weighted sum of squares of the means, ``(voxel,)``.
    scatter
        Weighted sum of squares of the repetitions about their means, ``(voxel,)``.
    n_measurements, n_timings
        How many measurements and distinct timings are present, ``(voxel,)`` or ``(1,)``.
    """

    mean: Tensor
    weight: Tensor
    energy: Tensor
    scatter: Tensor
    n_measurements: Tensor
    n_timings: Tensor

    @classmethod
    def of(cls, mean: Tensor, weight: Tensor, scatter: Tensor, n_measurements: Tensor) -> Summary:
        """Complete a summary with what follows from its parts."""
        energy = (weight * mean.square()).sum(0)
        return cls(mean, weight, energy, scatter, n_measurements, (weight > 0).sum(0))

    def at(self, voxels: Tensor) -> Summary:
        """Keep some voxels."""
        shared = self.weight.shape[-1] == 1
        return Summary(
            self.mean.index_select(1, voxels),
            self.weight if shared else self.weight.index_select(1, voxels),
            self.energy[voxels],
            self.scatter[voxels],
            self.n_measurements if shared else self.n_measurements[voxels],
            self.n_timings if shared else self.n_timings[voxels],
        )

    def without(self, direction: Direction) -> Summary:
        """Project a signal of unknown strength out of the means."""
        mean = direction.remove_from(self.mean)
        return replace(
            self,
            mean=mean,
            energy=(self.weight * mean.square()).sum(0),
            n_timings=self.n_timings - 1,
        )

    def with_rounding(self, cost: Tensor) -> Tensor:
        """Add to a sum of squared residuals what rounding may have taken from it.

        A residual is a difference of numbers as large as the data, so its rounding error is
        relative to the data and not to itself.
        """
        rounding = 16 * torch.finfo(cost.dtype).eps * self.energy.sqrt()
        return (cost.sqrt() + rounding).square()


@dataclass(frozen=True)
class Repetitions:
    """Which measurements repeat the same timing.

    Parameters
    ----------
    acquisitions
        The acquisitions with each timing once, in order of first appearance.
    timing
        Which timing each measurement has, counted through all acquisitions, ``(measurement,)``.
    basis
        Where the data are coefficients in a subspace: its basis over the distinct timings,
        ``(timing, component)``. Coefficients do not repeat each other.
    """

    acquisitions: tuple[Acquisition, ...]
    timing: Tensor
    basis: Tensor | None = None

    @classmethod
    def of(cls, acquisitions: Sequence[Acquisition], basis: Tensor | None = None) -> Repetitions:
        """Find the repetitions in one or more acquisitions of the same voxels.

        A basis, ``(measurement, component)``, says that the data are coefficients in it.
        """
        distinct, timing, n_before = [], [], 0
        for acquisition in acquisitions:
            pairs = list(zip(acquisition.pld, acquisition.labeling_duration, strict=True))
            index = {pair: i for i, pair in enumerate(dict.fromkeys(pairs))}
            timing += [n_before + index[pair] for pair in pairs]
            n_before += len(index)
            pld, duration = zip(*index, strict=True)
            distinct.append(replace(acquisition, pld=pld, labeling_duration=duration))
        places = torch.tensor(timing)
        if basis is None:
            return cls(tuple(distinct), places)
        by_timing = basis.new_zeros(n_before, basis.shape[1]).index_add(0, places, basis)
        return cls(tuple(distinct), places, by_timing)

    @property
    def n_timings(self) -> int:
        """Number of distinct timings."""
        return sum(a.n_measurements for a in self.acquisitions)

    @property
    def n_columns(self) -> int:
        """Number of data in a voxel: measurements, or coefficients."""
        return len(self.timing) if self.basis is None else self.basis.shape[1]

    def summarize(self, data: Tensor, weights: Tensor | None = None) -> Summary:
        """Collapse measurements to one entry per timing; NaN measurements are missing.

        Parameters
        ----------
        data
            ``(voxel, measurement)``.
        weights
            Relative precision (inverse variance) of each measurement, ``(measurement,)`` or
            ``(voxel, measurement)``; 1 when absent. A measurement of weight 0 is missing.
        """
        data = data.mT.contiguous()
        if weights is None:
            weights = data.new_ones(data.shape[0])
        weights = weights.to(data)
        weights = weights.mT.contiguous() if weights.ndim == 2 else weights.unsqueeze(-1)
        if not bool(torch.isfinite(data.sum())):
            present = torch.isfinite(data)
            ignored = weights == 0
            weights = weights if bool((present | ignored).all()) else weights * present
            data = torch.where(present & ~ignored, data, 0)
        if self.basis is not None or self.n_timings == len(self.timing):
            return Summary.of(data, weights, torch.zeros_like(data[0]), (weights > 0).sum(0))
        return self._pool(data, weights)

    def shared_weight(self, weights: Tensor | None = None) -> Tensor:
        """Sum the weights that voxels share over each timing, ``(timing,)``.

        In a basis they are the weights of its components.
        """
        if weights is None or weights.ndim == 2:
            weights = torch.ones(self.n_columns)
        if self.basis is not None:
            return weights.cpu().double()
        return torch.bincount(self.timing, weights.cpu().double(), minlength=self.n_timings)

    def _pool(self, data: Tensor, weights: Tensor) -> Summary:
        timing = self.timing.to(data.device)
        members = torch.nn.functional.one_hot(timing, self.n_timings).to(data).mT
        weight = members @ weights
        mean = members @ (weights * data) / torch.where(weight > 0, weight, 1)
        scatter = (weights * (data - mean[timing]).square()).sum(0)
        return Summary.of(mean, weight, scatter, (weights > 0).sum(0))


def without_absent(data: Tensor, weights: Tensor | None) -> Tensor | None:
    """Give measurements that no voxel has the weight 0 for all of them.

    Voxels that share their weights are fitted together, which is faster, and a timing that is
    absent everywhere does not count as one that could tell ATT.

    Parameters
    ----------
    data
        ``(voxel, measurement)``, NaN where missing.
    weights
        ``(measurement,)``, ``(voxel, measurement)`` or None for equal ones.
    """
    for looked_at in (data[:A_FEW], data):  # a few voxels have everything, as a rule
        absent = ~torch.isfinite(looked_at).any(0)
        if not bool(absent.any()):
            return weights
    weights = torch.ones(data.shape[1]) if weights is None else weights
    return weights * ~absent.to(weights.device)
