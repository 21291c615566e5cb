"""Where M0 comes from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from aslprep_nn.acquisition import M0Type, VolumeType
from aslprep_nn.bids.image import check_image, check_overlap, read_diagonal
from aslprep_nn.bids.m0scans import choose_m0scan
from aslprep_nn.bids.philips import m0_scale_correction
from aslprep_nn.bids.query import Dataset, associated
from aslprep_nn.bids.sidecar import IN_SECONDS, Sidecar, is_number, read_sidecar
from aslprep_nn.calibration.m0 import echo_correction
from aslprep_nn.calibration.reference_region import fluid_problem
from aslprep_nn.constants import DEFAULT_FIELD, T2_STAR, Quantity, at_field
from aslprep_nn.errors import AslprepError, Problem
from aslprep_nn.run import M0Plan, M0Route, Rival
from aslprep_nn.settings import M0Method, M0Options, ReferenceTissue

#: No ASL image has a later echo [s]; a larger number was written in milliseconds.
LONGEST_ECHO_TIME = 0.5

TR_REMEDY = (
    'Write the repetition time of the M0 volumes; without it their incomplete recovery cannot '
    'be corrected.'
)


def read_m0(
    sidecar: Sidecar, dataset: Dataset, series: Path, volume_types: Sequence[VolumeType]
) -> M0Plan | None:
    """Decide where M0 comes from; None, with problems in the sidecar, where it cannot be told."""
    word = sidecar.text(
        'M0Type',
        list(M0Type),
        'Say whether M0 is a separate file, part of the '
        'series, a number in the sidecar, or absent.',
    )
    if word is None:
        return None
    if word == M0Type.SEPARATE:
        return _separate(sidecar, dataset, series)
    if word == M0Type.ESTIMATE:
        return _estimate(sidecar)
    found: M0Plan | None = M0Plan(M0Route.NONE)
    if word == M0Type.INCLUDED:
        found = _of_series(sidecar, volume_types, VolumeType.M0SCAN, M0Route.INCLUDED)
    elif sidecar.flag('BackgroundSuppression') is False and VolumeType.CONTROL in volume_types:
        found = _of_series(sidecar, volume_types, VolumeType.CONTROL, M0Route.CONTROL)
    if found is None:
        return None
    return replace(found, voxel_diagonal=_diagonal(series, dataset.root, sidecar))


def _diagonal(path: Path, root: Path, sidecar: Sidecar) -> float:
    """Return how far a voxel reaches, as measured: images may have been interpolated [mm]."""
    stated = sidecar.values.get('AcquisitionVoxelSize')
    edges = [float(each) for each in stated if is_number(each)] if isinstance(stated, list) else []
    return max(read_diagonal(path, root), math.hypot(*edges) if len(edges) == 3 else 0.0)


def reference_problems(m0: M0Plan, options: M0Options, series: Path, root: Path) -> list[Problem]:
    """Refuse the fluid of ventricles as the reference where voxels do not fit into them."""
    wanted = options.method is M0Method.REFERENCE and options.reference is ReferenceTissue.FLUID
    if not (wanted and m0.is_measured and m0.voxel_diagonal):
        return []
    file = str((m0.path or series).relative_to(root))
    problem = fluid_problem(m0.voxel_diagonal, m0.repetition_times, file)
    return [problem] if problem else []


def _separate(sidecar: Sidecar, dataset: Dataset, series: Path) -> M0Plan | None:
    choice = choose_m0scan(dataset, series)
    if choice is None:
        expected = series.name.replace('_asl.', '_m0scan.')
        sidecar.complain(
            'M0Type',
            f'a file {expected} beside the series',
            'Copy the M0 image there, let its IntendedFor name the series, or change M0Type.',
        )
        return None
    root = dataset.root
    path = choice.path
    name = str(path.relative_to(root)).split('.')[0] + '.json'
    try:
        shape = check_image(path, root, dimensions=(3, 4))
        check_overlap(path, series, root)
        own = read_sidecar(associated(dataset, path, 'm0scan', '.json'), root, name)
    except AslprepError as error:
        sidecar.problems += error.problems
        return None
    n_volumes = shape[3] if len(shape) > 3 else 1
    times = _repetition_times(own, range(n_volumes), n_volumes)
    echo_time, series_echo_time = read_echo_time(own), read_echo_time(sidecar)
    scale = m0_scale_correction(sidecar, own)
    sidecar.problems += own.problems
    if times is None or scale is None:
        return None
    return M0Plan(
        M0Route.SEPARATE,
        path,
        times,
        rivals=_read_rivals(sidecar, dataset, choice.rivals, series_echo_time),
        echo_time=echo_time,
        series_echo_time=series_echo_time,
        echo_correction=_echo_correction(sidecar, echo_time, series_echo_time),
        scale_correction=scale,
        voxel_diagonal=max(_diagonal(path, root, own), _diagonal(series, root, sidecar)),
    )


def _echo_correction(
    sidecar: Sidecar, echo_time: float | None, series_echo_time: float | None
) -> float:
    """Compare the echo time of an M0 with that of the series; 1 where one is not stated."""
    if echo_time is None or series_echo_time is None:
        return 1.0
    return echo_correction(echo_time, series_echo_time, t2_star(sidecar).value)


def _read_rivals(
    sidecar: Sidecar, dataset: Dataset, paths: Sequence[Path], series_echo_time: float | None
) -> tuple[Rival, ...]:
    """Read what comparing images takes; one whose sidecar cannot be used is not compared."""
    root = dataset.root
    rivals = []
    for path in paths:
        try:
            shape = check_image(path, root, dimensions=(3, 4))
            own = read_sidecar(associated(dataset, path, 'm0scan', '.json'), root, path.name)
        except AslprepError:
            continue
        n_volumes = shape[3] if len(shape) > 3 else 1
        times = _repetition_times(own, range(n_volumes), n_volumes)
        scale = m0_scale_correction(sidecar, own)
        if times is not None and scale is not None:
            echoes = _echo_correction(sidecar, read_echo_time(own), series_echo_time)
            rivals.append(Rival(path, times, scale * echoes))
    return tuple(rivals)


def read_echo_time(sidecar: Sidecar) -> float | None:
    """Read when the signal is read out after the excitation [s]; None where it is not one time."""
    value = sidecar.values.get('EchoTime')
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    if 0 <= value <= LONGEST_ECHO_TIME:
        return float(value)
    sidecar.complain('EchoTime', f'between 0 and {LONGEST_ECHO_TIME:g} s', IN_SECONDS)
    return None


def t2_star(sidecar: Sidecar) -> Quantity:
    """Choose T2* of cortex by field strength; that of 3 T where none is near."""
    field = sidecar.number('MagneticFieldStrength')
    return at_field(T2_STAR, field or DEFAULT_FIELD) or T2_STAR[DEFAULT_FIELD]


def _of_series(
    sidecar: Sidecar, volume_types: Sequence[VolumeType], wanted: VolumeType, route: M0Route
) -> M0Plan | None:
    if not volume_types:  # aslcontext.tsv could not be read, which has been complained about
        return None
    indices = [index for index, found in enumerate(volume_types) if found is wanted]
    if not indices:
        sidecar.complain(
            'M0Type',
            f'a row {wanted} in aslcontext.tsv',
            'Mark the M0 volume there, or change M0Type.',
        )
        return None
    times = _repetition_times(sidecar, indices, len(volume_types))
    if times is None:
        return None
    echo_time = read_echo_time(sidecar)
    return M0Plan(route, repetition_times=times, echo_time=echo_time, series_echo_time=echo_time)


def _repetition_times(
    sidecar: Sidecar, indices: Sequence[int], n_volumes: int
) -> tuple[float, ...] | None:
    """Read the repetition times of the M0 volumes; a zero would make M0 infinite."""
    times = sidecar.per_volume('RepetitionTimePreparation', n_volumes, TR_REMEDY)
    if times is None:
        return None
    chosen = tuple(times[index] for index in indices)
    if min(chosen) <= 0:
        sidecar.complain(
            'RepetitionTimePreparation',
            'above 0 s for every M0 volume',
            TR_REMEDY,
            found=f'{min(chosen):g} s',
        )
        return None
    return chosen


def _estimate(sidecar: Sidecar) -> M0Plan | None:
    value = sidecar.number('M0Estimate')
    if value is None and sidecar.states('M0Estimate'):
        return None
    if value is None or value <= 0:
        sidecar.complain(
            'M0Estimate',
            'M0 of blood, above 0, in the units of the series',
            'Write the number, or change M0Type.',
        )
        return None
    return M0Plan(M0Route.ESTIMATE, estimate=value)
