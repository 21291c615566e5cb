"""What was fitted beside CBF and ATT: tissue T1, or blood in arteries."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.macrovascular import arterial_passages
from aslprep_nn.estimation.repetitions import Summary
from aslprep_nn.signal.kinetics import Linearization
from aslprep_nn.signal.model import SignalModel


class Third(Enum):
    """Which parameter it is; the value is its name in `Fit.parameters`."""

    NONE = ''
    TISSUE_T1 = 't1_tissue'
    ARTERIAL_BLOOD_VOLUME = 'arterial_blood_volume'


class Extension(NamedTuple):
    """What the third parameter adds, ``(timing, voxel)`` each.

    ``direction`` is how the signal changes with it and ``signal`` what it adds to that of CBF
    and ATT.
    """

    direction: Tensor
    signal: Tensor


def voxels_by_third(fit: Fit) -> dict[Third, Tensor]:
    """Find the voxels that have each third parameter, or none, ``(voxel,)``."""
    plain = torch.ones_like(fit.status, dtype=torch.bool)
    found = {}
    for third in (Third.TISSUE_T1, Third.ARTERIAL_BLOOD_VOLUME):
        if third.value in fit.parameters:
            found[third] = torch.isfinite(fit.parameters[third.value])
            plain = plain & ~found[third]
    return {Third.NONE: plain, **found}


def extend_by_t1(model: SignalModel, here: Linearization) -> Extension:
    """Let tissue T1 vary; the fitted one is already in the model."""
    return Extension(model.d_t1_tissue(here), torch.zeros_like(here.delta_m))


def extend_by_arterial_blood(
    model: SignalModel, here: Linearization, data: Summary, volume: Tensor
) -> Extension:
    """Let arterial blood vary, arriving when the fit found that it does.

    A fit keeps the volume but not the passage. It is the one that explains most of what tissue
    leaves of the measurements when it has this volume.

    Parameters
    ----------
    model
        Of the distinct timings, the same for all voxels.
    here
        The tissue's signal at the fit.
    data
        The measurements.
    volume
        As fitted, ``(voxel,)``.
    """
    signals = torch.cat([passage.signal for passage in arterial_passages(model)], -1).mT
    weighted = data.weight * (data.mean - here.delta_m)
    best = (signals @ weighted) / (signals.square() @ data.weight).clamp(min=1e-300)
    direction = signals[(best - volume).abs().argmin(0)].mT
    return Extension(direction, volume * direction)
