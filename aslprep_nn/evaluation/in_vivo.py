"""How much an estimate of a real brain moves when half of the repetitions are dropped.

In vivo nobody knows the truth. What can be asked is whether a map from half the data is close to
the unsmoothed least-squares map from all of them, or to the one from the other half, whose noise
is its own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.calibration.m0 import relative_to_m0
from aslprep_nn.errors import Problem, UsageError
from aslprep_nn.estimation.benchmark.scenarios import Table
from aslprep_nn.estimation.common_noise import common_noise
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.estimation.series import PerfusionSeries
from aslprep_nn.evaluation.estimators import Family, least_squares
from aslprep_nn.evaluation.halving import Halved, distance_rows, estimates, is_told
from aslprep_nn.network.model import AmplitudeAwareNetwork

#: Derivatives of the app, as they end.
DELTA_M, M0, MASK = (
    f'_desc-{name}.nii.gz' for name in ('deltam_asl', 'preproc_m0scan', 'brain_mask')
)
#: Halves of fewer repetitions tell no noise.
FEWEST_REPETITIONS = 4


@dataclass(frozen=True)
class Scan:
    """One real run.

    Parameters
    ----------
    name
        The run's name.
    series
        Its measurements; 2-D slices along the last axis.
    """

    name: str
    series: PerfusionSeries


@dataclass(frozen=True)
class Stability:
    """What became of one run.

    Parameters
    ----------
    scan
        The run.
    table
        Distances of the maps from half the data, estimator by estimator.
    everything
        Estimates from all data, ``(parameter, voxel)``, of voxels where least squares converged:
        by least squares, and by the network at dial 1 where there is one.
    """

    scan: Scan
    table: Table
    everything: Mapping[Family, Tensor]


def read_scans(folder: Path) -> list[Scan]:
    """Read every run with an M0 from a folder of this app's derivatives.

    Raises
    ------
    UsageError
        If there is none whose repetitions can be halved.
    """
    paths = sorted(folder.rglob(f'*{DELTA_M}'))
    found = [_read(path) for path in paths if _sibling(path, M0).exists()]
    usable = [scan for scan in found if _repetition(scan.series).max() + 1 >= FEWEST_REPETITIONS]
    if usable:
        return usable
    expected = f'runs with *{DELTA_M}, *{M0} and {FEWEST_REPETITIONS} repetitions'
    remedy = 'Run aslprep_nn on a dataset with several delays and an M0 first.'
    raise UsageError(Problem(str(folder), '', 'without a run to halve', expected, remedy))


def stability(scan: Scan, network: AmplitudeAwareNetwork | None) -> Stability:
    """Estimate a run from all repetitions and from either half, and compare."""
    whole, two = halved(scan)
    told = is_told(whole)
    everything = estimates(whole, network, told)
    halves = [estimates(half, network, told) for half in two]
    question = (
        f'{scan.name}: root mean square distance of maps from half of the repetitions to '
        f'least-squares maps, {int(told.sum())} voxels where least squares converged.'
    )
    shown = (Family.LEAST_SQUARES, Family.LEAST_ERROR)
    kept = {family: everything[family] for family in shown if family in everything}
    return Stability(scan, Table('stability', question, distance_rows(everything, halves)), kept)


def halved(scan: Scan) -> Halved:
    """Split a run into its even and its odd repetitions."""
    return Halved(scan.series, (_half(scan.series, 0), _half(scan.series, 1)))


def _half(series: PerfusionSeries, parity: int) -> PerfusionSeries:
    """Keep the even or the odd repetitions of each timing."""
    kept = (_repetition(series) % 2 == parity).nonzero().squeeze(1)
    (acquisition,) = series.acquisitions
    pld, duration = (
        tuple(values[i] for i in kept.tolist())
        for values in (acquisition.pld, acquisition.labeling_duration)
    )
    return replace(
        series,
        relative_delta_m=series.relative_delta_m[..., kept],
        acquisitions=(replace(acquisition, pld=pld, labeling_duration=duration),),
    )


def _repetition(series: PerfusionSeries) -> Tensor:
    """Number the repetitions of each timing, ``(measurement,)``."""
    seen: Counter[int] = Counter()
    numbers = []
    for timing in Repetitions.of(series.acquisitions).timing.tolist():
        numbers.append(seen[timing])
        seen[timing] += 1
    return torch.tensor(numbers)


def _read(path: Path) -> Scan:
    sidecar = json.loads(path.with_name(path.name.replace('.nii.gz', '.json')).read_text())
    acquisition = _acquisition(sidecar, path)
    mask = _array(_sibling(path, MASK)) > 0
    relative = relative_to_m0(_array(path), _array(_sibling(path, M0)), mask)
    mask &= np.isfinite(relative).all(-1)
    delay = np.zeros(mask.shape[-1])
    if acquisition.slice_times:
        delay[:] = acquisition.slice_times
    series = PerfusionSeries(
        torch.from_numpy(relative),
        torch.from_numpy(mask),
        torch.ones(()),
        (acquisition,),
        slice_delay=torch.from_numpy(delay).float(),
    )
    noise = common_noise(least_squares(series.measurements()).noise)
    return Scan(path.name.removesuffix(DELTA_M), replace(series, noise=torch.tensor(noise)))


def _acquisition(sidecar: Mapping[str, Any], path: Path) -> Acquisition:
    direction = sidecar.get('SliceEncodingDirection', 'k')
    labeling = LabelingType(sidecar['ArterialSpinLabelingType'])
    if direction != 'k' or not labeling.is_continuous:
        found = f'{labeling} with slices along {direction}'
        expected = '(P)CASL with slices along k'
        raise UsageError(Problem(str(path), '', found, expected, 'Leave this run out.'))
    return Acquisition(
        labeling=labeling,
        pld=tuple(sidecar['PostLabelingDelay']),
        labeling_duration=tuple(sidecar['LabelingDuration']),
        labeling_efficiency=sidecar['LabelingEfficiency'],
        t1_blood=sidecar['T1Blood'],
        t1_tissue=sidecar['T1Tissue'],
        partition_coefficient=sidecar['PartitionCoefficient'],
        slice_times=tuple(sidecar.get('SliceTiming', ())),
    )


def _sibling(path: Path, ending: str) -> Path:
    return path.with_name(path.name.replace(DELTA_M, ending))


def _array(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.asarray(nib.load(path).dataobj, dtype=np.float32)
