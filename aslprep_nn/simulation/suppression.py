"""Background suppression: what inversions leave of static tissue depends on its T1."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import optimize

from aslprep_nn.maps import FloatArray

#: T1 of what is to be suppressed evenly, from white matter to fluid [s].
SUPPRESSED_T1 = np.array([0.8, 1.0, 1.3, 1.7, 2.4, 4.0])


def remaining_magnetisation(
    t1: FloatArray, pulses: Sequence[float], readout: FloatArray
) -> FloatArray:
    """Follow static tissue from a saturation through inversions (Garcia et al. 2005).

    Parameters
    ----------
    t1
        [s].
    pulses
        When it is inverted, counted from the saturation, in order [s].
    readout
        When it is imaged, not before the last pulse [s]; broadcast against `t1`.

    Returns
    -------
    Longitudinal magnetisation relative to equilibrium, -1 to 1.
    """
    magnetisation, before = np.zeros_like(t1, dtype=float), 0.0
    for pulse in pulses:
        magnetisation = -_recovered(magnetisation, t1, pulse - before)
        before = pulse
    return _recovered(magnetisation, t1, np.asarray(readout - before))


@lru_cache
def suppression_pulses(fraction: float, readout: float) -> tuple[float, ...]:
    """Time two inversions so that little of any tissue is left at the readout.

    Parameters
    ----------
    fraction
        What is to be left of static tissue, the same of all as nearly as two pulses can [1].
    readout
        Time from saturation to readout [s].

    Returns
    -------
    When to invert [s]; empty where nothing is to be suppressed.
    """
    if fraction >= 1:
        return ()

    def unevenness(parts: FloatArray) -> float:
        first, second = np.sort(readout * np.clip(parts, 0.01, 0.99))
        left = remaining_magnetisation(SUPPRESSED_T1, (first, second), np.asarray(readout))
        return float(((left - fraction) ** 2).sum())

    found = optimize.minimize(unevenness, np.array([0.4, 0.8]), method='Nelder-Mead')
    return tuple(float(time) for time in np.sort(readout * np.clip(found.x, 0.01, 0.99)))


def _recovered(magnetisation: FloatArray, t1: FloatArray, time: FloatArray | float) -> FloatArray:
    return np.asarray(1 + (magnetisation - 1) * np.exp(-time / t1))
