"""What the statistics do where nothing is wrong: exact null distributions in small samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy import special
from torch import Tensor

from aslprep_nn.misspecification.sandwich import Spread

#: Fewer repetitions than this leave kappa without a distribution: at 2, one eigenvalue is 0.
FEWEST_FOR_KAPPA = 3
#: Fewer than this leave a t distribution whose tails say nothing.
FEWEST_FOR_SCORE = 4


def p_of_kappa(spread: Spread, count: Tensor) -> Tensor:
    """Compute how often two eigenvalues are as unequal by chance.

    With noise as assumed, M P is Wishart with M - 1 degrees of freedom, and the ratio
    W = 4 l1 l2 / (l1 + l2)^2 of its sphericity test has P(W < w) = w^((M-2)/2), exactly, for two
    parameters (Mauchly 1940; Anderson 2003, section 10.7). No noise level enters.

    Parameters
    ----------
    spread
        The eigenvalues of P.
    count
        Number of repetitions M, ``(voxel,)``.
    """
    sphericity = 4 * spread.largest * spread.smallest / spread.trace.square()
    p = sphericity.clamp(min=0, max=1) ** ((count - 2) / 2)
    return torch.where(count >= FEWEST_FOR_KAPPA, p, torch.nan)


def p_of_trace(spread: Spread, count: Tensor, n_timings: int) -> Tensor:
    """Compute how often the noise along CBF and ATT is as large by chance.

    The trace compares noise in the two directions that CBF and ATT depend on with the noise
    pooled over all N directions. Their sums of squares are a part and the whole, so their ratio
    is beta distributed with (M-1) and (N-2)(M-1)/2; P(large trace) is returned.
    """
    degrees = count - 1
    share = spread.trace / n_timings
    p = _upper_tail(special.betaincc, degrees, (n_timings - 2) * degrees / 2, share.clamp(0, 1))
    return torch.where((degrees > 0) & (n_timings > 2), p, torch.nan)


def p_of_ratio(ratio: Tensor, above: Tensor, below: Tensor) -> Tensor:
    """Compute the upper tail of F with those degrees of freedom above and below the line."""
    enough = (above > 0) & (below > 0)
    p = _upper_tail(special.fdtrc, above.clamp(min=1), below.clamp(min=1), ratio)
    return torch.where(enough, p, torch.nan)


def p_of_score(score: Tensor, count: Tensor) -> Tensor:
    """Compute both tails of t with M - 1 degrees of freedom, ``(direction, voxel)``."""
    degrees = (count - 1).clamp(min=1).expand_as(score)
    p = 2 * _upper_tail(special.stdtr, degrees, -score.abs())
    return torch.where(count >= FEWEST_FOR_SCORE, p, torch.nan)


def _upper_tail(distribution: Callable[..., Any], *arguments: Tensor) -> Tensor:
    values = distribution(*(argument.cpu().numpy() for argument in arguments))
    return torch.from_numpy(np.asarray(values)).to(arguments[-1])
