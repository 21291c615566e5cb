"""Voxels that can be fitted with the same tables."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

#: Ratio of neighbouring tissue T1 for which tables are built.
T1_STEP = 1.15


@dataclass(frozen=True)
class VoxelGroup:
    """Voxels that share a slice delay and nearly share a tissue T1.

    Parameters
    ----------
    voxels
        Their indices in ascending order, ``(voxel,)``.
    slice_delay
        Their slice delay, a scalar [s]; None where there is none.
    t1_tissue
        A T1 near theirs, a scalar [s]; None where it is the acquisition's.
    """

    voxels: Tensor
    slice_delay: Tensor | None
    t1_tissue: Tensor | None

    def chunks(self, size: int) -> Iterator[Tensor | slice]:
        """Yield the voxels few at a time, as a slice where they follow one another.

        Chunks are as even as can be, of about ``size`` voxels and never more than half as many
        again: a small one at the end would cost nearly as much as a large one.
        """
        number = max(1, round(len(self.voxels) / size))
        for chunk in self.voxels.tensor_split(number) if len(self.voxels) else ():
            first, last = int(chunk[0]), int(chunk[-1])
            yield slice(first, last + 1) if last - first + 1 == len(chunk) else chunk


def voxel_groups(
    n_voxels: int, slice_delay: Tensor | None, t1_tissue: Tensor | None
) -> Iterator[VoxelGroup]:
    """Group voxels by slice delay and by tissue T1; parameters are those of `fit_cbf_att`."""
    if slice_delay is None and t1_tissue is None:
        yield VoxelGroup(torch.arange(n_voxels), None, None)
        return
    nothing = torch.zeros(n_voxels, dtype=torch.float64)
    delay = nothing if slice_delay is None else slice_delay.cpu().double()
    step = math.log(T1_STEP)
    t1_bin = nothing if t1_tissue is None else (t1_tissue.cpu().double().log() / step).round()
    delays, which_delay = torch.unique(delay, return_inverse=True)
    bins, which_bin = torch.unique(t1_bin, return_inverse=True)
    kinds, kind = torch.unique(which_delay * len(bins) + which_bin, return_inverse=True)
    order = kind.argsort(stable=True)
    sizes = kind.bincount().tolist()
    for number, voxels in zip(kinds.tolist(), torch.split_with_sizes(order, sizes), strict=True):
        yield VoxelGroup(
            voxels,
            None if slice_delay is None else delays[number // len(bins)],
            None if t1_tissue is None else (bins[number % len(bins)] * step).exp(),
        )
