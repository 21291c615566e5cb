"""What estimation hands on: maps that know their unit, and the status of every voxel."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]


class FitStatus(IntEnum):
    """How far a voxel's estimate can be used; the labels of ``_desc-fitstatus_dseg``."""

    OUTSIDE = 0
    CONVERGED = 1
    AT_BOUND = 2
    ATT_NOT_IDENTIFIABLE = 3
    FAILED = 4
    ON_KINK = 5


@dataclass(frozen=True)
class ParameterMap:
    """A quantity over the image.

    Parameters
    ----------
    values
        The map, ``(x, y, z)``, NaN where there is no estimate.
    unit
        Its unit as BIDS writes it, '1' for a ratio.
    description
        One sentence for people.
    """

    values: FloatArray
    unit: str
    description: str
