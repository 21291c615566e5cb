"""The measurements of many voxels with everything that says how they were made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.arguments import require_arguments
from aslprep_nn.estimation.repetitions import Repetitions, Summary
from aslprep_nn.estimation.voxel_groups import voxel_groups
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.response import Kinetics

#: Any range does: the estimators that take measurements bring their own.
_ANY_RANGE = (0.0, 1.0)
#: Voxels worked on at once: what a processor's cache holds, and what keeps an accelerator busy.
CPU_CHUNK, ACCELERATOR_CHUNK = 2**12, 2**17


class Chunk(NamedTuple):
    """Some voxels read out at the same delay.

    Parameters
    ----------
    voxels
        Which they are.
    slice_delay
        Their slice delay, a scalar [s], or None.
    t1_tissue
        Their tissue T1, ``(voxel,)`` [s], or None.
    summary
        Their measurements.
    """

    voxels: Tensor | slice
    slice_delay: Tensor | None
    t1_tissue: Tensor | None
    summary: Summary


@dataclass(frozen=True)
class Measurements:
    """What was measured in some voxels, by which protocols.

    Parameters
    ----------
    relative_delta_m
        delta M / M0 of tissue, ``(voxel, measurement)``; NaN marks a missing measurement.
    acquisitions
        The protocols, whose measurements follow one another.
    slice_delay
        Time after the first slice at which each voxel was read out, ``(voxel,)`` [s].
    t1_tissue
        Tissue T1 of each voxel, ``(voxel,)`` [s]; the acquisition's constant when absent.
    weights
        Relative precision of the measurements, ``(measurement,)`` or ``(voxel, measurement)``.
    kinetics
        The kinetic model of each acquisition; those their labelling calls for when absent.

    Raises
    ------
    UsageError
        If the parts do not fit together.
    """

    relative_delta_m: Tensor
    acquisitions: tuple[Acquisition, ...]
    slice_delay: Tensor | None = None
    t1_tissue: Tensor | None = None
    weights: Tensor | None = None
    kinetics: Sequence[Kinetics] | None = None

    def __post_init__(self) -> None:
        require_arguments(
            self.relative_delta_m,
            n_measurements=sum(a.n_measurements for a in self.acquisitions),
            slice_delay=self.slice_delay,
            t1_tissue=self.t1_tissue,
            weights=self.weights,
            att_range=_ANY_RANGE,
        )

    @property
    def n_voxels(self) -> int:
        """Number of voxels."""
        return self.relative_delta_m.shape[0]

    def chunks(self) -> Iterator[Chunk]:
        """Yield the voxels of each slice delay, as many at a time as the device likes.

        Their repetitions are collapsed; the protocols of what is left are those of `model`.
        """
        repetitions = Repetitions.of(self.acquisitions)
        size = CPU_CHUNK if self.relative_delta_m.device.type == 'cpu' else ACCELERATOR_CHUNK
        by_voxel = self.weights is not None and self.weights.ndim == 2
        for group in voxel_groups(self.n_voxels, self.slice_delay, None):
            for voxels in group.chunks(size):
                weights = self.weights[voxels] if by_voxel and self.weights is not None else None
                yield Chunk(
                    voxels,
                    group.slice_delay,
                    None if self.t1_tissue is None else self.t1_tissue[voxels],
                    repetitions.summarize(
                        self.relative_delta_m[voxels], weights if by_voxel else self.weights
                    ),
                )

    def model(
        self,
        slice_delay: Tensor | None,
        t1_tissue: Tensor | None,
        dtype: torch.dtype = torch.float64,
    ) -> SignalModel:
        """Build the signal model of the distinct timings at a delay and a tissue T1.

        Parameters
        ----------
        slice_delay, t1_tissue
            Scalars or ``(voxel,)`` [s]; None for none, and for the acquisition's.
        dtype
            Of the arithmetic.
        """
        return SignalModel.of(
            Repetitions.of(self.acquisitions).acquisitions,
            self.kinetics,
            slice_delay=slice_delay,
            t1_tissue=t1_tissue,
            dtype=dtype,
            device=self.relative_delta_m.device,
        )
