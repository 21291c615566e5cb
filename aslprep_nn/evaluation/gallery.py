"""The maps of one brain by every estimator, to be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from aslprep_nn.evaluation.conditions import Condition, measured
from aslprep_nn.evaluation.estimators import Family, estimate_all
from aslprep_nn.evaluation.phantoms import MIDDLE, Phantoms
from aslprep_nn.evaluation.scores import Parameter, Region, Results, Truth
from aslprep_nn.network.model import AmplitudeAwareNetwork

#: What is shown, beside the truth.
SHOWN = (
    Family.LEAST_SQUARES,
    Family.SMOOTHED,
    Family.HYBRID,
    Family.LEAST_ERROR,
    Family.LEAST_BIAS,
)


@dataclass(frozen=True)
class Gallery:
    """Maps of the middle slice of one brain.

    Parameters
    ----------
    truth
        CBF and ATT, ``(parameter, x, y)`` [mL/100 g/min, s].
    maps
        By estimator, shaped alike, the first draw of the noise.
    mask
        ``(x, y)``.
    snr
        Of the measurement.
    """

    truth: Tensor
    maps: Mapping[Family, Tensor]
    mask: Tensor
    snr: float


def make_gallery(
    phantom: Phantoms,
    condition: Condition,
    network: AmplitudeAwareNetwork | None,
    tuned: Results,
    seed: int,
) -> Gallery:
    """Map one brain by the estimators that are shown.

    Parameters
    ----------
    phantom
        One.
    condition, network, seed
        How it is measured.
    tuned
        Results that say which setting of a baseline is best for each parameter.
    """
    batch = next(measured(phantom, condition, seed))
    found = estimate_all(batch, network)
    keys = {
        family: [tuned.best_setting(family, parameter, Region.BRAIN) for parameter in Parameter]
        for family in SHOWN
        if family in tuned.families
    }
    maps = {
        family: torch.stack([found[key].values[i, 0, 0] for i, key in enumerate(pair)])
        for family, pair in keys.items()
    }
    truth = Truth.of(phantom, batch)
    return Gallery(truth.values[:, 0], maps, batch.mask[0, MIDDLE], condition.snr)
