"""Voxels told apart by how much label reaches them, where there is no anatomical image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.maps import FloatArray

#: Share of the brain taken as grey matter; see `report.regions.gm_like`.
GREY_MATTER_SHARE = 1 / 3


def late_delta_m(relative_delta_m: FloatArray, acquisition: Acquisition) -> FloatArray:
    """Average delta M over the later half of the delays, without missing measurements.

    At the early delays blood in arteries is brighter than any tissue.

    Parameters
    ----------
    relative_delta_m
        ``(..., measurement)``.
    acquisition
        Its protocol.

    Returns
    -------
    ``(...)``; 0 where nothing was measured.
    """
    delays = np.array(acquisition.pld)
    return mean_of_present(relative_delta_m[..., delays >= np.median(np.unique(delays))])


def mean_of_present(values: FloatArray) -> FloatArray:
    """Average over the last axis what is finite; 0 where nothing is."""
    present = np.isfinite(values)
    total = np.where(present, values, 0).sum(axis=-1, dtype=float)
    return np.asarray(total / np.maximum(present.sum(axis=-1), 1))


def brightest(signal: FloatArray, share: float) -> NDArray[np.bool_]:
    """Choose the given share of voxels with the largest signal, ``(voxel,)``."""
    if not signal.size:
        return np.zeros(signal.shape, dtype=bool)
    return np.asarray(signal >= np.quantile(signal, 1 - share))


def darkest(signal: FloatArray, share: float) -> NDArray[np.bool_]:
    """Choose the given share of voxels with the smallest signal, ``(voxel,)``."""
    return brightest(-signal, share)
