"""What an estimator hands on: parameters, how sure they are, and the status of every voxel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Fit:
    """The estimates of many voxels.

    Parameters
    ----------
    parameters
        Each ``(voxel,)``: ``cbf`` [mL/100 g/min], ``att`` [s] and whatever else was estimated;
        NaN where there is no estimate.
    std
        The standard deviation of each parameter, ``(voxel,)``, in its unit; NaN where the
        measurements cannot tell.
    status
        `FitStatus` codes, ``(voxel,)``, integer.
    residual
        Weighted sum of squared residuals over all measurements, ``(voxel,)`` [1].
    noise
        Standard deviation of one measurement of weight 1, ``(voxel,)`` [delta M / M0].
    """

    parameters: Mapping[str, Tensor]
    std: Mapping[str, Tensor]
    status: Tensor
    residual: Tensor
    noise: Tensor

    @classmethod
    def nothing(
        cls, n_voxels: int, names: Sequence[str], dtype: torch.dtype, device: torch.device
    ) -> Fit:
        """Make room for the estimates of voxels: NaN everywhere, status outside."""

        def missing() -> Tensor:
            return torch.full((n_voxels,), torch.nan, dtype=dtype, device=device)

        return cls(
            parameters={name: missing() for name in names},
            std={name: missing() for name in names},
            status=torch.zeros(n_voxels, dtype=torch.uint8, device=device),
            residual=missing(),
            noise=missing(),
        )

    def put(self, voxels: Tensor | slice, part: Fit, kept: Tensor | None = None) -> None:
        """Write the voxels of a part into their places.

        Parameters
        ----------
        voxels
            The place of each voxel of the part.
        part
            The fit of some voxels.
        kept
            Which of them to write, ``(part,)``; all when absent.
        """
        if kept is not None and not bool(kept.all()):
            places = torch.arange(self.n_voxels)[voxels]
            voxels, part = places[kept.to(places.device)], part.at(kept)
        for whole, values in zip(self._tensors(part), part._tensors(part), strict=True):
            whole[voxels] = values

    def at(self, voxels: Tensor) -> Fit:
        """Keep some voxels."""
        return Fit(
            parameters={name: values[voxels] for name, values in self.parameters.items()},
            std={name: values[voxels] for name, values in self.std.items()},
            status=self.status[voxels],
            residual=self.residual[voxels],
            noise=self.noise[voxels],
        )

    def _tensors(self, like: Fit) -> Iterator[Tensor]:
        """Yield the tensors that another fit has too, in one order."""
        yield from (self.parameters[name] for name in like.parameters)
        yield from (self.std[name] for name in like.std)
        yield from (self.status, self.residual, self.noise)

    @property
    def n_voxels(self) -> int:
        """Number of voxels."""
        return self.status.shape[0]
