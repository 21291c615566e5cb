"""Brain masks that a person supplies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from aslprep_nn.bids.image import UNREADABLE, read_shape
from aslprep_nn.errors import ImageError, Problem
from aslprep_nn.maps import FloatArray
from aslprep_nn.run import ASLRun, PlanRow, RefusedRun
from aslprep_nn.settings import Settings

#: How far the corners of a mask may lie from those of the series: what rounding does [mm].
LARGEST_MISMATCH = 0.1


def mask_of(run: ASLRun, settings: Settings) -> Path | None:
    """Name the brain mask supplied for a run: as this app names its own, in a folder."""
    if settings.mask is None or not settings.mask.is_dir():
        return settings.mask
    session = [f'ses-{run.session}'] if run.session else []
    folder = settings.mask.joinpath(f'sub-{run.subject}', *session, 'perf')
    return folder / f'{run.name}_desc-brain_mask.nii.gz'


def with_usable_mask(run: ASLRun, settings: Settings) -> ASLRun | RefusedRun:
    """Plan with the mask supplied for a run, or refuse the run before anything is computed."""
    path = mask_of(run, settings)
    if path is None:
        return run
    series = nib.load(run.series)
    try:
        supplied_mask(path, series.shape[:3], series.affine)
    except ImageError as error:
        return RefusedRun(run.name, run.subject, error.problems)
    return replace(run, plan=(*run.plan, PlanRow('Mask', 'supplied', path.name)))


def supplied_mask(path: Path, shape: tuple[int, ...], affine: FloatArray) -> NDArray[np.bool_]:
    """Load a mask that a person made, and refuse one that does not lie on the grid.

    Parameters
    ----------
    path
        The image; what is above 0.5 is brain.
    shape, affine
        The grid of the series and its voxel to world [mm].

    Raises
    ------
    ImageError
        If there is no such file, it cannot be read, lies on another grid, or nothing is in it.
    """
    remedy = 'Resample it to the series or name another one with --mask.'
    if not path.is_file():
        raise ImageError(Problem(str(path), '', 'absent', 'a brain mask', remedy))
    read_shape(path, path.parent, dimensions=(3,))
    image = nib.load(path)
    if image.shape != shape:
        expected = f'{" x ".join(map(str, shape))}, as the series has'
        found = ' x '.join(map(str, image.shape))
        raise ImageError(Problem(str(path), 'shape', found, expected, remedy))
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape], [1])).reshape(4, -1)
    distance = float(np.abs((image.affine - affine) @ corners).max())
    if distance > LARGEST_MISMATCH:
        expected = 'that of the series'
        found = f'up to {distance:.2g} mm off'
        raise ImageError(Problem(str(path), 'affine', found, expected, remedy))
    try:
        mask = np.asarray(image.dataobj) > 0.5
    except UNREADABLE as error:
        found = f'not readable ({error})'
        raise ImageError(Problem(str(path), '', found, 'a brain mask', remedy)) from error
    if not mask.any():
        raise ImageError(Problem(str(path), 'mask', 'empty', 'a voxel above 0.5', remedy))
    return mask
