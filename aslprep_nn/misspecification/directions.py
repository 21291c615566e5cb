"""How the signal would change if one assumption of the model were wrong."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

import torch
from torch import Tensor

from aslprep_nn.acquisition import LabelingType
from aslprep_nn.signal.arterial import arterial_response
from aslprep_nn.signal.kinetics import Linearization
from aslprep_nn.signal.model import SignalModel

#: Relative change of the labelling duration over which the signal is differentiated.
DURATION_CHANGE = 1e-3
#: How far arrivals within a voxel lie from their mean, on either side [s].
ARRIVAL_SPREAD = 0.2
#: How long before the tissue label reaches the artery that feeds it [s]: the prior mean of
#: oxford_asl (Chappell et al. 2009).
ARTERY_TO_TISSUE = 0.3


class Assumption(StrEnum):
    """What the model takes for granted and the data can contradict."""

    #: The rate at which label is lost in tissue: its T1, and that no label leaves it.
    TISSUE_DECAY = 'tissue decay'
    LABELING_DURATION = 'labelling duration'
    #: That all label of a voxel arrives after the same time.
    SHARP_ARRIVAL = 'arrival dispersion'
    #: That no label is seen in arteries.
    NO_ARTERIAL_BLOOD = 'arterial blood'


def assumption_directions(
    model: SignalModel, cbf: Tensor, att: Tensor, here: Linearization
) -> Tensor:
    """Predict how the signal moves when each `Assumption` is slightly wrong.

    Only the shape counts, not the size. The directions are a finite labelling duration error of
    all measurements alike, the rate of decay in tissue (tissue T1 and outflow both act through
    it), the second difference of the signal in ATT, which is what a mixture of early and late
    arrivals adds to the signal, and a bolus in an artery.

    Parameters
    ----------
    model
        Of the distinct timings.
    cbf, att
        The fit, ``(voxel,)`` [mL/100 g/min, s].
    here
        The model linearised there.

    Returns
    -------
    ``(assumption, timing, voxel)`` in the order of `Assumption`.
    """
    longer, shorter = (
        _with_duration(model, 1 + sign * DURATION_CHANGE).linearize(cbf, att).delta_m
        for sign in (1, -1)
    )
    later = model.linearize(cbf, att + ARRIVAL_SPREAD).delta_m
    earlier = model.linearize(cbf, (att - ARRIVAL_SPREAD).clamp(min=0)).delta_m
    arterial = _arterial(model, att - ARTERY_TO_TISSUE).expand_as(here.delta_m)
    return torch.stack(
        [here.d_rate, longer - shorter, later + earlier - 2 * here.delta_m, arterial]
    )


def _with_duration(model: SignalModel, factor: float) -> SignalModel:
    protocols = tuple(
        replace(protocol, labeling_duration=protocol.labeling_duration * factor)
        for protocol in model.protocols
    )
    return replace(model, protocols=protocols)


def _arterial(model: SignalModel, arrival: Tensor) -> Tensor:
    """Compute the signal of arterial blood; VSASL makes its label downstream of arteries."""
    return torch.cat(
        [
            torch.zeros_like(protocol.pld + arrival)
            if protocol.labeling is LabelingType.VSASL
            else arterial_response(arrival, protocol)
            for protocol in model.protocols
        ]
    )
