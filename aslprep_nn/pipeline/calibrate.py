"""The steps of calibration: M0 on the grid of the series, and delta M as a fraction of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aslprep_nn.acquisition import Acquisition, VolumeType
from aslprep_nn.calibration.evidence import M0Evidence, compare_rivals, typical_ratio
from aslprep_nn.calibration.m0 import (
    equilibrium_magnetisation,
    recovered_fraction,
    relative_to_brain,
    relative_to_m0,
)
from aslprep_nn.calibration.measured import measured_m0
from aslprep_nn.calibration.resolution import blur_to_grid
from aslprep_nn.maps import FloatArray
from aslprep_nn.pipeline.images import Image, load_mask, load_series, save
from aslprep_nn.preprocessing.brightness import late_delta_m
from aslprep_nn.preprocessing.motion import estimate_motion
from aslprep_nn.preprocessing.resample import resample_volume
from aslprep_nn.run import M0Plan, M0Route
from aslprep_nn.settings import M0Options

VolumeTypes = tuple[VolumeType, ...]
Mask = NDArray[np.bool_]


class M0Scan(NamedTuple):
    """The M0 volumes on the grid of the series."""

    m0scan: Path


def regrid_m0scan(*, m0scan: Path, series: Path, seed: int, folder: Path) -> M0Scan:
    """Bring a separate M0 onto the grid of the series, its volumes aligned with the first.

    The image is placed by its header; every volume of the series is registered to it later, as
    it is their reference.
    """
    source, grid = load_series(m0scan), load_series(series)
    transforms = None
    if source.data.shape[-1] > 1:
        transforms = estimate_motion(source.data, source.data[..., 0], source.affine, seed=seed)
    return M0Scan(save(folder / 'm0scan.nii.gz', _on_grid(source, grid, transforms), grid.affine))


class Calibrated(NamedTuple):
    """delta M / M0, M0 where there is one, and what the images say about it."""

    relative_delta_m: Path
    m0: tuple[Path, ...]
    m0_evidence: Path


def calibrate_m0(
    *,
    delta_m: Path,
    series: Path,
    mask: Path,
    volume_types: VolumeTypes,
    m0_plan: M0Plan,
    acquisition: Acquisition,
    options: M0Options,
    folder: Path,
    m0scan: Path | None = None,
) -> Calibrated:
    """Divide by the equilibrium magnetisation of tissue."""
    difference, affine = load_series(delta_m)
    brain, still = load_mask(mask), load_series(series)
    found = M0Evidence()
    m0 = None
    if m0_plan.route is M0Route.ESTIMATE:
        blood = (m0_plan.estimate or np.nan) * options.scale
        m0 = np.full(brain.shape, blood * acquisition.partition_coefficient)
    elif m0_plan.route is not M0Route.NONE:
        volumes = _m0_volumes(m0_plan, m0scan, still, volume_types)
        measured = measured_m0(
            volumes,
            late_delta_m(difference, acquisition),
            brain,
            affine,
            plan=m0_plan,
            acquisition=acquisition,
            options=options,
        )
        m0 = measured.m0
        rivals = _rival_ratios(m0_plan, volumes, still, brain, acquisition)
        found = M0Evidence(
            control_over_m0=_control_over_m0(still, volume_types, m0, brain, m0_plan),
            white_over_fluid=measured.white_over_fluid,
            notes=(*measured.notes, *compare_rivals(m0_plan.name, rivals)),
        )
    (folder / 'm0_evidence.json').write_text(found.as_json(), encoding='utf-8')
    relative = relative_to_brain(difference, brain)
    images: tuple[Path, ...] = ()
    if m0 is not None:
        relative = relative_to_m0(difference, m0, brain)
        images = (save(folder / 'm0.nii.gz', m0, affine),)
    saved = save(folder / 'relative.nii.gz', relative, affine)
    return Calibrated(saved, images, folder / 'm0_evidence.json')


def _m0_volumes(
    plan: M0Plan, m0scan: Path | None, still: Image, volume_types: VolumeTypes
) -> FloatArray:
    """Return the volumes that show M0, ``(x, y, z, volume)``."""
    if m0scan is not None:
        volumes: FloatArray = load_series(m0scan).data * np.float32(plan.scale_correction)
        return volumes
    wanted = VolumeType.CONTROL if plan.route is M0Route.CONTROL else VolumeType.M0SCAN
    return np.asarray(still.data[..., np.array(volume_types) == wanted])


def _control_over_m0(
    still: Image, volume_types: VolumeTypes, m0: FloatArray, brain: Mask, plan: M0Plan
) -> float | None:
    """Compare the controls with an M0 that was not made of them."""
    are_controls = np.array(volume_types) == VolumeType.CONTROL
    if plan.route is M0Route.CONTROL or not are_controls.any():
        return None
    return typical_ratio(still.data[..., are_controls].mean(axis=-1), m0, brain)


def _rival_ratios(
    plan: M0Plan, volumes: FloatArray, grid: Image, brain: Mask, acquisition: Acquisition
) -> dict[str, float | None]:
    """Compare the M0 images that were not taken with the one that was, voxel by voxel."""

    def of_tissue(volumes: FloatArray, times: Sequence[float], correction: float) -> FloatArray:
        recovered = [recovered_fraction(time, acquisition.t1_tissue) for time in times]
        return equilibrium_magnetisation(volumes, np.array(recovered), correction)

    ratios = {}
    for rival in plan.rivals:
        other = _on_grid(load_series(rival.path), grid)
        ratios[rival.path.name] = typical_ratio(
            of_tissue(other, rival.repetition_times, rival.correction),
            of_tissue(volumes, plan.repetition_times, plan.echo_correction),
            brain,
        )
    return ratios


def _on_grid(source: Image, grid: Image, transforms: FloatArray | None = None) -> FloatArray:
    """Read volumes on the grid of a series, as coarse as it is."""
    volumes = [
        resample_volume(
            blur_to_grid(volume, source.affine, grid.affine),
            source.affine,
            grid.data.shape[:3],
            grid.affine,
            None if transforms is None else transforms[index],
        )
        for index, volume in enumerate(np.moveaxis(source.data, -1, 0))
    ]
    return np.stack(volumes, axis=-1)
