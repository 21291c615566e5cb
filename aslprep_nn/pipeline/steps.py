"""The steps: paths in, paths out, about ten lines each; usable from a notebook."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from aslprep_nn.acquisition import Acquisition, VolumeType
from aslprep_nn.calibration.slice_timing import slice_delay
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.single_delay import single_delay_cbf
from aslprep_nn.pipeline.fit_maps import save_fit
from aslprep_nn.pipeline.gpu import choose_device
from aslprep_nn.pipeline.images import load, load_mask, load_series, save
from aslprep_nn.pipeline.masks import supplied_mask
from aslprep_nn.preprocessing import motion, resample
from aslprep_nn.preprocessing.encoding import decode_cycles
from aslprep_nn.preprocessing.mask import body_mask, brain_mask, difference_mask
from aslprep_nn.preprocessing.pairs import pair_volumes, subtract_label
from aslprep_nn.preprocessing.reference import mean_control, sharpest_control
from aslprep_nn.settings import Macrovascular, Organ

PARAMETER_COLUMNS = ('trans_x', 'trans_y', 'trans_z', 'rot_x', 'rot_y', 'rot_z')
VolumeTypes = tuple[VolumeType, ...]


class Reference(NamedTuple):
    """The image everything is aligned to, and whether tissue is what it shows."""

    image: Path
    shows_tissue: bool


def choose_reference(
    *, series: Path, volume_types: VolumeTypes, folder: Path, m0scan: Path | None = None
) -> Reference:
    """Take M0 as the reference, else one control, else the power of the differences.

    M0 is not suppressed and has the best contrast; registering to it also aligns it.
    """
    data, affine = load_series(series)
    if m0scan is not None:
        image = load_series(m0scan).data.mean(axis=-1)
    elif VolumeType.M0SCAN in volume_types:
        image = data[..., volume_types.index(VolumeType.M0SCAN)]
    elif VolumeType.CONTROL in volume_types:
        image = sharpest_control(data, volume_types)
    else:
        image = np.sqrt((data**2).mean(axis=-1))
        return Reference(save(folder / 'reference.nii.gz', image, affine), shows_tissue=False)
    return Reference(save(folder / 'reference.nii.gz', image, affine), shows_tissue=True)


class Motion(NamedTuple):
    """Where the head was in each volume."""

    transforms: Path
    confounds: Path


def estimate_motion(
    *,
    series: Path,
    reference: Path,
    volume_types: VolumeTypes,
    timings: tuple[tuple[float, float], ...],
    seed: int,
    folder: Path,
) -> Motion:
    """Align the volumes of each timing to each other, and these groups to the reference."""
    data, affine = load_series(series)
    transforms = motion.estimate_motion(
        data,
        load(reference).data,
        affine,
        seed=seed,
        groups=timings,
        volume_types=volume_types,
    )
    np.save(folder / 'transforms.npy', transforms)
    parameters = motion.motion_parameters(transforms)
    if motion.registration_obstacle(data.shape[:3], affine):
        parameters = np.full_like(parameters, np.nan)  # not known is not still
    table = pd.DataFrame(parameters, columns=list(PARAMETER_COLUMNS))
    table.insert(0, 'volume_type', [str(kind) for kind in volume_types])
    table['framewise_displacement'] = motion.framewise_displacement(parameters, volume_types)
    table.to_csv(folder / 'confounds.tsv', sep='\t', na_rep='n/a', index=False)
    return Motion(folder / 'transforms.npy', folder / 'confounds.tsv')


class StillSeries(NamedTuple):
    """The series with motion undone, and the voxels seen in all its volumes."""

    series: Path
    fov_mask: Path


def resample_series(*, series: Path, folder: Path, transforms: Path | None = None) -> StillSeries:
    """Undo motion by one interpolation of the raw volumes."""
    data, affine = load_series(series)
    matrices = np.tile(np.eye(4), (data.shape[-1], 1, 1))
    if transforms is not None:
        matrices = np.load(transforms)
    still, seen = resample.resample_series(data, affine, matrices)
    return StillSeries(
        save(folder / 'still.nii.gz', still, affine),
        save(folder / 'fov_mask.nii.gz', seen, affine),
    )


class StillReference(NamedTuple):
    """The reference as the still series shows it."""

    image: Path


def settle_reference(
    *, reference: Path, series: Path, volume_types: VolumeTypes, folder: Path
) -> StillReference:
    """Replace the control that others were aligned to by the mean of them all."""
    data, affine = load_series(series)
    image = mean_control(data, volume_types)
    if not image.any():
        return StillReference(reference)
    return StillReference(save(folder / 'reference.nii.gz', image, affine))


class BrainMask(NamedTuple):
    """The voxels to estimate in."""

    mask: Path


def mask_brain(
    *,
    reference: Path,
    shows_tissue: bool,
    series: Path,
    fov_mask: Path,
    folder: Path,
    supplied: Path | None = None,
    organ: Organ = Organ.BRAIN,
) -> BrainMask:
    """Find the brain, or all of the body, or take it from a file, in the common field of view."""
    image, affine = load(reference)
    if supplied is not None:
        mask = supplied_mask(supplied, image.shape, affine)
    elif shows_tissue and organ is not Organ.BRAIN:
        mask = body_mask(image)
    elif shows_tissue:
        mask = brain_mask(image, affine)
    else:
        mask = difference_mask(load_series(series).data, affine)
    return BrainMask(save(folder / 'mask.nii.gz', mask & load_mask(fov_mask), affine))


class Difference(NamedTuple):
    """Control minus label, in scanner units."""

    delta_m: Path


def subtract_pairs(
    *,
    series: Path,
    volume_types: VolumeTypes,
    timings: tuple[tuple[float, float], ...],
    folder: Path,
    encoding: tuple[tuple[int, ...], ...] = (),
) -> Difference:
    """Pair and subtract, decode, or pick the differences that were given."""
    data, affine = load_series(series)
    types = np.array(volume_types)
    if encoding:
        encoded = data[..., np.isin(types, (VolumeType.CONTROL, VolumeType.LABEL))]
        delta_m = decode_cycles(encoded, encoding)
        return Difference(save(folder / 'delta_m.nii.gz', delta_m, affine))
    pairs = pair_volumes(volume_types, timings)
    given = types == VolumeType.DELTAM
    delta_m = subtract_label(data, pairs) if pairs else data[..., given]
    return Difference(save(folder / 'delta_m.nii.gz', delta_m, affine))


class Estimates(NamedTuple):
    """Maps, each named by its quantity: cbf, att, std_cbf, std_att, fitstatus; and the fit.

    The fit is a file of tensors with the fields of `estimation.fit.Fit`, one entry per voxel.
    """

    maps: tuple[Path, ...]
    fit: Path


def fit_voxels(
    *,
    relative_delta_m: Path,
    mask: Path,
    acquisition: Acquisition,
    device: str,
    n_threads: int,
    folder: Path,
    macrovascular: Macrovascular = Macrovascular.OFF,
) -> Estimates:
    """Estimate CBF, and ATT where there are several delays, in every brain voxel."""
    torch.set_num_threads(n_threads)
    signal, affine = load_series(relative_delta_m)
    brain = load_mask(mask)
    voxels = torch.from_numpy(signal[brain])
    delay = torch.from_numpy(slice_delay(acquisition, brain.shape)[brain].copy())
    place = choose_device(device)
    if acquisition.is_multi_delay:
        fit = fit_cbf_att(
            voxels, acquisition, slice_delay=delay, macrovascular=macrovascular, device=place
        )
    else:
        fit = single_delay_cbf(voxels, acquisition, slice_delay=delay, device=place)
    torch.save(vars(fit), folder / 'fit.pt')
    return Estimates(save_fit(fit, brain, affine, folder), folder / 'fit.pt')
