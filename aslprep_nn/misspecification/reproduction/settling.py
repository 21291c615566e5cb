"""How bias and scatter of the estimates fall as repetitions become more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.information import Covariance, fisher_information
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.misspecification.reproduction.scenarios import Organ, Truth, repeat
from aslprep_nn.signal.model import SignalModel

#: A voxel takes part in bias and variance where the bound on its standard deviations, with the
#: organ's own number of repetitions, is below these: CBF relative, ATT [s].
IDENTIFIED_CBF, IDENTIFIED_ATT = 0.3, 0.25
#: Median of the square of a standard normal variable, and the standard error of the median of
#: many, relative and times the root of their number.
MEDIAN_SQUARE, ERROR_OF_MEDIAN_SQUARE = 0.4549, 2.33


@dataclass(frozen=True)
class Settling:
    """Bias and scatter of the estimates of a correct model, one per number of repetitions.

    ``bias`` is the absolute mean error over identified voxels, ``bound`` the root of the median
    Cramér-Rao bound, ``ratio`` the median of squared error over bound, over that of a standard
    normal variable: 1 for an efficient estimator. ``std`` is ``bound`` times the root of
    ``ratio``, because a median over voxels that differ is none of a single one. CBF
    [mL/100 g/min], ATT [s].
    ``n_voxels`` are identified.
    """

    bias_cbf: tuple[float, ...]
    bias_att: tuple[float, ...]
    std_cbf: tuple[float, ...]
    std_att: tuple[float, ...]
    bound_cbf: tuple[float, ...]
    bound_att: tuple[float, ...]
    ratio_cbf: tuple[float, ...]
    ratio_att: tuple[float, ...]
    n_voxels: int


def settling(organ: Organ, truth: Truth, data: Tensor, counts: Sequence[int]) -> Settling:
    """Measure bias and scatter of the fits to the first M repetitions for each M."""
    bound = bound_of(organ.protocol, truth, organ.population.noise)
    kept = identified(truth, bound, organ.n_repetitions)
    n_timings = organ.protocol.n_measurements
    columns: list[tuple[float, ...]] = []
    for count in counts:
        fit = fit_cbf_att(data[:, : count * n_timings], repeat(organ.protocol, count))
        row = []
        for name, true, one in (('cbf', truth.cbf, bound.cbf), ('att', truth.att, bound.att)):
            error = (fit.parameters[name] - true)[kept]
            promised = one[kept] / count
            ratio = float((error.square() / promised).nanmedian()) / MEDIAN_SQUARE
            middle = float(promised.median().sqrt())
            row += [abs(float(error.nanmean())), middle * ratio**0.5, middle, ratio]
        columns.append(tuple(row))
    bias_cbf, std_cbf, bound_cbf, ratio_cbf, bias_att, std_att, bound_att, ratio_att = zip(
        *columns, strict=True
    )
    return Settling(
        bias_cbf, bias_att, std_cbf, std_att, bound_cbf, bound_att, ratio_cbf, ratio_att,
        n_voxels=int(kept.sum()),
    )  # fmt: skip


def bound_of(protocol: Acquisition, truth: Truth, noise: float) -> Covariance:
    """Compute the Cramér-Rao bound of one repetition at the truth."""
    one = torch.ones(protocol.n_measurements, 1, dtype=torch.float64)
    information = fisher_information(SignalModel.of([protocol]), truth.cbf, truth.att, one)
    return information.covariance(torch.full_like(truth.cbf, noise))


def identified(truth: Truth, bound: Covariance, n_repetitions: int) -> Tensor:
    """Find the voxels whose CBF and ATT so many repetitions determine, ``(voxel,)``."""
    sure_of_att = (bound.att / n_repetitions).sqrt() < IDENTIFIED_ATT
    return sure_of_att & ((bound.cbf / n_repetitions).sqrt() < IDENTIFIED_CBF * truth.cbf)
