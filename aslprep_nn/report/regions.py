"""Which voxels and which measurements the report takes together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.maps import FitStatus, FloatArray
from aslprep_nn.preprocessing import brightness
from aslprep_nn.preprocessing.brightness import late_delta_m, mean_of_present
from aslprep_nn.report.results import RunResults

BoolArray = NDArray[np.bool_]
IndexArray = NDArray[np.intp]
Timing = tuple[float, float]


def measurements_by_timing(acquisition: Acquisition) -> dict[Timing, IndexArray]:
    """Group the measurements that repeat each other, in the order of their delay.

    Returns
    -------
    (PLD, labelling duration) [s] to the indices of its repetitions.
    """
    timings = list(zip(acquisition.pld, acquisition.labeling_duration, strict=True))
    return {
        timing: np.array([i for i, other in enumerate(timings) if other == timing])
        for timing in sorted(set(timings))
    }


def measured_volumes(results: RunResults) -> BoolArray:
    """Find the measurements that were not left out of the whole brain, ``(measurement,)``.

    Without a brain none was left out.
    """
    inside = results.relative_delta_m[results.mask]
    return np.asarray(np.isfinite(inside).any(axis=0) | (len(inside) == 0))


def measured_groups(results: RunResults) -> dict[Timing, IndexArray]:
    """Do what `measurements_by_timing` does, but for what was left out of the whole brain."""
    measured = measured_volumes(results)
    groups = measurements_by_timing(results.acquisition).items()
    kept = {timing: group[measured[group]] for timing, group in groups}
    return {timing: group for timing, group in kept.items() if group.size}


def mean_delta_m(results: RunResults) -> FloatArray:
    """Average delta M over all measurements, ``(x, y, z)``; NaN entries do not count."""
    return mean_of_present(results.relative_delta_m)


def signal_unit(results: RunResults) -> tuple[float, str]:
    """Say what to multiply delta M with for people, and what it then is.

    Per cent of M0; without an M0 multiples of its own mean over the brain.
    """
    if results.has_m0:
        return 100.0, 'delta M [% of M0]'
    mean = abs(float(mean_delta_m(results)[results.mask].mean())) if results.mask.any() else 0.0
    return (1 / mean if mean else 1.0), 'delta M over its mean [1]'


def brightest(results: RunResults, fraction: float) -> BoolArray:
    """Choose the given fraction of the mask's voxels with the largest late delta M."""
    return _within_mask(results, brightness.brightest, fraction)


def darkest(results: RunResults, fraction: float) -> BoolArray:
    """Choose the given fraction of the mask's voxels with the smallest late delta M."""
    return _within_mask(results, brightness.darkest, fraction)


def gm_like(results: RunResults) -> BoolArray:
    """Choose voxels that are mostly grey matter, without an anatomical image.

    Grey matter takes up about half of a brain mask and perfuses two to three times as fast as
    white matter, so the brightest third of the mean difference image lies within it. Only the
    later half of the delays counts: at the early ones blood in arteries is brighter than any
    tissue. Choosing by brightness favours bright noise, which the average keeps small.

    Returns
    -------
    ``(x, y, z)``.
    """
    return brightest(results, brightness.GREY_MATTER_SHARE)


def identifiable(results: RunResults) -> BoolArray:
    """Choose voxels whose fit converged with a transit time the delays can tell."""
    usable = np.isin(results.status, (FitStatus.CONVERGED, FitStatus.ON_KINK))
    return np.asarray(results.mask & usable)


def _within_mask(
    results: RunResults, choose: Callable[[FloatArray, float], BoolArray], share: float
) -> BoolArray:
    chosen = np.zeros_like(results.mask)
    measured = results.relative_delta_m[results.mask]
    chosen[results.mask] = choose(late_delta_m(measured, results.acquisition), share)
    return chosen
