"""How much memory a run needs, and how much there is."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path

import nibabel as nib
import psutil

from aslprep_nn.bids.image import UNREADABLE

GIB = 2**30
#: What stays free for the system and for what is measured wrongly [1].
RESERVE = 0.1
#: Where control groups say what a container or job may use (cgroups 2 and 1).
CGROUP_LIMITS = (
    '/sys/fs/cgroup/memory.max',
    '/sys/fs/cgroup/memory/memory.limit_in_bytes',
)


def memory_here() -> int:
    """Return the memory that processes of this machine, container or job may use together [B]."""
    limits = [int(psutil.virtual_memory().total)]
    for path in CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # no such file, or "max"
            limits.append(int(Path(path).read_text(encoding='ascii')))
    return int(min(limits) * (1 - RESERVE))


class MemoryNeeds:
    """What runs need: as measured on the runs that are done, as predicted before.

    The prediction is a line through what was measured (docs/cohorts.md): what the libraries
    take, and so much for each voxel of the grid and each value of the series. A run of a grid
    that was seen before needs what the neediest of that grid took, and a tenth more.
    """

    #: [B], [B / voxel], [B / value of the series].
    LIBRARIES, PER_VOXEL, PER_VALUE = 600 << 20, 2400.0, 24.0

    def __init__(self) -> None:
        self._measured: dict[tuple[int, ...], int] = {}

    def of(self, shape: tuple[int, ...]) -> int:
        """Return what a run takes [B].

        Parameters
        ----------
        shape
            Of its series; () where that could not be read.
        """
        if shape in self._measured:
            return int(self._measured[shape] * 1.1)
        n_voxels = math.prod(shape[:3]) if shape else 0
        n_values = math.prod(shape) if shape else 0
        return self.LIBRARIES + int(self.PER_VOXEL * n_voxels + self.PER_VALUE * n_values)

    def learn(self, shape: tuple[int, ...], measured: int) -> None:
        """Remember what a run took.

        Parameters
        ----------
        shape
            Of its series.
        measured
            The most that its process held [B].
        """
        self._measured[shape] = max(measured, self._measured.get(shape, 0))


def shape_of(series: Path) -> tuple[int, ...]:
    """Return the shape of an image, () where it cannot be read: whoever processes it says so."""
    try:
        return tuple(int(n) for n in nib.load(series).shape)
    except UNREADABLE:
        return ()
