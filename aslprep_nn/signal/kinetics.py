"""The general kinetic model: what perfusion does to the difference signal, and its derivatives."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from aslprep_nn.acquisition import BolusCutOff, LabelingType
from aslprep_nn.signal.continuous import ContinuousKinetics
from aslprep_nn.signal.protocol import Protocol
from aslprep_nn.signal.pulsed import (
    PulsedBolusKinetics,
    QuipssKinetics,
    VelocitySelectiveKinetics,
)
from aslprep_nn.signal.response import ML_PER_100G_MIN_PER_ML_G_S, Kinetics


class Linearization(NamedTuple):
    """The difference signal and its first derivatives, ``(..., measurement)``.

    ``d_cbf`` per mL/100 g/min, ``d_att`` per s, ``d_rate`` per unit of the decay rate in
    tissue [s]: multiplied by `Kinetics.rate_per_t1` it is the derivative in tissue T1.
    """

    delta_m: Tensor
    d_cbf: Tensor
    d_att: Tensor
    d_rate: Tensor


class Hessian(NamedTuple):
    """The second derivatives of the difference signal in CBF and ATT, ``(..., measurement)``."""

    d_cbf_cbf: Tensor
    d_cbf_att: Tensor
    d_att_att: Tensor


def kinetics_of(labeling: LabelingType, bolus_cut_off: BolusCutOff | None = None) -> Kinetics:
    """Choose the kinetic model that describes a way of labelling."""
    if labeling.is_continuous:
        return ContinuousKinetics()
    if labeling is LabelingType.VSASL:
        return VelocitySelectiveKinetics()
    if bolus_cut_off is BolusCutOff.QUIPSS:
        return QuipssKinetics()
    return PulsedBolusKinetics()


def delta_m(
    cbf: Tensor, att: Tensor, protocol: Protocol, kinetics: Kinetics | None = None
) -> Tensor:
    """Predict the difference signal as a fraction of tissue M0.

    Parameters
    ----------
    cbf
        Cerebral blood flow, ``(...)`` [mL/100 g/min].
    att
        Arterial transit time, ``(...)`` [s].
    protocol
        Timing and constants.
    kinetics
        The kinetic model; the one its labelling calls for when absent.

    Returns
    -------
    delta M / M0, ``(..., measurement)`` [1].
    """
    kinetics = kinetics or kinetics_of(protocol.labeling, protocol.bolus_cut_off)
    cbf, att = cbf.unsqueeze(-1), att.unsqueeze(-1)
    response = kinetics.response(att, kinetics.rate(cbf, protocol), protocol)
    return signal_per_cbf(protocol) * cbf * response.value


def pcasl_delta_m(cbf: Tensor, att: Tensor, protocol: Protocol) -> Tensor:
    """Predict the (P)CASL difference signal as a fraction of tissue M0; see `delta_m`."""
    return delta_m(cbf, att, protocol, ContinuousKinetics())


def linearize(
    cbf: Tensor, att: Tensor, protocol: Protocol, kinetics: Kinetics | None = None
) -> Linearization:
    """Predict the difference signal and its first derivatives.

    Parameters are those of `delta_m`. At a kink the derivative in ATT is the one of its later
    side.
    """
    kinetics = kinetics or kinetics_of(protocol.labeling, protocol.bolus_cut_off)
    return linearize_along(cbf.unsqueeze(-1), att.unsqueeze(-1), protocol, kinetics)


def linearize_along(
    cbf: Tensor,
    att: Tensor,
    protocol: Protocol,
    kinetics: Kinetics,
    regime: Tensor | None = None,
) -> Linearization:
    """Do what `linearize` does on arguments that broadcast as they come.

    ``regime`` is explained in `Kinetics.response`.
    """
    scale = signal_per_cbf(protocol)
    response = kinetics.response(att, kinetics.rate(cbf, protocol), protocol, regime)
    signal = scale * cbf
    through_rate = signal * response.d_rate
    unit = scale * response.value
    return Linearization(
        delta_m=cbf * unit,
        d_cbf=unit + through_rate * kinetics.rate_per_cbf(protocol),
        d_att=signal * response.d_att,
        d_rate=through_rate,
    )


def hessian(
    cbf: Tensor, att: Tensor, protocol: Protocol, kinetics: Kinetics | None = None
) -> Hessian:
    """Compute the second derivatives of the difference signal in CBF and ATT.

    Parameters are those of `delta_m`. They do not exist at a kink; there the later side's are
    given.
    """
    kinetics = kinetics or kinetics_of(protocol.labeling, protocol.bolus_cut_off)
    cbf, att = cbf.unsqueeze(-1), att.unsqueeze(-1)
    rate, slope = kinetics.rate(cbf, protocol), kinetics.rate_per_cbf(protocol)
    response = kinetics.response(att, rate, protocol)
    bend = kinetics.curvature(att, rate, protocol)
    scale = signal_per_cbf(protocol)
    return Hessian(
        d_cbf_cbf=scale * slope * (2 * response.d_rate + cbf * slope * bend.d_rate_rate),
        d_cbf_att=scale * (response.d_att + cbf * slope * bend.d_att_rate),
        d_att_att=scale * cbf * bend.d_att_att,
    )


def signal_per_cbf(protocol: Protocol) -> Tensor:
    """Compute 2 alpha / (6000 lambda): what turns CBF times the unit response into signal."""
    per_flow = ML_PER_100G_MIN_PER_ML_G_S * protocol.partition_coefficient
    return 2 * protocol.labeling_efficiency / per_flow
