"""Label still in arteries: the macrovascular part of the signal."""

from __future__ import annotations

import torch
from torch import Tensor

from aslprep_nn.acquisition import LabelingType
from aslprep_nn.errors import Problem, UnsupportedError
from aslprep_nn.signal.protocol import Protocol


def arterial_delta_m(
    arterial_blood_volume: Tensor, arterial_arrival: Tensor, protocol: Protocol
) -> Tensor:
    """Predict what labelled arterial blood adds to delta M / M0 of tissue.

    Arterial blood is seen while the bolus passes: a box in time, whose edges have no derivative
    in the arrival time (Chappell et al. 2010, eq. 3).

    Parameters
    ----------
    arterial_blood_volume
        Fraction of the voxel that is arterial blood, ``(...)`` [1].
    arterial_arrival
        When label reaches the artery, ``(...)`` [s].
    protocol
        Timing and constants.

    Returns
    -------
    ``(..., measurement)`` [1].

    Raises
    ------
    UnsupportedError
        For VSASL, which labels the arterial blood of the voxel itself.
    """
    arrival = arterial_arrival.unsqueeze(-1)
    unit = arterial_response(arrival, protocol)
    return arterial_blood_volume.unsqueeze(-1) * unit


def arterial_response(arterial_arrival: Tensor, protocol: Protocol) -> Tensor:
    """Compute the signal of a voxel full of arterial blood, on arguments that broadcast."""
    first, last = arterial_window(protocol)
    passing = (arterial_arrival > first) & (arterial_arrival < last)
    transit = arterial_arrival if protocol.labeling.is_continuous else protocol.pld
    scale = 2 * protocol.labeling_efficiency / protocol.partition_coefficient
    return scale * torch.exp(-transit / protocol.t1_blood) * passing


def arterial_window(protocol: Protocol) -> tuple[Tensor, Tensor]:
    """Find between which arrival times each measurement sees label in the artery [s]."""
    if protocol.labeling is LabelingType.VSASL:
        raise UnsupportedError(
            Problem(
                'acquisition',
                'ArterialSpinLabelingType',
                'VSASL',
                'a technique that labels blood upstream, for a macrovascular term',
                'Fit without the macrovascular term.',
            )
        )
    if protocol.labeling.is_continuous:
        return protocol.pld, protocol.pld + protocol.labeling_duration
    return protocol.pld - protocol.labeling_duration, protocol.pld
