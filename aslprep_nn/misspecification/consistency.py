"""Early and late delays, asked apart: where they disagree, one of them is described wrongly."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.estimation.information import (
    FEWEST_DEGREES_OF_FREEDOM,
    Covariance,
    Information,
)
from aslprep_nn.estimation.repetitions import Summary
from aslprep_nn.misspecification.null import p_of_ratio
from aslprep_nn.signal.kinetics import Linearization
from aslprep_nn.testability import N_PARAMETERS

#: A half identifies a voxel where its standard deviations are below these: ATT [s], and CBF
#: relative to CBF itself.
IDENTIFIED_ATT, IDENTIFIED_CBF = 0.25, 0.30


class Point(NamedTuple):
    """CBF and ATT, or steps in them, ``(..., voxel)`` [mL/100 g/min, s]."""

    cbf: Tensor
    att: Tensor


class Consistency(NamedTuple):
    """How far early and late delays agree, ``(voxel,)`` each; NaN where a half cannot tell.

    ``hausman`` is the squared distance of their estimates in units of its covariance, ``p`` how
    often chance makes it as large, ``cbf_error`` and ``att_error`` are the distances relative to
    the estimate from everything.
    """

    hausman: Tensor
    p: Tensor
    cbf_error: Tensor
    att_error: Tensor


class _Pull(NamedTuple):
    """What halves know, and where they want to go, ``(half, voxel)``.

    ``toward`` is the gradient of the sum of squares, halved, and ``squares`` that sum.
    """

    information: Information
    toward: Point
    squares: Tensor

    @classmethod
    def of(cls, signal: Linearization, misfit: Summary, halves: Tensor) -> _Pull:
        weight, d_cbf, d_att, mean = misfit.weight, signal.d_cbf, signal.d_att, misfit.mean
        shared = weight.shape[-1] == 1
        weighted = halves * weight.mT if shared else halves

        def summed(one: Tensor, other: Tensor) -> Tensor:
            return weighted @ (one * other if shared else weight * one * other)

        return cls(
            Information(summed(d_cbf, d_cbf), summed(d_cbf, d_att), summed(d_att, d_att)),
            Point(summed(d_cbf, mean), summed(d_att, mean)),
            summed(mean, mean),
        )

    def together(self) -> _Pull:
        """Ask both halves as one."""
        return _Pull(
            Information(*(part.sum(0) for part in self.information)),
            Point(*(part.sum(0) for part in self.toward)),
            self.squares.sum(0),
        )

    def step(self) -> tuple[Point, Tensor]:
        """Take the Gauss-Newton step, and tell by how much it lowers the sum of squares."""
        cbf, both, att = self.information.inverse
        toward = self.toward
        step = Point(cbf * toward.cbf + both * toward.att, both * toward.cbf + att * toward.att)
        return step, step.cbf * toward.cbf + step.att * toward.att


def compare_halves(
    signal: Linearization, misfit: Summary, halves: Tensor, point: Point, noise: Tensor
) -> Consistency:
    """Compare what early and late delays make of a voxel (Hausman 1978; Chow 1960).

    Each half takes one Gauss-Newton step from the fit of all delays. From an estimate that good,
    one step is as good as a fit (Le Cam 1956; van der Vaart 1998, section 5.7), and what is
    linear in the measurements keeps its null distribution far into the tails: with P parameters
    and f degrees of freedom of the variance s^2,

    H = (a - b)' [C_a + C_b]^-1 (a - b) = (SSE together - SSE apart) / s^2,  H / P ~ F(P, f).

    Fits of their own, whose estimates scatter over kinks where no covariance describes them,
    reject up to .09 of correct voxels with little flow. The variance is that of repetitions about
    their mean, which does not depend on the model; with hardly any, that of the residuals of
    both halves, as in Chow.

    Parameters
    ----------
    signal
        At the fit.
    misfit
        The measurements less the fit.
    halves
        1 where a half has a timing, else 0, ``(half, timing)``.
    point
        The fit, ``(voxel,)``.
    noise
        Standard deviation of a measurement, ``(voxel,)`` [delta M / M0].
    """
    apart = _Pull.of(signal, misfit, halves)
    step, fall = apart.step()
    explained = fall.sum(0) - apart.together().step()[1]
    variance, freedom = _variance(misfit, (apart.squares - fall).sum(0), halves)
    distance = explained.clamp(min=0) / variance
    told = identified(apart.information.covariance(noise), point.cbf).all(0)
    compared = torch.where(told, 1, torch.nan)
    p = p_of_ratio(distance / N_PARAMETERS, torch.full_like(freedom, N_PARAMETERS), freedom)
    errors = ((half[0] - half[1]).abs() / whole for half, whole in zip(step, point, strict=True))
    return Consistency(*(each * compared for each in (distance, p, *errors)))


def identified(bound: Covariance, cbf: Tensor) -> Tensor:
    """Find voxels in which a bound is small enough to compare estimates."""
    return (bound.att < IDENTIFIED_ATT**2) & (bound.cbf.sqrt() < IDENTIFIED_CBF * cbf)


def _variance(misfit: Summary, left: Tensor, halves: Tensor) -> tuple[Tensor, Tensor]:
    """Estimate the variance of a measurement and count its degrees of freedom; NaN without any.

    ``left`` is what a fit of each half would leave of the means, ``(voxel,)``.
    """
    repeated = misfit.n_measurements - misfit.n_timings
    enough = repeated >= FEWEST_DEGREES_OF_FREEDOM
    n_compared = (halves @ (misfit.weight > 0).to(halves)).sum(0).long()
    residual = repeated + n_compared - 2 * N_PARAMETERS
    freedom = torch.where(enough, repeated, residual).expand_as(left)
    squares = torch.where(enough, misfit.scatter, misfit.scatter + left)
    return torch.where(freedom > 0, squares / freedom, torch.nan), freedom
