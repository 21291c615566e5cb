"""Does one fit describe two halves of a protocol as well as one fit of each?"""

from __future__ import annotations

import torch
from torch import Tensor

from aslprep_nn.estimation.information import FEWEST_DEGREES_OF_FREEDOM
from aslprep_nn.misspecification.model_tests import N_PARAMETERS, Misfit
from aslprep_nn.misspecification.null import p_of_ratio


def p_of_common_fit(together: Misfit, apart: tuple[Misfit, Misfit]) -> Tensor:
    """Compute how often two halves of a correct protocol disagree as much.

    F = [(SSE of both halves fitted together - SSE of each fitted alone) / P] / variance, with P
    and the degrees of freedom of the variance (Chow 1960, Econometrica 28:591). It compares
    sums of squares, not estimates, so it needs no covariance of these: that of a linearised
    model, which makes the tails of their squared distance too heavy, does not enter.

    The variance is that of repetitions about their mean, which does not depend on the model.
    With hardly any repetitions it is that of the residuals of both halves, as in Chow.

    Parameters
    ----------
    together
        Of the measurements of both halves about one fit of all of them.
    apart
        Of each half about its own fit.

    Returns
    -------
    p, ``(voxel,)``.
    """
    scatter = together.scatter.double()
    cost = sum((half.of_means.double() for half in apart), torch.zeros_like(scatter))
    explained = (together.of_means.double() - cost).clamp(min=0) / N_PARAMETERS
    repeated = together.n_measurements - together.n_timings
    enough = repeated >= FEWEST_DEGREES_OF_FREEDOM
    squares = torch.where(enough, scatter, scatter + cost)
    degrees = torch.where(enough, repeated, together.n_measurements - 2 * N_PARAMETERS)
    degrees = degrees.expand_as(scatter)
    ratio = explained / (squares / degrees)
    return p_of_ratio(ratio, torch.full_like(degrees, N_PARAMETERS), degrees)
