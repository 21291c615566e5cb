"""Does the mean of the repetitions follow the model, and if not, which assumption is wrong?"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.estimation.repetitions import Summary
from aslprep_nn.misspecification.null import p_of_ratio


class LackOfFit(NamedTuple):
    """The lack-of-fit F of each voxel, its degrees of freedom and p, ``(voxel,)`` each."""

    ratio: Tensor
    above: Tensor
    below: Tensor
    p: Tensor


def lack_of_fit(misfit: Summary, n_parameters: Tensor) -> LackOfFit:
    """Compare how far the means of the timings lie from the model with how far noise puts them.

    F = [sum M_n (mean_n - S_n)^2 / (N-P)] / [sum sum (x_mn - mean_n)^2 / sum (M_n - 1)]
    (Fisher 1922): it needs no noise level, allows a different number of repetitions M_n of every
    timing and is exact for independent normal noise up to the curvature of the model.

    Parameters
    ----------
    misfit
        All measurements, weights 1, less the fit.
    n_parameters
        How many parameters P the measurements had a say in, ``(voxel,)``: one where ATT is not
        identifiable, as before the first delay, because there only CBF was adapted to them.
    """
    above = (misfit.n_timings - n_parameters).expand_as(misfit.scatter)
    below = (misfit.n_measurements - misfit.n_timings).expand_as(misfit.scatter)
    ratio = (misfit.energy / above) / (misfit.scatter / below)
    ratio = torch.where((above > 0) & (below > 0), ratio, torch.nan)
    return LackOfFit(ratio, above, below, p_of_ratio(ratio, above, below))


def residual_chi_squared(misfit: Summary, noise: Tensor, n_parameters: Tensor) -> LackOfFit:
    """Compare how far measurements lie from the model with a known noise level.

    It asks what `lack_of_fit` asks where nothing was repeated. The ratio is chi-squared over its
    degrees of freedom; ``below`` is infinite.

    Parameters
    ----------
    misfit, n_parameters
        As in `lack_of_fit`.
    noise
        Standard deviation of a measurement, ``(voxel,)`` [delta M / M0].
    """
    above = (misfit.n_measurements - n_parameters).expand_as(misfit.scatter)
    chi_squared = (misfit.energy + misfit.scatter) / noise.square()
    p = torch.special.gammaincc(above.to(chi_squared) / 2, chi_squared / 2)
    enough = torch.where(above > 0, 1, torch.nan)
    below = torch.full_like(chi_squared, torch.inf)
    return LackOfFit(chi_squared / above * enough, above, below, p * enough)
