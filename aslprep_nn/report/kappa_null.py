"""How large kappa is where the noise is as assumed."""

from __future__ import annotations

import math

from aslprep_nn.misspecification.null import FEWEST_FOR_KAPPA


def kappa_quantile(share: float, n_repetitions: int) -> float:
    """Find the kappa that a share of correct voxels stays below; NaN where it has no distribution.

    The inverse of `p_of_kappa`.

    Parameters
    ----------
    share
        From 0 to 1.
    n_repetitions
        M; below 3 there is no distribution.
    """
    if n_repetitions < FEWEST_FOR_KAPPA:
        return math.nan
    sphericity = (1 - share) ** (2 / (n_repetitions - 2))
    if sphericity == 0:
        return math.inf
    half = 2 / sphericity - 1
    return float(half + math.sqrt(max(half**2 - 1, 0)))
