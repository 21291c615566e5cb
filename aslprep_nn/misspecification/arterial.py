"""Is there label in arteries? The shapes of its signal, over every time at which it may arrive."""

from __future__ import annotations

import torch
from torch import Tensor

from aslprep_nn.acquisition import LabelingType
from aslprep_nn.estimation.macrovascular import arterial_passages
from aslprep_nn.signal.model import SignalModel

#: Passages tried at most: neighbours differ in a measurement or two, and each has its price.
MOST_PASSAGES = 8
#: A passage that keeps less than this part of its energy is not told from CBF and ATT.
LEAST_ENERGY = 1e-6


def arterial_shapes(model: SignalModel) -> Tensor | None:
    """List the signals of arterial blood for arrivals spread over the possible range.

    Returns
    -------
    ``(timing, passage)``; None where no measurement can see label in an artery.
    """
    if any(protocol.labeling is LabelingType.VSASL for protocol in model.protocols):
        return None
    passages = arterial_passages(model)
    if not passages:
        return None
    step = -(-len(passages) // MOST_PASSAGES)
    return torch.cat([passage.signal for passage in passages[::step]], -1)
