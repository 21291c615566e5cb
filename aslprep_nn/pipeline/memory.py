"""How much memory a run needs, and how much there is."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path, PurePosixPath

import nibabel as nib
import psutil

from aslprep_nn.bids.image import UNREADABLE

GIB = 2**30
#: What stays free for the system and for what is measured wrongly [1].
RESERVE = 0.1
#: Where control groups are seen, and which this process is in.
CGROUPS, OWN_CGROUPS = Path('/sys/fs/cgroup'), Path('/proc/self/cgroup')


def memory_here() -> int:
    """Return the memory that processes of this machine, container or job may use together [B]."""
    limits = [int(psutil.virtual_memory().total)]
    for path in _limits():
        with suppress(OSError, ValueError):  # no such file, or "max"
            limits.append(int(path.read_text(encoding='ascii')))
    return int(min(limits) * (1 - RESERVE))


def _limits() -> list[Path]:
    """List the files that bound this process: of its control group and of those around it.

    A container sees its own group at the top; a job of a queueing system finds its own below.
    Version 2 has one tree (``0::/path``), version 1 one for each resource.
    """
    found = [CGROUPS / 'memory.max', CGROUPS / 'memory' / 'memory.limit_in_bytes']
    with suppress(OSError):
        for line in OWN_CGROUPS.read_text(encoding='utf-8').splitlines():
            number, resources, place = line.split(':', 2)
            own = PurePosixPath(place.lstrip('/'))
            if number == '0':
                found += [CGROUPS / each / 'memory.max' for each in (own, *own.parents)]
            elif 'memory' in resources.split(','):
                tree = CGROUPS / 'memory'
                found += [tree / each / 'memory.limit_in_bytes' for each in (own, *own.parents)]
    return found


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
