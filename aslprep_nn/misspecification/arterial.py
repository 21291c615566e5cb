"""Is there label in arteries? The score test over every time at which it may arrive."""

from __future__ import annotations

import torch
from torch import Tensor

from aslprep_nn.acquisition import LabelingType
from aslprep_nn.estimation.macrovascular import arterial_passages
from aslprep_nn.misspecification.model_tests import student_t
from aslprep_nn.misspecification.tangent import COLLINEAR, Tangent
from aslprep_nn.misspecification.vectors import RepetitionVectors
from aslprep_nn.signal.model import SignalModel

#: Passages tried at most: neighbours differ in a measurement or two, and each has its price.
MOST_PASSAGES = 8


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


def arterial_scores(
    vectors: RepetitionVectors, tangent: Tangent, shapes: Tensor, signal: Tensor
) -> Tensor:
    """Compute the score t of each passage; see `score_t`.

    The shapes are the same in every voxel, so what CBF and ATT explain of them is taken off the
    projections instead of off the shapes.

    Parameters
    ----------
    vectors, tangent, signal
        As for `score_t`.
    shapes
        ``(timing, passage)``.

    Returns
    -------
    ``(passage, voxel)``.
    """
    explained = (shapes.mT @ tangent.basis).permute(2, 0, 1)
    within = vectors.along(tangent.basis, signal)
    deviation = vectors.values @ shapes - (signal.mT @ shapes).unsqueeze(1)
    deviation = deviation - torch.bmm(within, explained)
    energy = shapes.square().sum(0)
    rest = energy - explained.square().sum(1)
    told_apart = rest > COLLINEAR * energy
    return torch.where(told_apart, student_t(vectors, deviation), torch.nan).mT
