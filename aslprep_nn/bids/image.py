"""Whether an image can be opened and holds anything."""

from __future__ import annotations

import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError

from aslprep_nn.errors import ImageError, Problem
from aslprep_nn.maps import FloatArray

#: The least part of a series that its M0 image must cover [1].
LEAST_OVERLAP = 0.5
COPY_AGAIN = 'Copy or convert the image again.'


def check_image(path: Path, root: Path, *, dimensions: tuple[int, ...]) -> tuple[int, ...]:
    """Read an image to its last byte and return its shape.

    Parameters
    ----------
    path
        A NIfTI file.
    root
        The dataset, which its name is shown relative to.
    dimensions
        How many axes it may have.

    Raises
    ------
    ImageError
        If it is truncated or no NIfTI, has other dimensions, or no value that is finite and
        not zero.
    """
    name = str(path.relative_to(root))
    try:
        image = nib.load(path)
        data = np.asanyarray(image.dataobj)
    except (OSError, EOFError, ValueError, zlib.error, ImageFileError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ImageError(
            Problem(name, '', f'not readable ({reason})', 'a complete NIfTI image', COPY_AGAIN)
        ) from error
    shape = tuple(int(n) for n in data.shape)
    if len(shape) not in dimensions or 0 in shape:
        axes = ' or '.join(f'{n}' for n in dimensions)
        raise ImageError(
            Problem(name, 'dimensions', f'{shape}', f'{axes} axes, none of length 0', COPY_AGAIN)
        )
    finite = np.isfinite(data)
    if not (finite & (data != 0)).any():
        found = 'nothing but zeros' if finite.any() else 'nothing but NaN or infinity'
        raise ImageError(Problem(name, 'values', found, 'measured intensities', COPY_AGAIN))
    return shape


def check_overlap(path: Path, series: Path, root: Path) -> None:
    """Refuse an M0 image that lies elsewhere than the series it is to calibrate.

    Both were taken in one session, so a gap between them is an error of the headers, and
    resampling would fill the brain with nothing. Bounding boxes along the axes of the world
    are compared.

    Parameters
    ----------
    path, series
        NIfTI files that `check_image` has passed.
    root
        The dataset, which names are shown relative to.

    Raises
    ------
    ImageError
        If the image covers less than half of the volume of the series.
    """
    own_low, own_high = _bounding_box(path)
    low, high = _bounding_box(series)
    sides = np.minimum(own_high, high) - np.maximum(own_low, low)
    common, whole = np.prod(sides.clip(min=0)), np.prod(high - low)
    if not common >= LEAST_OVERLAP * whole:
        raise ImageError(
            Problem(
                str(path.relative_to(root)),
                'position in space',
                f'over {common / whole:.0%} of {series.name}',
                f'over {LEAST_OVERLAP:.0%} of it or more',
                'Check which M0 belongs to the series, and the affines in both headers.',
            )
        )


def _bounding_box(path: Path) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and highest world coordinates of an image's outer faces [mm]."""
    image = nib.load(path)
    affine = np.asarray(image.affine)
    last = [int(n) - 0.5 for n in image.shape[:3]]
    corners = np.stack(np.meshgrid(*((-0.5, end) for end in last), indexing='ij'))
    world = affine[:3, :3] @ corners.reshape(3, -1) + affine[:3, 3:]
    return world.min(axis=1), world.max(axis=1)
