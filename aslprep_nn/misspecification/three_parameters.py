"""The noise along three parameters: eigenvalues, their null distribution, standard deviations."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aslprep_nn.estimation.information import Covariance
from aslprep_nn.misspecification.projections import Projections
from aslprep_nn.misspecification.sandwich import Spread

#: Fewer repetitions than this leave the smallest of three eigenvalues 0.
FEWEST_FOR_THREE = 4
#: Simulated voxels: p = .05 has a standard error of .0003, p = .5 of .0008.
N_DRAWS = 400_000
#: p below which the table goes on as the power law that the density has where eigenvalues part.
TAIL_P = 1e-3
#: Points of the table on either side of p = .5.
N_LEVELS = 200


def spread_of_three(basis: Projections, variance: Tensor) -> Spread:
    """Compare the scatter along three parameters with the assumed variance of a measurement.

    Parameters
    ----------
    basis
        Orthogonalised, along the three parameters alone.
    variance
        ``(voxel,)``.
    """
    matrix = _score_covariance(basis) / variance[:, None, None]
    told = torch.isfinite(matrix).all(-1).all(-1)
    safe = torch.where(told[:, None, None], matrix, torch.eye(3).to(matrix))
    smallest, middle, largest = torch.where(
        told.unsqueeze(-1), torch.linalg.eigvalsh(safe), torch.nan
    ).unbind(-1)
    rank = basis.vectors.count - 1
    return Spread(largest, smallest.clamp(min=0) * (rank >= 3), middle)


def covariance_of_three(basis: Projections) -> Covariance:
    """Compute the covariance of CBF and ATT from a single repetition, R^-1 B R^-T."""
    root = basis.energy.sqrt()
    triangle = torch.diag_embed(root.mT)
    for row, column in ((0, 1), (0, 2), (1, 2)):
        triangle[:, row, column] = basis.overlap[row, column] / root[row]
    inverse = torch.linalg.solve_triangular(
        triangle, torch.eye(3).to(triangle).expand_as(triangle), upper=True
    )
    covariance = inverse @ _score_covariance(basis) @ inverse.mT
    return Covariance(covariance[:, 0, 0], covariance[:, 0, 1], covariance[:, 1, 1])


def p_of_kappa_of_three(spread: Spread, count: Tensor) -> Tensor:
    """Look up how often three eigenvalues are as unequal by chance.

    Parameters
    ----------
    spread
        The eigenvalues of P.
    count
        Number of repetitions M, ``(voxel,)``.
    """
    p = torch.full_like(spread.largest, torch.nan)
    for n_repetitions in torch.unique(count).tolist():
        if n_repetitions < FEWEST_FOR_THREE:
            continue
        voxels = count == n_repetitions
        log_kappa = spread.kappa[voxels].log().cpu().numpy()
        p[voxels] = torch.from_numpy(_upper_tail(log_kappa, n_repetitions)).to(p)
    return p


def _score_covariance(basis: Projections) -> Tensor:
    """Average over repetitions, ``(voxel, 3, 3)``."""
    whitened = (basis.centered / basis.energy.sqrt()).movedim(-1, 0)
    return whitened.mT @ whitened / (basis.vectors.count - 1)[:, None, None]


def _upper_tail(log_kappa: NDArray[np.float64], n_repetitions: int) -> NDArray[np.float64]:
    levels, log_p = simulated_null(n_repetitions)
    slope = (n_repetitions - 3) / 2
    beyond = np.maximum(log_kappa - levels[-1], 0)
    return np.asarray(np.exp(np.interp(log_kappa, levels, log_p) - slope * beyond))


@lru_cache(maxsize=64)
def simulated_null(n_repetitions: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Simulate kappa with noise as assumed: M P is Wishart with M - 1 degrees of freedom.

    Its triangular root is drawn directly (Bartlett 1933).

    Returns
    -------
    Logarithms of kappa, ascending, and of the share of correct voxels above each.
    """
    random = np.random.default_rng(n_repetitions)
    root = np.tril(random.standard_normal((N_DRAWS, 3, 3)), -1)
    for row in range(3):
        root[:, row, row] = np.sqrt(random.chisquare(n_repetitions - 1 - row, N_DRAWS))
    singular = np.linalg.svd(root, compute_uv=False)
    log_kappa = 2 * np.log(singular[:, 0] / singular[:, 2])
    below = np.concatenate(
        [[0], np.geomspace(1 / N_DRAWS, 0.5, N_LEVELS), 1 - np.geomspace(0.5, TAIL_P, N_LEVELS)[1:]]
    )
    return np.quantile(log_kappa, below), np.log1p(-below)
