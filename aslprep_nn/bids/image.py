"""Whether an image can be opened and holds anything."""

from __future__ import annotations

import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError

from aslprep_nn.errors import ImageError, Problem

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
