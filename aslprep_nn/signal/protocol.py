"""An acquisition as tensors, ready for arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition, BolusCutOff, LabelingType


@dataclass(frozen=True)
class Protocol:
    """The timing and constants a kinetic model computes with.

    Parameters
    ----------
    labeling
        How blood was labelled.
    pld, labeling_duration
        ``(..., measurement)`` [s]; the delay includes the slice's own.
    labeling_efficiency, t1_blood, t1_tissue
        Scalars, or ``(..., 1)`` where they vary between voxels [1, s, s].
    partition_coefficient
        Lambda [mL/g].
    bolus_cut_off
        The technique that ended a PASL bolus, if any did.
    """

    labeling: LabelingType
    pld: Tensor
    labeling_duration: Tensor
    labeling_efficiency: Tensor
    t1_blood: Tensor
    t1_tissue: Tensor
    partition_coefficient: Tensor
    bolus_cut_off: BolusCutOff | None = None

    @classmethod
    def of(
        cls,
        acquisition: Acquisition,
        *,
        slice_delay: Tensor | None = None,
        t1_tissue: Tensor | None = None,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = 'cpu',
    ) -> Protocol:
        """Turn an acquisition into tensors.

        Parameters
        ----------
        acquisition
            The protocol.
        slice_delay
            Time after the first slice at which each voxel was read out, ``(...)`` [s].
        t1_tissue
            Tissue T1 of each voxel, ``(...)`` [s]; the acquisition's constant when absent.
        dtype, device
            Of every tensor made here.
        """

        def tensor(value: float | tuple[float, ...]) -> Tensor:
            return torch.tensor(value, dtype=dtype, device=device)

        pld = tensor(acquisition.pld)
        if slice_delay is not None:
            pld = pld + slice_delay.to(pld).unsqueeze(-1)
        return cls(
            labeling=acquisition.labeling,
            pld=pld,
            labeling_duration=tensor(acquisition.labeling_duration),
            labeling_efficiency=tensor(acquisition.labeling_efficiency),
            t1_blood=tensor(acquisition.t1_blood),
            t1_tissue=(
                tensor(acquisition.t1_tissue)
                if t1_tissue is None
                else t1_tissue.to(pld).unsqueeze(-1)
            ),
            partition_coefficient=tensor(acquisition.partition_coefficient),
            bolus_cut_off=acquisition.bolus_cut_off,
        )

    def measurements_first(self) -> Protocol:
        """Move the measurement axis to the front, where arithmetic over voxels is contiguous.

        Per-voxel tensors ``(voxel, measurement)`` become ``(measurement, voxel)`` and shared
        ones ``(measurement, 1)``, so that they meet parameters of shape ``(voxel,)``.
        """
        return self._map(_first)

    def at(self, voxels: Tensor | slice) -> Protocol:
        """Keep some voxels of a protocol with its measurements first."""
        return self._map(lambda value: _select(value, voxels))

    def to(self, dtype: torch.dtype, device: torch.device | str | None = None) -> Protocol:
        """Convert every tensor."""
        return self._map(lambda value: value.to(dtype=dtype, device=device))

    def _map(self, change: Callable[[Tensor], Tensor]) -> Protocol:
        changed: dict[str, Any] = {
            field.name: change(value)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        return replace(self, **changed)


def _first(value: Tensor) -> Tensor:
    if value.ndim == 0:
        return value
    if value.ndim == 1:
        return value.unsqueeze(-1)
    return value.movedim(-1, 0)


def _select(value: Tensor, voxels: Tensor | slice) -> Tensor:
    return value if value.ndim == 0 or value.shape[-1] == 1 else value[..., voxels]
