"""Whether an image can be opened and holds anything."""

from __future__ import annotations

import math
import struct
import warnings
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from aslprep_nn.calibration.reference_region import voxel_diagonal
from aslprep_nn.errors import ImageError, Problem
from aslprep_nn.maps import FloatArray

#: The least part of a series that its M0 image must cover [1].
LEAST_OVERLAP = 0.5
COPY_AGAIN = 'Copy or convert the image again.'
#: No byte of a gzip stream stands for more than this (zlib.net/zlib_tech.html).
MOST_COMPRESSION = 1032
#: Below this volume [mm³] the axes of an image do not span a space.
SMALLEST_VOXEL = 1e-9
#: What nibabel raises for a file that is no image, or not all of one.
UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    ArithmeticError,
    MemoryError,
    struct.error,
    zlib.error,
    ImageFileError,
    HeaderDataError,
)


def check_image(path: Path, root: Path, *, dimensions: tuple[int, ...]) -> tuple[int, ...]:
    """Read an image to its last byte and return its shape.

    Raises
    ------
    ImageError
        As `read_shape` and `find_empty_volumes`.
    """
    shape = read_shape(path, root, dimensions=dimensions)
    find_empty_volumes(path, root)
    return shape


def read_shape(path: Path, root: Path, *, dimensions: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that the header of an image states.

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
        If it is no NIfTI, has other dimensions, lies nowhere, or is too small for its values.
    """
    name = str(path.relative_to(root))
    image = _opened(path, name)
    shape = tuple(int(n) for n in image.shape)
    if len(shape) not in dimensions or min(shape, default=0) < 1:
        axes = ' or '.join(f'{n}' for n in dimensions)
        raise ImageError(
            Problem(name, 'dimensions', f'{shape}', f'{axes} axes, none of length 0', COPY_AGAIN)
        )
    affine = np.asarray(image.affine)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < SMALLEST_VOXEL:
        found = f'the affine {affine[:3].round(3).tolist()}'
        expected = 'an affine with three axes of finite length'
        raise ImageError(Problem(name, 'position in space', found, expected, COPY_AGAIN))
    return shape


def read_diagonal(path: Path, root: Path) -> float:
    """Return how far a voxel reaches from corner to corner [mm]; parameters as of `read_shape`."""
    return voxel_diagonal(np.asarray(_opened(path, str(path.relative_to(root))).affine))


def find_empty_volumes(path: Path, root: Path) -> tuple[int, ...]:
    """Read an image to its last byte; list the volumes that hold nothing, counted from 0.

    Parameters
    ----------
    path, root
        As of `read_shape`, which has passed.

    Raises
    ------
    ImageError
        If it is truncated, has no value that is finite and not zero, or values that are no real
        numbers or more than single precision can hold.
    """
    name = str(path.relative_to(root))
    data = _values(path, name)
    finite = np.isfinite(data)
    data = data if finite.all() else np.where(finite, data, 0)
    filled = np.asarray(data.any(axis=(0, 1, 2))).reshape(-1)
    if not filled.any():
        found = 'nothing but zeros' if finite.any() else 'nothing but NaN or infinity'
        raise ImageError(Problem(name, 'values', found, 'measured intensities', COPY_AGAIN))
    largest = max(abs(float(data.min())), abs(float(data.max())))
    if largest > float(np.finfo(np.float32).max):
        remedy = 'Check scl_slope and scl_inter in the header, and convert the image again.'
        expected = 'at most 3.4e38, what single precision holds'
        raise ImageError(Problem(name, 'values', f'up to {largest:.3g}', expected, remedy))
    return tuple(int(index) for index in np.flatnonzero(~filled))


def _opened(path: Path, name: str) -> nib.Nifti1Image:
    """Read the header, and see whether the file can hold what it promises."""
    if path.is_symlink() and not path.exists():
        found = f'a link to {path.readlink()}, which is not there'
        remedy = 'Fetch the file (`datalad get`, `git annex get`), or mount where it lies.'
        raise ImageError(Problem(name, '', found, 'a complete NIfTI image', remedy))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            path.open('rb').close()  # its error says why, nibabel's does not
            image = nib.load(path)
        n_bytes = math.prod(map(int, image.shape)) * image.get_data_dtype().itemsize
        size = path.stat().st_size
    except UNREADABLE as error:
        raise _unreadable(name, error) from error
    room = size * (MOST_COMPRESSION if path.suffix == '.gz' else 1)
    if n_bytes > room:
        found = f'a file of {size} bytes whose header promises {n_bytes} bytes of values'
        raise ImageError(Problem(name, '', found, 'a complete NIfTI image', COPY_AGAIN))
    return image


def _values(path: Path, name: str) -> FloatArray:
    """Read every value, scaled."""
    try:
        with warnings.catch_warnings(), np.errstate(all='ignore'):
            warnings.simplefilter('ignore')
            data: FloatArray = np.asanyarray(nib.load(path).dataobj)
    except UNREADABLE as error:
        raise _unreadable(name, error) from error
    if data.dtype.kind not in 'biuf':
        found, expected = f'of type {data.dtype}', 'one real number per voxel'
        remedy = 'Convert the magnitude images.'
        raise ImageError(Problem(name, 'values', found, expected, remedy))
    return data


def _unreadable(name: str, error: BaseException) -> ImageError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    found = f'not readable ({reason})'
    return ImageError(Problem(name, '', found, 'a complete NIfTI image', COPY_AGAIN))


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
