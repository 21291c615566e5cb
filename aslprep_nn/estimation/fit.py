"""What an estimator hands on: parameters, how sure they are, and the status of every voxel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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

    @property
    def n_voxels(self) -> int:
        """Number of voxels."""
        return self.status.shape[0]
