"""Faults planted into simulated runs, each with the gate that has to catch it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from aslprep_nn.acquisition import M0Type, VolumeType
from aslprep_nn.maps import FloatArray
from aslprep_nn.preprocessing.motion import framewise_displacement
from aslprep_nn.quality.benchmark.simulated import measure, stated_acquisition
from aslprep_nn.quality.findings import Gate
from aslprep_nn.quality.measured_run import MeasuredRun
from aslprep_nn.quality.territories import Territory
from aslprep_nn.simulation.motion import Motion
from aslprep_nn.simulation.phantom import TERRITORIES, TERRITORY_WIDTH, Phantom
from aslprep_nn.simulation.scanner import Scan

#: Of labelling that failed: what of the label is left, since fields and flow rarely take it all.
LEFT_OVER = 0.1


def swapped(scan: Scan, _phantom: Phantom) -> MeasuredRun:
    """Call label control and control label."""
    return measure(_with_differences(scan, -1.0))


def without_label(scan: Scan, _phantom: Phantom) -> MeasuredRun:
    """Acquire only controls: that of the next pair of the same delay takes the place of label."""
    labels, controls = _pairs(scan)
    following = np.roll(controls.reshape(-1, scan.protocol.n_pairs), -1, axis=1).ravel()
    return measure(_with_copies(scan, labels, following))


def copied(scan: Scan, _phantom: Phantom) -> MeasuredRun:
    """Store every control twice."""
    return measure(_with_copies(scan, *_pairs(scan)))


def rescaled(factor: float) -> Callable[[Scan, Phantom], MeasuredRun]:
    """Make a fault that stores M0 in another unit."""

    def plant(scan: Scan, _phantom: Phantom) -> MeasuredRun:
        if scan.protocol.m0_type is not M0Type.INCLUDED and scan.m0scan is not None:
            return measure(replace(scan, m0scan=scan.m0scan * factor))
        series = scan.series.copy()
        series[..., 0] *= factor
        return measure(replace(scan, series=series))

    return plant


def lost_efficiency(scan: Scan, _phantom: Phantom) -> MeasuredRun:
    """State a quarter of the true efficiency."""
    stated = stated_acquisition(scan.protocol)
    return measure(scan, replace(stated, labeling_efficiency=stated.labeling_efficiency / 4))


def delays_in_another_unit(scan: Scan, _phantom: Phantom) -> MeasuredRun:
    """State a tenth of every delay."""
    stated = stated_acquisition(scan.protocol)
    return measure(scan, replace(stated, pld=tuple(pld / 10 for pld in stated.pld)))


def delays_from_a_later_start(scan: Scan, _phantom: Phantom) -> MeasuredRun:
    """State delays that are too short by most of the labelling duration."""
    stated = stated_acquisition(scan.protocol)
    return measure(scan, replace(stated, pld=tuple(max(pld - 1.5, 0.0) for pld in stated.pld)))


def restless(scan: Scan, _phantom: Phantom) -> MeasuredRun:
    """Let the head nod by 4 mm and 3 degrees at every third pair, in the positions only."""
    parameters = scan.motion.parameters.copy()
    parameters[::6] += [0.0, 2.0, 4.0, np.deg2rad(3.0), 0.0, 0.0]
    types = [volume.kind for volume in scan.protocol.series]
    moved = framewise_displacement(parameters, types)
    return replace(measure(scan), framewise_displacement=moved)


def unlabelled(territory: Territory) -> Callable[[Scan, Phantom], MeasuredRun]:
    """Make a fault that labels all blood but that of one territory."""

    def plant(scan: Scan, phantom: Phantom) -> MeasuredRun:
        share = territory_share(scan, phantom, territory)
        return measure(_with_differences(scan, 1 - (1 - LEFT_OVER) * share))

    return plant


def territory_share(scan: Scan, phantom: Phantom, territory: Territory) -> FloatArray:
    """Return how much of each voxel's blood a territory's arteries bring, ``(x, y, z)``."""
    grid = scan.protocol.grid
    to_template = phantom.anatomy.affine @ np.linalg.inv(phantom.affine) @ grid.affine
    voxels = np.indices(grid.shape).reshape(3, -1)
    x, y, z = (to_template[:3, :3] @ voxels + to_template[:3, 3:]).reshape(3, *grid.shape)
    weights = np.stack(
        [
            np.exp(-((abs(x) - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2) / 2 / TERRITORY_WIDTH**2)
            for (cx, cy, cz), _ in TERRITORIES
        ]
    )
    *front, back = weights / (weights.sum(axis=0) + 1e-12)
    if territory is Territory.BACK:
        return np.asarray(back)
    side = 1 / (1 + np.exp((-x if territory is Territory.RIGHT else x) / 3))
    return np.asarray(sum(front) * side)


def _pairs(scan: Scan) -> tuple[np.ndarray, np.ndarray]:
    kinds = np.array([volume.kind for volume in scan.protocol.series])
    return np.flatnonzero(kinds == VolumeType.LABEL), np.flatnonzero(kinds == VolumeType.CONTROL)


def _with_copies(scan: Scan, to: np.ndarray, source: np.ndarray) -> Scan:
    """Replace volumes, and where the head was in them, by others."""
    series, parameters = scan.series.copy(), scan.motion.parameters.copy()
    series[..., to] = scan.series[..., source]
    parameters[to] = scan.motion.parameters[source]
    return replace(scan, series=series, motion=Motion(parameters))


def _with_differences(scan: Scan, factor: float | FloatArray) -> Scan:
    """Multiply what label takes away from control, or the differences themselves."""
    series = scan.series.copy()
    labels, controls = _pairs(scan)
    if len(labels):
        difference = scan.series[..., controls] - scan.series[..., labels]
        times = np.asarray(factor)[..., None] if np.ndim(factor) else factor
        series[..., labels] = scan.series[..., controls] - times * difference
    else:
        series = series * (np.asarray(factor)[..., None] if np.ndim(factor) else factor)
    return replace(scan, series=series)


#: What is planted, and the gate that has to find it.
FAULTS: Mapping[str, tuple[Gate, Callable[[Scan, Phantom], MeasuredRun]]] = {
    'label and control swapped': (Gate.SWAPPED, swapped),
    'no labelling': (Gate.NO_PERFUSION, without_label),
    'label a copy of control': (Gate.ALL_ZERO, copied),
    **{
        f'M0 times {factor:g}': (Gate.M0_SCALE, rescaled(factor))
        for factor in (10, 32, 100, 0.1, 1 / 32, 0.01)
    },
    'efficiency of a quarter': (Gate.CBF_RANGE, lost_efficiency),
    'delays in another unit': (Gate.ATT_AT_BOUND, delays_in_another_unit),
    'delays from a later start': (Gate.ATT_AT_BOUND, delays_from_a_later_start),
    'restless head': (Gate.MOTION, restless),
    **{f'{name} not labelled': (Gate.TERRITORY, unlabelled(name)) for name in Territory},
}
