"""When each voxel is read out after the first slice."""

from __future__ import annotations

import numpy as np

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.maps import FloatArray


def slice_delay(acquisition: Acquisition, shape: tuple[int, ...]) -> FloatArray:
    """Spread the slice times over the image.

    Parameters
    ----------
    acquisition
        Holds the slice times and the axis they run along.
    shape
        Of the image, ``(x, y, z)``.

    Returns
    -------
    Time after the first slice, ``(x, y, z)`` [s]; 0 for a 3-D readout.
    """
    if not acquisition.slice_times:
        return np.zeros(shape)
    along = [1, 1, 1]
    along[acquisition.slice_axis] = len(acquisition.slice_times)
    times = np.array(acquisition.slice_times).reshape(along)
    return np.broadcast_to(times, shape)
