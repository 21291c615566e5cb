"""Early and late delays, fitted apart: where they disagree, one of them is described wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.information import (
    FEWEST_DEGREES_OF_FREEDOM,
    Covariance,
    fisher_information,
)
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.estimation.voxel_groups import voxel_groups
from aslprep_nn.misspecification.model_tests import N_PARAMETERS
from aslprep_nn.misspecification.null import p_of_ratio
from aslprep_nn.misspecification.subsets import Subset, split
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.response import Kinetics

#: A subset identifies a voxel where its standard deviations are below these: ATT [s], and CBF
#: relative to CBF itself.
IDENTIFIED_ATT, IDENTIFIED_CBF = 0.25, 0.30
#: ... and stay so when ATT moves by this many of its standard deviations.
LIKELY_RANGE = 2.0
#: Voxels handled at once.
CHUNK = 2**14


class Consistency(NamedTuple):
    """How far two subsets agree, ``(voxel,)`` each.

    ``hausman`` is the squared distance of the two estimates in units of their covariance,
    ``p`` its upper tail; ``cbf_error`` and ``att_error`` are the distances relative to the
    estimate from everything.
    """

    hausman: Tensor
    p: Tensor
    cbf_error: Tensor
    att_error: Tensor


def subset_consistency(
    relative_delta_m: Tensor,
    acquisition: Acquisition,
    fit: Fit,
    *,
    slice_delay: Tensor | None,
    t1_tissue: Tensor | None,
    kinetics: Sequence[Kinetics] | None,
    device: torch.device | str,
) -> Consistency | None:
    """Fit early and late delays apart and compare; None where the protocol cannot be split.

    Parameters are those of `assess`.
    """
    halves = split(acquisition)
    if halves is None:
        return None
    fits = [
        fit_cbf_att(
            relative_delta_m[:, half.measurements.to(relative_delta_m.device)],
            half.acquisition,
            slice_delay=slice_delay,
            t1_tissue=t1_tissue,
            kinetics=kinetics,
            device=device,
        )
        for half in halves
    ]
    data = relative_delta_m.to(device)
    early, late = (
        _bound_of(
            half,
            data,
            fit,
            slice_delay=slice_delay,
            t1_tissue=t1_tissue,
            kinetics=kinetics,
        )
        for half in halves
    )
    degrees = _noise_degrees(data, acquisition)
    return hausman((fits[0], fits[1]), (early, late), fit, degrees)


def hausman(
    fits: tuple[Fit, Fit], bounds: tuple[Covariance, Covariance], whole: Fit, degrees: Tensor
) -> Consistency:
    """Compare the estimates of two disjoint subsets (Hausman 1978).

    H = (a - b)' [C_a + C_b]^-1 (a - b). The noise of both is estimated together, so H / 2 is
    compared with F(2, degrees of freedom of the noise), which is chi-squared for many.

    Parameters
    ----------
    fits
        Of the subsets.
    bounds
        On the covariance of their estimates, NaN in voxels that a subset does not identify.
    whole
        The fit to all measurements.
    degrees
        Of freedom of the noise level, ``(voxel,)``.
    """
    both = Covariance(*(a + b for a, b in zip(*bounds, strict=True)))
    names = 'cbf', 'att'
    cbf, att = (
        (fits[0].parameters[name] - fits[1].parameters[name]).to(both.cbf) for name in names
    )
    determinant = both.cbf * both.att - both.both.square()
    distance = both.att * cbf.square() - 2 * both.both * cbf * att + both.cbf * att.square()
    statistic = distance / determinant
    tested = torch.where(torch.isfinite(statistic), 1, torch.nan)
    return Consistency(
        statistic,
        p_of_ratio(statistic / 2, torch.full_like(statistic, 2), degrees.to(statistic)),
        tested * cbf.abs() / whole.parameters['cbf'].to(cbf),
        tested * att.abs() / whole.parameters['att'].to(att),
    )


def _bound_of(
    half: Subset,
    data: Tensor,
    whole: Fit,
    *,
    slice_delay: Tensor | None,
    t1_tissue: Tensor | None,
    kinetics: Sequence[Kinetics] | None,
) -> Covariance:
    """Bound the covariance of a subset's estimates at the whole fit; NaN where not identified."""
    repetitions = Repetitions.of([half.acquisition])
    bound = Covariance(*(torch.full_like(data[:, 0], torch.nan).double() for _ in range(3)))
    for group in voxel_groups(len(data), slice_delay, t1_tissue):
        for voxels in group.chunks(CHUNK):
            model = SignalModel.of(
                repetitions.acquisitions,
                kinetics,
                slice_delay=group.slice_delay,
                t1_tissue=None if t1_tissue is None else t1_tissue[voxels],
                device=data.device,
            )
            weight = _n_repetitions(data[voxels], half, repetitions)
            found = _identified_bound(model, whole, voxels, weight)
            for values, part in zip(bound, found, strict=True):
                values[voxels] = part
    return bound


def _n_repetitions(data: Tensor, half: Subset, repetitions: Repetitions) -> Tensor:
    """Count the measurements of each timing, ``(timing, voxel)`` or, where all agree, 1."""
    if bool(torch.isfinite(data.sum())):
        return repetitions.shared_weight().to(data.device).unsqueeze(-1)
    present = torch.isfinite(data[:, half.measurements.to(data.device)])
    return repetitions.summarize(torch.where(present, 1.0, torch.nan).double()).weight


def _identified_bound(
    model: SignalModel, whole: Fit, voxels: Tensor | slice, weight: Tensor
) -> Covariance:
    """Compute the Cramér-Rao bound where it is small enough over the likely range of ATT.

    The bound jumps where ATT crosses a delay. A voxel counts as identified only if it stays
    identified when ATT moves by twice its own standard deviation, else estimates would fall on
    the far side of a kink, where the bound at hand does not describe their scatter.
    """
    cbf, att, noise = (
        values[voxels].to(weight)
        for values in (whole.parameters['cbf'], whole.parameters['att'], whole.noise)
    )
    bound = fisher_information(model, cbf, att, weight).covariance(noise)
    identified = _certain(bound, cbf)
    for shift in (-LIKELY_RANGE, LIKELY_RANGE):
        there = (att + shift * bound.att.sqrt()).clamp(min=0)
        moved = fisher_information(model, cbf, there, weight).covariance(noise)
        identified = identified & _certain(moved, cbf)
    return Covariance(*(torch.where(identified, values, torch.nan) for values in bound))


def _certain(bound: Covariance, cbf: Tensor) -> Tensor:
    return (bound.att.sqrt() < IDENTIFIED_ATT) & (bound.cbf.sqrt() < IDENTIFIED_CBF * cbf)


def _noise_degrees(data: Tensor, acquisition: Acquisition) -> Tensor:
    """Count the degrees of freedom of `Fit.noise`, which has two sources; see `noise_level`."""
    present = torch.full_like(data[:, 0], data.shape[-1])
    some_missing = ~torch.isfinite(data.sum(-1))
    present[some_missing] = torch.isfinite(data[some_missing]).sum(-1).to(present)
    repeated = present - Repetitions.of([acquisition]).n_timings
    enough = repeated >= FEWEST_DEGREES_OF_FREEDOM
    return torch.where(enough, repeated, present - N_PARAMETERS)
