"""How the signal would change if one assumption of the model were wrong."""

from __future__ import annotations

from enum import StrEnum

from torch import Tensor

from aslprep_nn.signal.kinetics import Linearization
from aslprep_nn.signal.model import SignalModel

#: How far arrivals within a voxel lie from their mean, on either side [s].
ARRIVAL_SPREAD = 0.2


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
) -> tuple[Tensor, Tensor, Tensor]:
    """Predict how the signal moves when each `Assumption` is slightly wrong.

    Only the shape counts, not the size. Arterial blood has its own module: its arrival is
    unknown, so that it has many shapes. The rate of decay in tissue stands for tissue T1 and for
    outflow, which both act through it; the labelling duration changes in all measurements
    alike; and a mixture of earlier and later arrivals adds the second difference of the signal
    in ATT.

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
    Tissue decay, labelling duration and arrival dispersion, ``(timing, voxel)`` each.
    """
    longer, either_side = model.alternatives(cbf, att, ARRIVAL_SPREAD)
    return here.d_rate, longer, either_side.sub_(here.delta_m, alpha=2)
