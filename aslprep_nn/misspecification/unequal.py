"""The sandwich where timings were measured unequally often, or a measurement is missing."""

from __future__ import annotations

import torch
from torch import Tensor

from aslprep_nn.estimation.information import Covariance, Information
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.signal.kinetics import Linearization


def covariance_of_all(data: Tensor, repetitions: Repetitions, signal: Linearization) -> Covariance:
    """Estimate the covariance of CBF and ATT from every measurement, whatever the noise.

    A^-1 B A^-1 with repetitions as clusters (Liang & Zeger 1986, Biometrika 73:13): A sums over
    all measurements, and B the squares of each repetition's score over the timings that it has.
    Deviations are from the mean of the M_n measurements of their timing, over sqrt(1 - 1/M_n),
    so that independent noise gives B its expectation. Where all repetitions are complete it is
    the covariance of `ScoreCovariance`; taken from those alone it would be that of an estimate
    from fewer measurements than were used.

    Parameters
    ----------
    data
        ``(voxel, measurement)`` in float64; NaN marks a missing measurement.
    repetitions
        Which measurements share a timing.
    signal
        At the fit, ``(timing, voxel)``.
    """
    timing, place = repetitions.timing.to(data.device), _place(repetitions).to(data.device)
    summary = repetitions.summarize(data)
    weight = summary.weight.expand_as(summary.mean)
    inflation = torch.where(weight > 1, weight / (weight - 1), 0).sqrt()
    deviation = ((data.mT - summary.mean[timing]) * inflation[timing]).nan_to_num(0)
    scores = torch.stack([_summed(d[timing] * deviation, place) for d in signal[1:3]])
    information = Information(
        (weight * signal.d_cbf.square()).sum(0),
        (weight * signal.d_cbf * signal.d_att).sum(0),
        (weight * signal.d_att.square()).sum(0),
    )
    bound = information.covariance(torch.ones_like(information.cbf))
    cbf, att = (
        bound.cbf * scores[0] + bound.both * scores[1],
        bound.both * scores[0] + bound.att * scores[1],
    )
    return Covariance(cbf.square().sum(0), (cbf * att).sum(0), att.square().sum(0))


def _place(repetitions: Repetitions) -> Tensor:
    """Count which measurement of its timing each one is, from 0, ``(measurement,)``."""
    order = repetitions.timing.argsort(stable=True)
    n_members = torch.bincount(repetitions.timing)
    first = (n_members.cumsum(0) - n_members)[repetitions.timing[order]]
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order)) - first
    return place


def _summed(values: Tensor, place: Tensor) -> Tensor:
    """Sum measurements, ``(measurement, voxel)``, over each repetition."""
    sums = values.new_zeros(int(place.max()) + 1, values.shape[1])
    return sums.index_add_(0, place, values)
