"""One noise for a whole series, from what the fit of every voxel says."""

from __future__ import annotations

import torch
from torch import Tensor

#: Variances above so many times the median count as that: a rim that moved is not noise.
MOST_EXCESS = 10.0


def common_noise(voxel_noise: Tensor) -> float:
    """Pool the noise of all voxels.

    The estimators that look at neighbours take one number, of which the network is told in
    training too: the root of the mean variance. It is rather high than low where noise differs
    between voxels, which is the side to err on: noise taken for too small makes signal of it.
    A few voxels whose repetitions moved would dominate the mean, so their variance is bounded.

    Parameters
    ----------
    voxel_noise
        Standard deviation of one measurement, ``(voxel,)``, as `Fit.noise` has it: from the
        scatter of the repetitions, or from the residuals of the fit where there are too few of
        them. NaN or infinite where a voxel cannot tell.

    Returns
    -------
    In the unit of ``voxel_noise``; NaN where no voxel can tell.
    """
    variances = voxel_noise[torch.isfinite(voxel_noise)].double().square()
    if variances.numel() == 0:
        return float('nan')
    bounded = variances.clamp(max=MOST_EXCESS * float(variances.median()))
    return float(bounded.mean().sqrt())
