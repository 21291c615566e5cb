"""The general kinetic model: what perfusion does to the difference signal."""

from __future__ import annotations

import torch
from torch import Tensor

from aslprep_nn.signal.protocol import Protocol

ML_PER_100G_MIN_PER_ML_G_S = 6000.0


def pcasl_delta_m(cbf: Tensor, att: Tensor, protocol: Protocol) -> Tensor:
    """Predict the (P)CASL difference signal as a fraction of tissue M0.

    The bolus enters the voxel at ``att`` and lasts one labelling duration. Clamping the age of
    its first and last spins at zero joins the three cases of Buxton et al. (1998, eq. 3 with
    the continuous bolus) into one expression, continuous in ``att``.

    Parameters
    ----------
    cbf
        Cerebral blood flow, ``(...)`` [mL/100 g/min].
    att
        Arterial transit time, ``(...)`` [s].
    protocol
        Timing and constants.

    Returns
    -------
    delta M / M0, ``(..., measurement)`` [1].
    """
    cbf, att = cbf.unsqueeze(-1), att.unsqueeze(-1)
    flow = cbf / ML_PER_100G_MIN_PER_ML_G_S
    rate = 1 / protocol.t1_tissue + flow / protocol.partition_coefficient
    newest_spin_age = (protocol.pld - att).clamp(min=0)
    oldest_spin_age = (protocol.pld + protocol.labeling_duration - att).clamp(min=0)
    residue = (torch.exp(-rate * newest_spin_age) - torch.exp(-rate * oldest_spin_age)) / rate
    label = 2 * protocol.labeling_efficiency * torch.exp(-att / protocol.t1_blood)
    return label * flow / protocol.partition_coefficient * residue
