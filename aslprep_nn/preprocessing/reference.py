"""The image that all volumes are aligned to, where no M0 is given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.maps import FloatArray
from aslprep_nn.preprocessing.brightness import mean_of_present


def sharpest_control(series: FloatArray, volume_types: Sequence[VolumeType]) -> FloatArray:
    """Choose the brightest control as what to align to before anything is aligned.

    A mean over a series that moves is blurred, and what is registered to it finds the middle of
    the blur. The brightest control is the least suppressed one, with the most of its anatomy
    above the noise.

    Parameters
    ----------
    series
        As acquired, ``(x, y, z, volume)``.
    volume_types
        What each volume shows; one of them at least a control.

    Returns
    -------
    ``(x, y, z)``.
    """
    controls = np.flatnonzero(np.array(volume_types) == VolumeType.CONTROL)
    brightness = np.nanmean(series[..., controls], axis=(0, 1, 2))
    return np.asarray(series[..., controls[int(np.argmax(brightness))]])


def mean_control(series: FloatArray, volume_types: Sequence[VolumeType]) -> FloatArray:
    """Average the controls once they are aligned.

    Parameters
    ----------
    series
        Motion-corrected, ``(x, y, z, volume)``; NaN where the head left the field of view.
    volume_types
        What each volume shows.

    Returns
    -------
    ``(x, y, z)``; 0 where no control was measured.
    """
    return mean_of_present(series[..., np.array(volume_types) == VolumeType.CONTROL])
