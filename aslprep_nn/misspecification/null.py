"""What the statistics do where nothing is wrong: exact null distributions in small samples."""

from __future__ import annotations

import torch
from torch import Tensor

from aslprep_nn.misspecification.sandwich import Spread
from aslprep_nn.misspecification.tails import upper_tail
from aslprep_nn.testability import FEWEST_FOR_KAPPA, FEWEST_FOR_SCORE


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

    The trace compares noise in the P directions that the parameters depend on with the noise
    pooled over all N directions. Their sums of squares are a part and the whole, so that part
    over the rest follows F with P (M-1) and (N-P) (M-1) degrees of freedom.
    """
    along = spread.n_parameters
    others = n_timings - along
    ratio = (spread.trace / along) * others / (n_timings - spread.trace).clamp(min=0)
    return p_of_ratio(ratio, along * (count - 1), others * (count - 1))


def p_of_ratio(ratio: Tensor, above: Tensor, below: Tensor) -> Tensor:
    """Compute the upper tail of F with those degrees of freedom above and below the line."""
    enough = (above > 0) & (below > 0)
    p = upper_tail(ratio, above.clamp(min=1), below.clamp(min=1))
    return torch.where(enough, p, torch.nan)


def p_of_score(score: Tensor, count: Tensor) -> Tensor:
    """Compute both tails of t with M - 1 degrees of freedom, ``(direction, voxel)``."""
    p = p_of_ratio(score.square(), torch.ones_like(count), count - 1)
    return torch.where(count >= FEWEST_FOR_SCORE, p, torch.nan)


def p_of_largest_score(scores: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Choose the largest of several t and bound how often chance makes one as large.

    Only deviations upward count, and the number of directions tried is paid for (Bonferroni),
    which is conservative because they resemble each other.

    Parameters
    ----------
    scores
        ``(direction, voxel)``; NaN where a direction could not be told from CBF and ATT.
    count
        Number of repetitions M, ``(voxel,)``.

    Returns
    -------
    The largest score and its p, ``(voxel,)`` each.
    """
    made = torch.isfinite(scores).sum(0)
    largest = scores.nan_to_num(-torch.inf).amax(0)
    largest = torch.where(made > 0, largest, torch.nan)
    two_sided = p_of_score(largest, count)
    upward = torch.where(largest > 0, two_sided / 2, 1 - two_sided / 2)
    return largest, (made * upward).clamp(max=1)
