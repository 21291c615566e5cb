"""The fit that a careful user would write with scipy, for comparison."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from aslprep_nn.acquisition import Acquisition

FloatArray = NDArray[np.float64]
START = (50.0, 1.0)


def fit_with_scipy(signals: FloatArray, acquisition: Acquisition) -> FloatArray:
    """Fit the (P)CASL model to each voxel with ``scipy.optimize.curve_fit``.

    Parameters
    ----------
    signals
        ``(voxel, measurement)``.
    acquisition
        A (P)CASL protocol.

    Returns
    -------
    CBF and ATT of each voxel, ``(voxel, 2)``; NaN where scipy gave up.
    """
    delay = np.array(acquisition.pld)
    readout = delay + np.array(acquisition.labeling_duration)
    blood_rate, t1_rate = 1 / acquisition.t1_blood, 1 / acquisition.t1_tissue
    per_flow = 6000 * acquisition.partition_coefficient
    scale = 2 * acquisition.labeling_efficiency / per_flow

    def model(_: FloatArray, cbf: float, att: float) -> FloatArray:
        rate = t1_rate + cbf / per_flow
        oldest = np.exp(-rate * np.maximum(readout - att, 0))
        newest = np.exp(-rate * np.maximum(delay - att, 0))
        signal: FloatArray = scale * cbf * np.exp(-att * blood_rate) * (newest - oldest) / rate
        return signal

    found = np.full((len(signals), 2), np.nan)
    for voxel, signal in enumerate(signals):
        try:
            found[voxel] = curve_fit(model, delay, signal, p0=START)[0]
        except RuntimeError:
            continue
    return found
