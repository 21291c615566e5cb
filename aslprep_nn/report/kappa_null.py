"""How large kappa is where the noise is as assumed."""

from __future__ import annotations

import math

from aslprep_nn.misspecification.null import FEWEST_FOR_KAPPA


def kappa_tail(kappa: float, n_repetitions: int) -> float:
    """Compute the share of correct voxels with a larger kappa.

    W = 4 kappa/(1 + kappa)² has P(W < w) = w^((M−2)/2) for two parameters (Mauchly 1940; Anderson
    2003, section 10.7).

    Parameters
    ----------
    kappa
        At least 1.
    n_repetitions
        M; below 3 there is no distribution.
    """
    if n_repetitions < FEWEST_FOR_KAPPA:
        return math.nan
    sphericity = 0.0 if math.isinf(kappa) else 4 * kappa / (1 + kappa) ** 2
    return float(sphericity ** ((n_repetitions - 2) / 2))


def kappa_quantile(share: float, n_repetitions: int) -> float:
    """Find the kappa that a share of correct voxels stays below; the inverse of `kappa_tail`."""
    if n_repetitions < FEWEST_FOR_KAPPA:
        return math.nan
    sphericity = (1 - share) ** (2 / (n_repetitions - 2))
    if sphericity == 0:
        return math.inf
    half = 2 / sphericity - 1
    return float(half + math.sqrt(max(half**2 - 1, 0)))
