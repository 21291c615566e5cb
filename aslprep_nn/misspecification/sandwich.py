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
from aslprep_nn.signal.kinetics import Hessian

if TYPE_CHECKING:
    from aslprep_nn.misspecification.assessment import Assessment

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
    """The eigenvalues of P, ``(voxel,)`` each: 1 where noise is as assumed.

    P compares the covariance C_M = A^-1 B A^-1 that the repetitions show with the assumed
    C_C = -A^-1 (Wang, Tamir & Bush, eqs. 5-9). The score covariance B is taken about the mean
    score, which is 0 at an interior optimum (White 1982) and is not at a kink or a bound of the
    fit, and with M - 1 in place of M, so that the expectation of P is the identity. There is a
    middle one where three parameters were fitted.
    """

    largest: Tensor
    smallest: Tensor
    middle: Tensor | None = None

    @property
    def n_parameters(self) -> int:
        """How many eigenvalues there are."""
        return 2 if self.middle is None else 3

    @property
    def kappa(self) -> Tensor:
        """Condition number of P: how unequal the excess of noise is between parameters."""
        return self.largest / self.smallest

    @property
    def trace(self) -> Tensor:
        """Trace of P: the number of parameters where the noise is as large as assumed."""
        ends = self.largest + self.smallest
        return ends if self.middle is None else ends + self.middle

    @property
    def divergence(self) -> Tensor:
        """Kullback-Leibler divergence of N(0, P) from N(0, I)."""
        determinant = self.largest * self.smallest
        if self.middle is not None:
            determinant = determinant * self.middle
        return (self.trace - determinant.log() - self.n_parameters) / 2


class Triangle(NamedTuple):
    """The upper triangle R in the QR decomposition of the Jacobian in CBF and ATT, ``(voxel,)``.

    In the coordinates of Q the information matrix is the identity, so nothing below inverts an
    ill-conditioned matrix or takes the root of one.
    """

    cbf: Tensor
    both: Tensor
    att: Tensor

    @classmethod
    def of(cls, basis: Projections) -> Triangle:
        """Read it off orthogonalised projections."""
        cbf, att = basis.energy[:2].sqrt()
        return cls(cbf, basis.overlap[0, 1] / cbf, att)


class ScoreCovariance(NamedTuple):
    """The covariance of the scores in the coordinates of Q (`Triangle`), ``(voxel,)`` each.

    In units of the noise variance it is P for the Gauss-Newton Hessian.
    """

    first: Tensor
    both: Tensor
    second: Tensor

    @classmethod
    def along(cls, basis: Projections) -> ScoreCovariance:
        """Average over repetitions, orthogonalised and along CBF and ATT alone."""
        first, second = (basis.centered / basis.energy.sqrt()).unbind(1)
        terms = first.square(), first * second, second.square()
        return cls(*(term.sum(0) / (basis.vectors.count - 1) for term in terms))

    def spread(self, variance: Tensor) -> Spread:
        """Compare with the assumed variance of a measurement, ``(voxel,)``."""
        return eigenvalues(
            (self.first + self.second) / variance,
            (self.first * self.second - self.both.square()) / variance.square(),
        )

    def observed_spread(
        self, variance: Tensor, triangle: Triangle, misfit: Tensor, bend: Hessian
    ) -> Spread:
        """Do what `spread` does with the observed Hessian, which the misfit bends.

        Unlike the Gauss-Newton Hessian it is not negative definite in every voxel; where it is
        not there are no eigenvalues to compare and NaN is returned.

        Parameters
        ----------
        variance
            Of a measurement, as assumed, ``(voxel,)``.
        triangle
            Of the fit.
        misfit
            Mean of the repetitions less the fit, ``(timing, voxel)``.
        bend
            Second derivatives of the signal, ``(timing, voxel)``.
        """
        cbf_cbf, cbf_att, att_att = ((misfit * term).sum(0) for term in bend)
        shear = triangle.both / triangle.cbf
        first = 1 - cbf_cbf / triangle.cbf.square()
        both = (shear * cbf_cbf - cbf_att) / (triangle.cbf * triangle.att)
        sheared = att_att - 2 * shear * cbf_att + shear.square() * cbf_cbf
        second = 1 - sheared / triangle.att.square()
        determinant = first * second - both.square()
        positive = (first > 0) & (determinant > 0)
        determinant = torch.where(positive, determinant, torch.nan) * variance
        return eigenvalues(
            (second * self.first - 2 * both * self.both + first * self.second) / determinant,
            (self.first * self.second - self.both.square()) / (determinant * variance),
        )

    def covariance(self, triangle: Triangle) -> Covariance:
        """Compute C_M, the covariance of estimates from a single repetition, R^-1 B R^-T."""
        shear = triangle.both / triangle.att
        cbf = self.first - 2 * shear * self.both + shear.square() * self.second
        return Covariance(
            cbf / triangle.cbf.square(),
            (self.both - shear * self.second) / (triangle.cbf * triangle.att),
            self.second / triangle.att.square(),
        )


def eigenvalues(trace: Tensor, determinant: Tensor) -> Spread:
    """Solve for the eigenvalues of a 2 x 2 matrix, the smaller without cancellation."""
    gap = (trace.square() - 4 * determinant).clamp(min=0).sqrt()
    largest = (trace + gap) / 2
    return Spread(largest, determinant.clamp(min=0) / largest)
