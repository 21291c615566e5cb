"""Is the noise between repetitions as assumed? The statistics of P, whatever was fitted."""

from __future__ import annotations

import torch
from torch import Tensor

from aslprep_nn.misspecification.null import p_of_kappa, p_of_trace
from aslprep_nn.misspecification.projections import Projections
from aslprep_nn.misspecification.sandwich import (
    ScoreCovariance,
    Spread,
    Triangle,
)
from aslprep_nn.misspecification.three_parameters import (
    covariance_of_three,
    p_of_kappa_of_three,
    spread_of_three,
)
from aslprep_nn.testability import FEWEST_FOR_SANDWICH


def noise_statistics(basis: Projections) -> dict[str, Tensor]:
    """Compute the eigenvalues of P, what follows from them, and the sandwich, by name.

    Parameters
    ----------
    basis
        Orthogonalised, along the two or three parameters alone.
    """
    vectors, count = basis.vectors, basis.vectors.count
    if len(basis.energy) == 2:
        scatter = ScoreCovariance.along(basis)
        largest, smallest, _ = scatter.spread(vectors.variance)
        # Two repetitions differ along one direction only: rounding must not hide that.
        spread = Spread(largest, torch.where(count == 2, 0 * smallest, smallest))
        covariance = scatter.covariance(Triangle.of(basis))
        p_noise = p_of_kappa(spread, count)
    else:
        spread = spread_of_three(basis, vectors.variance)
        covariance = covariance_of_three(basis)
        p_noise = p_of_kappa_of_three(spread, count)
    enough = torch.where(count >= FEWEST_FOR_SANDWICH, 1, torch.nan)
    return {
        **spread_statistics(spread),
        'pnoise': p_noise,
        'ptrace': p_of_trace(spread, count, vectors.n_timings),
        'stdcbf': (covariance.cbf / count).sqrt() * enough,
        'stdatt': (covariance.att / count).sqrt() * enough,
    }


def spread_statistics(spread: Spread) -> dict[str, Tensor]:
    """Name what follows from the eigenvalues of P."""
    return {
        'kappa': spread.kappa,
        'lambdamax': spread.largest,
        'lambdamin': spread.smallest,
        'trace': spread.trace,
        'kl': spread.divergence,
    }
