"""The equilibrium magnetisation, and the signal as a fraction of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aslprep_nn.maps import FloatArray

#: A typical brain mean of delta M / M0; gives relative data the size the model expects.
NOMINAL_RELATIVE_SIGNAL = 0.005


def recovered_fraction(repetition_time: float, t1_tissue: float) -> float:
    """Return the part of M0 that has grown back when the next excitation comes.

    Saturation recovery after a 90° excitation: 1 − exp(−TR/T1).

    Parameters
    ----------
    repetition_time
        Between excitations of the same slice [s]; above 0.
    t1_tissue
        [s].

    Raises
    ------
    ValueError
        If the repetition time is not above 0: the correction would be infinite.
    """
    if not repetition_time > 0:
        raise ValueError(f'the repetition time of M0 is {repetition_time} s; expected above 0')
    return float(-np.expm1(-repetition_time / t1_tissue))


def echo_correction(echo_time: float, series_echo_time: float, t2_star: float) -> float:
    """Return what M0 has to be multiplied with to have decayed as long as the series.

    Free induction decay: exp((TE of M0 − TE of the series) / T2*).

    Parameters
    ----------
    echo_time, series_echo_time
        Of the M0 image and of the series [s].
    t2_star
        Of tissue [s].
    """
    return float(np.exp((echo_time - series_echo_time) / t2_star))


def equilibrium_magnetisation(
    volumes: FloatArray, recovered: NDArray[np.floating], scale: float = 1.0
) -> FloatArray:
    """Average calibration volumes into M0 of tissue.

    Parameters
    ----------
    volumes
        M0 scans, or unsuppressed controls, ``(x, y, z, volume)``.
    recovered
        `recovered_fraction` of each volume, ``(volume,)`` [1].
    scale
        What M0 has to be multiplied with to stand in the units of the series.

    Returns
    -------
    M0 ``(x, y, z)``.
    """
    return np.asarray((volumes / recovered).mean(axis=-1) * scale)


def relative_to_m0(delta_m: FloatArray, m0: FloatArray, mask: NDArray[np.bool_]) -> FloatArray:
    """Divide the difference signal by M0, voxel by voxel.

    Parameters
    ----------
    delta_m
        ``(x, y, z, measurement)`` [scanner units].
    m0
        ``(x, y, z)`` [scanner units].
    mask
        The brain.

    Returns
    -------
    delta M / M0 ``(x, y, z, measurement)`` [1]; NaN outside the mask and where M0 is not
    above zero, since no number there would mean anything.
    """
    usable = mask & np.isfinite(m0) & (m0 > 0)
    relative = np.full(delta_m.shape, np.nan, dtype=np.float32)
    relative[usable] = delta_m[usable] / m0[usable, np.newaxis]
    return relative


def relative_to_brain(delta_m: FloatArray, mask: NDArray[np.bool_]) -> FloatArray:
    """Scale the difference signal to a typical size where there is no M0.

    ATT does not depend on the scale, and CBF is proportional to it but for the 1–2 % that
    come from perfusion shortening the tissue's T1.

    Parameters
    ----------
    delta_m
        ``(x, y, z, measurement)`` [scanner units].
    mask
        The brain.

    Returns
    -------
    delta M with a brain mean of `NOMINAL_RELATIVE_SIGNAL`, ``(x, y, z, measurement)`` [1]; NaN
    outside the mask.
    """
    mean = abs(float(np.nanmean(delta_m[mask])))
    relative = np.full(delta_m.shape, np.nan, dtype=np.float32)
    relative[mask] = delta_m[mask] * (NOMINAL_RELATIVE_SIGNAL / mean)
    return relative
