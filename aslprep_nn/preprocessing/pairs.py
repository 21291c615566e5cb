"""From label and control to their difference."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.maps import FloatArray


class Pair(NamedTuple):
    """The volumes of one measurement of delta M."""

    control: int
    label: int


def pair_volumes(
    volume_types: Sequence[VolumeType], timings: Sequence[tuple[float, float]]
) -> tuple[Pair, ...]:
    """Match every label with a control of the same timing.

    Within one (delay, duration) the n-th label belongs to the n-th control, whichever comes
    first, so that both orders, and series sorted by delay, are read alike.

    Parameters
    ----------
    volume_types
        What each volume shows.
    timings
        Delay and labelling duration of each volume [s].

    Returns
    -------
    The pairs in the order of their first volumes.

    Raises
    ------
    ValueError
        If a timing has not as many labels as controls.
    """
    members: dict[tuple[float, float], dict[VolumeType, list[int]]] = defaultdict(
        lambda: {VolumeType.CONTROL: [], VolumeType.LABEL: []}
    )
    for index, (volume_type, timing) in enumerate(zip(volume_types, timings, strict=True)):
        if volume_type in (VolumeType.CONTROL, VolumeType.LABEL):
            members[timing][volume_type].append(index)
    pairs = [
        Pair(control, label)
        for both in members.values()
        for control, label in zip(both[VolumeType.CONTROL], both[VolumeType.LABEL], strict=True)
    ]
    return tuple(sorted(pairs, key=min))


def subtract_label(series: FloatArray, pairs: Sequence[Pair]) -> FloatArray:
    """Subtract each label from its control.

    Parameters
    ----------
    series
        Motion-corrected volumes ``(x, y, z, volume)``.
    pairs
        The volumes of each measurement.

    Returns
    -------
    delta M ``(x, y, z, measurement)``, in the units of the scanner; positive where labelled
    blood has arrived.
    """
    controls = [pair.control for pair in pairs]
    labels = [pair.label for pair in pairs]
    return np.asarray(series[..., controls] - series[..., labels])
