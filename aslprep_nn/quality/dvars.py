"""How much the difference signal changes from one measurement to the next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aslprep_nn.maps import FloatArray


def dvars(delta_m: FloatArray, timings: Sequence[tuple[float, float]]) -> FloatArray:
    """Return the spatial root mean square of the change since the repetition before.

    DVARS of Power et al. (2012), between measurements of one timing: what changes from delay to
    delay is perfusion.

    Parameters
    ----------
    delta_m
        Of the brain's voxels, ``(voxel, measurement)``; NaN is left out.
    timings
        Delay and labelling duration of each measurement [s].

    Returns
    -------
    In the unit of delta M, ``(measurement,)``; NaN for the first of each timing and where
    nothing was measured.
    """
    change = np.full(len(timings), np.nan)
    last: dict[tuple[float, float], int] = {}
    for index, timing in enumerate(timings):
        if timing in last:
            step = delta_m[:, index].astype(float) - delta_m[:, last[timing]]
            known = step[np.isfinite(step)]
            if known.size:
                change[index] = np.sqrt((known**2).mean())
        last[timing] = index
    return change
