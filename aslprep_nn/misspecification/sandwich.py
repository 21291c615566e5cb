"""The misspecified Cramér-Rao bound: the scatter that the repetitions show, not the assumed one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.information import PRIOR_RANGE, Covariance
from aslprep_nn.misspecification.projections import Projections
from aslprep_nn.misspecification.tangent import Tangent, Triangle
from aslprep_nn.misspecification.vectors import RepetitionVectors
from aslprep_nn.signal.kinetics import Hessian

if TYPE_CHECKING:
    from aslprep_nn.misspecification.assessment import Assessment

#: A covariance from fewer repetitions says too little.
FEWEST_FOR_SANDWICH = 4
#: Where ATT is less certain than this, which is what is known before measuring, the signal is not
#: straight enough over its range for the sandwich [s].
LARGEST_STD_ATT = PRIOR_RANGE[1] / math.sqrt(12)


def standard_deviations(assessment: Assessment, fit: Fit) -> Mapping[str, Tensor]:
    """Choose the standard deviation of each parameter and voxel.

    The larger of the bound, which `Fit.std` holds, and of the sandwich, where there is a
    reliable one. In simulated brains and kidneys (4, 8, 16 repetitions) 61-75 % of estimates of
    CBF then lie within one of it and 85-96 % within 1.96. The bound alone covers 67 and 94 % where
    noise is as assumed, but 27-48 and 49-79 % where flow changes by 20 % between repetitions; the
    sandwich alone covers 60 and 85 % of voxels at 4 repetitions, because it is uncertain itself.

    Returns
    -------
    ``(voxel,)`` each, by the names of the parameters; NaN where the fit has none.
    """
    largest = dict(fit.std)
    std_att = assessment.statistics['stdatt'].to(fit.status.device)
    reliable = std_att < LARGEST_STD_ATT
    for name in ('cbf', 'att'):
        sandwich = assessment.statistics[f'std{name}'].to(fit.std[name])
        larger = torch.maximum(fit.std[name], sandwich)
        largest[name] = torch.where(reliable, larger, fit.std[name])
    return largest


class Spread(NamedTuple):
    """The two eigenvalues of P, ``(voxel,)`` each: 1 where noise is as assumed.

    P compares the covariance C_M = A^-1 B A^-1 that the repetitions show with the assumed
    C_C = -A^-1 (Wang, Tamir & Bush, eqs. 5-9). The score covariance B is taken about the mean
    score, which is 0 at an interior optimum (White 1982) and is not at a kink or a bound of the
    fit, and with M - 1 in place of M, so that the expectation of P is the identity.
    """

    largest: Tensor
    smallest: Tensor

    @property
    def kappa(self) -> Tensor:
        """Condition number of P: how unequal the excess of noise is between parameters."""
        return self.largest / self.smallest

    @property
    def trace(self) -> Tensor:
        """Trace of P: 2 where the noise is as large as assumed."""
        return self.largest + self.smallest

    @property
    def divergence(self) -> Tensor:
        """Kullback-Leibler divergence of N(0, P) from N(0, I)."""
        return (self.trace - (self.largest * self.smallest).log() - 2) / 2


class ScoreCovariance(NamedTuple):
    """The covariance of the scores in the coordinates of the `Tangent`, ``(voxel,)`` each.

    In units of the noise variance it is P for the Gauss-Newton Hessian.
    """

    first: Tensor
    both: Tensor
    second: Tensor

    @classmethod
    def of(cls, vectors: RepetitionVectors, tangent: Tangent) -> ScoreCovariance:
        """Compute it from the complete repetitions, with M - 1 in the denominator."""
        _, centered = vectors.center(vectors.along(tangent.basis, torch.zeros_like(tangent.att)))
        first, second = centered.movedim(0, -1).unbind(1)
        return cls._of(first, second, vectors.count)

    @classmethod
    def along(cls, basis: Projections) -> ScoreCovariance:
        """Do what `of` does with the orthogonalised projections on CBF and ATT."""
        first, second = (basis.centered / basis.energy.sqrt()).unbind(1)
        return cls._of(first, second, basis.vectors.count)

    @classmethod
    def _of(cls, first: Tensor, second: Tensor, count: Tensor) -> ScoreCovariance:
        """Average over repetitions, whose deviations are ``(repetition, voxel)``."""
        terms = first.square(), first * second, second.square()
        return cls(*(term.sum(0) / (count - 1) for term in terms))

    def spread(self, variance: Tensor) -> Spread:
        """Compare with the assumed variance of a measurement, ``(voxel,)``."""
        return _eigenvalues(
            (self.first + self.second) / variance,
            (self.first * self.second - self.both.square()) / variance.square(),
        )

    def observed_spread(
        self, variance: Tensor, tangent: Tangent | Triangle, misfit: Tensor, bend: Hessian
    ) -> Spread:
        """Do what `spread` does with the observed Hessian, which the misfit bends.

        Unlike the Gauss-Newton Hessian it is not negative definite in every voxel; where it is
        not there are no eigenvalues to compare and NaN is returned.

        Parameters
        ----------
        variance
            Of a measurement, as assumed, ``(voxel,)``.
        tangent
            Of the fit.
        misfit
            Mean of the repetitions less the fit, ``(timing, voxel)``.
        bend
            Second derivatives of the signal, ``(timing, voxel)``.
        """
        cbf_cbf, cbf_att, att_att = ((misfit * term).sum(0) for term in bend)
        shear = tangent.both / tangent.cbf
        first = 1 - cbf_cbf / tangent.cbf.square()
        both = (shear * cbf_cbf - cbf_att) / (tangent.cbf * tangent.att)
        sheared = att_att - 2 * shear * cbf_att + shear.square() * cbf_cbf
        second = 1 - sheared / tangent.att.square()
        determinant = first * second - both.square()
        positive = (first > 0) & (determinant > 0)
        determinant = torch.where(positive, determinant, torch.nan) * variance
        return _eigenvalues(
            (second * self.first - 2 * both * self.both + first * self.second) / determinant,
            (self.first * self.second - self.both.square()) / (determinant * variance),
        )

    def covariance(self, tangent: Tangent | Triangle) -> Covariance:
        """Compute C_M, the covariance of estimates from a single repetition, R^-1 B R^-T."""
        shear = tangent.both / tangent.att
        cbf = self.first - 2 * shear * self.both + shear.square() * self.second
        return Covariance(
            cbf / tangent.cbf.square(),
            (self.both - shear * self.second) / (tangent.cbf * tangent.att),
            self.second / tangent.att.square(),
        )


def _eigenvalues(trace: Tensor, determinant: Tensor) -> Spread:
    """Solve for the eigenvalues of a 2 x 2 matrix, the smaller without cancellation."""
    gap = (trace.square() - 4 * determinant).clamp(min=0).sqrt()
    largest = (trace + gap) / 2
    return Spread(largest, determinant.clamp(min=0) / largest)
