"""Other readings of the paper's sandwich: with the observed Hessian, and sample by sample."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.misspecification.projections import Projections
from aslprep_nn.misspecification.sandwich import ScoreCovariance, Spread, Triangle, eigenvalues
from aslprep_nn.misspecification.vectors import RepetitionVectors
from aslprep_nn.signal.kinetics import Hessian, Linearization, hessian
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.protocol import Protocol
from aslprep_nn.signal.response import Kinetics

#: Arrival times for which a null is simulated [s], and CBF there [mL/100 g/min].
NULL_ATT, NULL_CBF = (0.0, 4.0, 81), 60.0
#: Simulated voxels for each: p = .05 has a standard error of .0015.
N_DRAWS = 20_000
#: Points of each table; the smallest p is 1 / N_DRAWS.
N_LEVELS = 100


class SandwichForm(Enum):
    """How the scatter of the scores is taken and what it is compared with."""

    #: One score per repetition, compared with the Gauss-Newton Hessian: its null is exact.
    REPETITIONS = 'repetitions'
    #: The same, compared with the observed Hessian, which is not negative definite everywhere;
    #: no null is known, so there are no p-values.
    OBSERVED_HESSIAN = 'observed Hessian'
    #: One score per sample (HC0; White 1980, Econometrica 48:817). It reacts a little to a wrong
    #: mean but is not the covariance of estimates at fixed delays; its null is simulated.
    SAMPLES = 'samples'


def observed_spread(basis: Projections, misfit: Tensor, bend: Hessian, variance: Tensor) -> Spread:
    """Do what `ScoreCovariance.observed_spread` does with orthogonalised projections."""
    scatter = ScoreCovariance.along(basis)
    return scatter.observed_spread(variance, Triangle.of(basis), misfit, bend)


def bend_of(
    acquisitions: Sequence[Acquisition],
    model: SignalModel,
    cbf: Tensor,
    att: Tensor,
    *,
    slice_delay: Tensor | None,
    t1_tissue: Tensor | None,
) -> Hessian:
    """Compute the second derivatives of the signal of all acquisitions, ``(timing, voxel)``."""
    parts = []
    for acquisition, kinetics in zip(acquisitions, model.kinetics, strict=True):
        protocol = Protocol.of(
            acquisition, slice_delay=slice_delay, t1_tissue=t1_tissue, device=cbf.device
        )
        parts.append(hessian(cbf, att, protocol, kinetics))
    return Hessian(*(torch.cat(terms, -1).mT for terms in zip(*parts, strict=True)))


def sample_spread(residuals: RepetitionVectors, here: Linearization, variance: Tensor) -> Spread:
    """Take one score per sample: B = sum_n J_n J_n' mean_m r_mn^2 / sigma^4.

    Parameters
    ----------
    residuals
        The repetitions less the fit.
    here
        The model linearised at the fit.
    variance
        Of a measurement, ``(voxel,)``.
    """
    squares = residuals.values.square().sum(0) / residuals.count
    return _sample_eigenvalues(squares / variance, _plane(here))


def p_of_sample_kappa(
    spread: Spread,
    count: Tensor,
    att: Tensor,
    *,
    acquisitions: tuple[Acquisition, ...],
    kinetics: tuple[Kinetics, ...] | None,
    slice_delay: float | None,
) -> Tensor:
    """Look up how often kappa of `sample_spread` is as large by chance.

    It depends on the protocol, on M and, through the signal, on ATT; on CBF hardly at all.
    """
    first, last, n_att = NULL_ATT
    cell = ((att.nan_to_num(0) - first) / (last - first) * (n_att - 1)).round()
    cell = cell.clamp(0, n_att - 1).long()
    log_kappa = spread.kappa.log().cpu().numpy()
    p = np.full_like(log_kappa, np.nan)
    for n_repetitions in torch.unique(count[count > 1]).tolist():
        levels, log_p = _simulated_null(acquisitions, kinetics, slice_delay, n_repetitions)
        for one in torch.unique(cell).tolist():
            voxels = ((cell == one) & (count == n_repetitions)).cpu().numpy()
            p[voxels] = np.exp(np.interp(log_kappa[voxels], levels[one], log_p))
    return torch.from_numpy(p).to(spread.largest)


@lru_cache(maxsize=64)
def _simulated_null(
    acquisitions: tuple[Acquisition, ...],
    kinetics: tuple[Kinetics, ...] | None,
    slice_delay: float | None,
    n_repetitions: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Simulate log kappa of voxels fitted to noise, ascending, and the log share above it.

    Returns
    -------
    ``(att, level)`` and ``(level,)``.
    """
    delay = None if slice_delay is None else torch.tensor(slice_delay)
    model = SignalModel.of(acquisitions, kinetics, slice_delay=delay)
    att = torch.linspace(NULL_ATT[0], NULL_ATT[1], NULL_ATT[2], dtype=torch.float64)
    plane = _plane(model.linearize(torch.full_like(att, NULL_CBF), att))
    generator = torch.Generator().manual_seed(n_repetitions)
    shape = n_repetitions, plane.shape[1], N_DRAWS
    noise = torch.randn(shape, generator=generator, dtype=torch.float64)
    mean, square = noise.mean(0), noise.square().mean(0)
    share = np.concatenate([[1], np.geomspace(1, 1 / N_DRAWS, N_LEVELS)[1:]])
    levels = []
    for here in plane.unbind(-1):
        fitted = here.mT @ (here @ mean)
        energy = square - 2 * mean * fitted + fitted.square()
        kappa = _sample_eigenvalues(energy, here.unsqueeze(-1)).kappa.nan_to_num(1.0)
        levels.append(np.quantile(kappa.log().numpy(), 1 - share))
    return np.stack(levels), np.log(share)


def _plane(here: Linearization) -> Tensor:
    """Make the derivatives orthonormal, ``(2, timing, voxel)``."""
    first = here.d_cbf / here.d_cbf.square().sum(0).sqrt()
    rest = here.d_att - (first * here.d_att).sum(0) * first
    return torch.stack([first, rest / rest.square().sum(0).sqrt()])


def _sample_eigenvalues(squares: Tensor, plane: Tensor) -> Spread:
    first, second = plane
    one, both, other = (
        (product * squares).sum(0) for product in (first.square(), first * second, second.square())
    )
    return eigenvalues(one + other, one * other - both.square())
