"""Does the mean of the repetitions follow the model, and if not, which assumption is wrong?"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.estimation.repetitions import Summary
from aslprep_nn.misspecification.null import p_of_ratio
from aslprep_nn.misspecification.tangent import Tangent
from aslprep_nn.misspecification.vectors import RepetitionVectors

#: CBF and ATT.
N_PARAMETERS = 2


class LackOfFit(NamedTuple):
    """The lack-of-fit F of each voxel, its degrees of freedom and p, ``(voxel,)`` each."""

    ratio: Tensor
    above: Tensor
    below: Tensor
    p: Tensor


def lack_of_fit(data: Summary, signal: Tensor, n_parameters: Tensor) -> LackOfFit:
    """Compare how far the means of the timings lie from the model with how far noise puts them.

    F = [sum M_n (mean_n - S_n)^2 / (N-P)] / [sum sum (x_mn - mean_n)^2 / sum (M_n - 1)]
    (Fisher 1922): it needs no noise level, allows a different number of repetitions M_n of every
    timing and is exact for independent normal noise up to the curvature of the model.

    Parameters
    ----------
    data
        All measurements, weights 1.
    signal
        The fitted model, ``(timing, voxel)``.
    n_parameters
        How many parameters P the measurements had a say in, ``(voxel,)``: one where ATT is not
        identifiable, as before the first delay, because there only CBF was adapted to them.
    """
    above = (data.n_timings - n_parameters).expand_as(data.scatter)
    below = (data.n_measurements - data.n_timings).expand_as(data.scatter)
    misfit = (data.weight * (data.mean - signal).square()).sum(0)
    ratio = (misfit / above) / (data.scatter / below)
    ratio = torch.where((above > 0) & (below > 0), ratio, torch.nan)
    return LackOfFit(ratio, above, below, p_of_ratio(ratio, above, below))


def score_t(
    vectors: RepetitionVectors, tangent: Tangent, directions: Tensor, signal: Tensor
) -> Tensor:
    """Ask whether the repetitions agree on a deviation in a direction CBF and ATT cannot explain.

    Each repetition gives one number, its deviation along that direction, and t compares their
    mean with their own scatter: whatever the covariance of the noise within a repetition, t is
    Student's with M - 1 degrees of freedom as long as repetitions are independent.

    Parameters
    ----------
    vectors
        The repetitions.
    tangent
        Of the fit.
    directions
        ``(direction, timing, voxel)``, of any length.
    signal
        The fitted model, ``(timing, voxel)``.

    Returns
    -------
    ``(direction, voxel)``; the sign is that of the deviation.
    """
    deviation = vectors.along(tangent.orthogonalize(directions), signal)
    return student_t(vectors, deviation).mT


def student_t(vectors: RepetitionVectors, deviation: Tensor) -> Tensor:
    """Divide the mean over repetitions by its standard error.

    Parameters
    ----------
    vectors
        The repetitions.
    deviation
        ``(voxel, repetition, direction)``.

    Returns
    -------
    ``(voxel, direction)``.
    """
    mean, centered = vectors.center(deviation)
    count = vectors.count.unsqueeze(-1)
    return mean.squeeze(1) / (centered.square().sum(1) / (count * (count - 1))).sqrt()
