"""Tissue T1 as a third parameter, for protocols that can tell it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.arguments import require_basis, require_timings
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.information import noise_level
from aslprep_nn.estimation.least_squares import ATT_RANGE, fit_cbf_att
from aslprep_nn.estimation.repetitions import Repetitions, Summary
from aslprep_nn.maps import FitStatus
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.response import Kinetics

#: Tissue T1 that is believed possible [s].
T1_RANGE = (0.6, 2.6)
#: Values of T1 for which CBF and ATT are fitted before all three are refined.
N_T1 = 9
STEPS = 20


class _Point(NamedTuple):
    cbf: Tensor
    att: Tensor
    t1_tissue: Tensor

    def moved(self, step: Tensor) -> _Point:
        return _Point(*(old + new for old, new in zip(self, step.mT, strict=True)))


def fit_cbf_att_t1(
    relative_delta_m: Tensor,
    acquisition: Acquisition | Sequence[Acquisition],
    *,
    kinetics: Sequence[Kinetics] | None = None,
    basis: Tensor | None = None,
    att_range: tuple[float, float] = ATT_RANGE,
    t1_range: tuple[float, float] = T1_RANGE,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = 'cpu',
) -> Fit:
    """Fit CBF, ATT and tissue T1 to every voxel.

    The global fit of CBF and ATT is made for several values of T1, and the best of them is
    refined in all three parameters. Most protocols trade T1 for CBF: look at the standard
    deviations before preferring this to a T1 map.

    Parameters
    ----------
    relative_delta_m, acquisition, kinetics, basis, att_range, dtype, device
        See `fit_cbf_att`.
    t1_range
        Smallest and largest T1 [s].

    Returns
    -------
    A fit with the parameters ``cbf``, ``att`` and ``t1_tissue`` [s]. Standard deviations are
    Cramér-Rao bounds.

    Raises
    ------
    UnsupportedError
        If fewer than three distinct timings were measured.
    """
    acquisitions = (acquisition,) if isinstance(acquisition, Acquisition) else tuple(acquisition)
    n_measurements = sum(one.n_measurements for one in acquisitions)
    require_basis(basis, n_measurements, _Point._fields)
    repetitions = Repetitions.of(acquisitions, basis)
    require_timings(repetitions, 3)
    signal = relative_delta_m.to(dtype=dtype, device=device)
    data = repetitions.summarize(signal)

    def fit_at(t1: Tensor) -> Fit:
        return fit_cbf_att(
            signal,
            acquisitions,
            t1_tissue=t1.expand(len(signal)),
            kinetics=kinetics,
            basis=basis,
            att_range=att_range,
            dtype=dtype,
            device=device,
        )

    def model_at(t1: Tensor) -> SignalModel:
        return SignalModel.of(
            repetitions.acquisitions, kinetics, t1_tissue=t1, dtype=dtype, device=device
        ).in_basis(repetitions.basis)

    levels = torch.linspace(*t1_range, N_T1, dtype=dtype, device=device)
    start, status = _best_level([fit_at(t1) for t1 in levels], levels)
    point, cost, information = _refine(model_at, data, start, (att_range, t1_range))
    noise = noise_level(data, cost, n_parameters=3)
    variance = torch.linalg.pinv(information, hermitian=True).diagonal(dim1=-2, dim2=-1)
    std = (variance.clamp(min=0).sqrt() * noise.unsqueeze(-1)).mT
    at_bound = (point.t1_tissue <= t1_range[0]) | (point.t1_tissue >= t1_range[1])
    status[at_bound & (status != FitStatus.FAILED)] = FitStatus.AT_BOUND
    untold = (status == FitStatus.FAILED) | ~(point.cbf > 0)
    return Fit(
        parameters={n: v.masked_fill(untold, torch.nan) for n, v in point._asdict().items()},
        std={n: v.masked_fill(untold, torch.nan) for n, v in zip(_Point._fields, std, strict=True)},
        status=status,
        residual=data.scatter + cost,
        noise=noise,
    )


def _best_level(fits: list[Fit], levels: Tensor) -> tuple[_Point, Tensor]:
    """Pick each voxel's best fit among those at several T1."""
    residual = torch.stack([fit.residual for fit in fits]).nan_to_num(torch.inf)
    level = residual.argmin(0)

    def pick(values: list[Tensor]) -> Tensor:
        return torch.stack(values).gather(0, level.unsqueeze(0)).squeeze(0)

    cbf, att = (pick([fit.parameters[name] for fit in fits]) for name in ('cbf', 'att'))
    status = pick([fit.status for fit in fits])
    return _Point(cbf.nan_to_num(0), att.nan_to_num(1), levels[level]), status


def _refine(
    model_at: Callable[[Tensor], SignalModel],
    data: Summary,
    point: _Point,
    ranges: tuple[tuple[float, float], tuple[float, float]],
) -> tuple[_Point, Tensor, Tensor]:
    """Take Levenberg-Marquardt steps in all three parameters, within their ranges."""
    damping = torch.full_like(point.cbf, 1e-3)
    jacobian, misfit = _linearize(model_at, data, point)
    cost = (data.weight.mT * misfit.square()).sum(-1)
    for _ in range(STEPS):
        information, gradient = _normal_equations(jacobian, misfit, data)
        diagonal = information.diagonal(dim1=-2, dim2=-1)
        ridge = torch.diag_embed(diagonal * damping.unsqueeze(-1) + 1e-30)
        step = torch.linalg.solve(information + ridge, gradient)
        trial = _within(point.moved(step), ranges)
        trial_jacobian, trial_misfit = _linearize(model_at, data, trial)
        trial_cost = (data.weight.mT * trial_misfit.square()).sum(-1)
        better = trial_cost <= cost
        point = _Point(*(torch.where(better, n, o) for n, o in zip(trial, point, strict=True)))
        jacobian = torch.where(better[:, None, None], trial_jacobian, jacobian)
        misfit = torch.where(better[:, None], trial_misfit, misfit)
        cost = torch.where(better, trial_cost, cost)
        damping = torch.where(better, damping / 10, damping * 10).clamp(1e-12, 1e6)
    return point, cost, _normal_equations(jacobian, misfit, data)[0]


def _linearize(
    model_at: Callable[[Tensor], SignalModel], data: Summary, point: _Point
) -> tuple[Tensor, Tensor]:
    """Give the Jacobian, ``(voxel, timing, 3)``, and the misfit, ``(voxel, timing)``."""
    model = model_at(point.t1_tissue)
    measured = model.in_basis(None)
    signal = measured.linearize(point.cbf, point.att)
    columns = signal.d_cbf, signal.d_att, measured.d_t1_tissue(signal)
    jacobian = torch.stack([model.compress(column) for column in columns], -1)
    return jacobian.transpose(0, 1), (data.mean - model.compress(signal.delta_m)).mT


def _normal_equations(jacobian: Tensor, misfit: Tensor, data: Summary) -> tuple[Tensor, Tensor]:
    weighted = jacobian * data.weight.mT.unsqueeze(-1)
    return weighted.mT @ jacobian, (weighted * misfit.unsqueeze(-1)).sum(-2)


def _within(point: _Point, ranges: tuple[tuple[float, float], tuple[float, float]]) -> _Point:
    return _Point(
        point.cbf.clamp(min=0), point.att.clamp(*ranges[0]), point.t1_tissue.clamp(*ranges[1])
    )
