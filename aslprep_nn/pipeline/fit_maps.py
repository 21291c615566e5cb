"""From the voxels of a fit to maps: what is known goes into images, named by quantity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aslprep_nn.estimation.fit import Fit
from aslprep_nn.maps import FitStatus, FloatArray
from aslprep_nn.pipeline.images import put_into, save

BoolArray = NDArray[np.bool_]


def save_fit(fit: Fit, brain: BoolArray, affine: FloatArray, folder: Path) -> tuple[Path, ...]:
    """Save the maps of a fit, each named by its quantity.

    Parameters
    ----------
    fit
        One entry per voxel of the brain.
    brain
        The voxels that were estimated, ``(x, y, z)``.
    affine
        Voxel to world.
    folder
        Where the maps go.
    """
    values = dict(fit.parameters) | {f'std_{name}': value for name, value in fit.std.items()}
    paths = [
        save(folder / f'{name}.nii.gz', put_into(brain, where_known(name, value, fit)), affine)
        for name, value in values.items()
    ]
    status = np.full(brain.shape, FitStatus.OUTSIDE, dtype=np.uint8)
    status[brain] = fit.status.cpu().numpy()
    return (*paths, save(folder / 'fitstatus.nii.gz', status, affine))


def where_known(name: str, values: Tensor, fit: Fit) -> FloatArray:
    """Leave out ATT where it is not identifiable: it would be read as a transit time."""
    unknown = fit.status == FitStatus.ATT_NOT_IDENTIFIABLE
    if name in ('att', 'std_att'):
        values = values.masked_fill(unknown, torch.nan)
    return np.asarray(values.cpu().numpy())
