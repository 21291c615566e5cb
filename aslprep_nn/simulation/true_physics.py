"""The constants a subject really has, which no analysis knows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.signal.arterial import arterial_delta_m
from aslprep_nn.signal.dispersion import DispersedKinetics
from aslprep_nn.signal.kinetics import delta_m
from aslprep_nn.signal.protocol import Protocol
from aslprep_nn.simulation.dice import Dice, Interval, smooth_fields
from aslprep_nn.simulation.perfusion import PerfusionMaps

#: Relative to what is assumed: T1 of tissue and of blood, labelling efficiency.
T1_TISSUE, T1_BLOOD, EFFICIENCY = Interval(0.88, 1.12), Interval(0.9, 1.1), Interval(0.85, 1.1)
#: Error of M0, of the whole brain and of regions, as fractions (standard deviations).
M0_GLOBAL, M0_REGIONAL, M0_WAVELENGTH = 0.03, 0.03, Interval(30.0, 150.0)
#: How often the bolus is dispersed; rate [1/s] and mode [s] of its kernel.
DISPERSED, SHARPNESS, TIME_TO_PEAK = 0.3, Interval(8.0, 30.0), Interval(0.02, 0.2)
SHORTEST_TRANSIT = 0.02


@dataclass(frozen=True)
class TruePhysics:
    """What multiplies the constants of an analysis, ``(phantom, 1, 1, 1)`` each.

    Parameters
    ----------
    t1_tissue, t1_blood, labeling_efficiency
        True over assumed [1]; no efficiency exceeds 1.
    m0
        Measured over true M0 of tissue, ``(phantom, slice, x, y)`` or ``(phantom, 1, 1, 1)`` [1].
    dispersion
        How the bolus spreads, if it does; velocity-selective and pulsed labelling stay sharp.
    """

    t1_tissue: Tensor
    t1_blood: Tensor
    labeling_efficiency: Tensor
    m0: Tensor
    dispersion: DispersedKinetics | None = None

    @classmethod
    def as_assumed(cls, n_phantoms: int, device: torch.device) -> TruePhysics:
        """Let every constant be what the analysis takes it for."""
        one = torch.ones(n_phantoms, 1, 1, 1, device=device)
        return cls(one, one, one, one)

    @property
    def is_as_assumed(self) -> Tensor:
        """Say for which phantoms every constant is what the analysis takes it for."""
        factors = (self.t1_tissue, self.t1_blood, self.labeling_efficiency, self.m0)
        same = torch.stack([(factor == 1).flatten(1).all(1) for factor in factors]).all(0)
        return same & (self.dispersion is None)

    @property
    def mean_dispersion(self) -> float:
        """How much later than the first the mean of a dispersed bolus arrives [s]."""
        kernel = self.dispersion
        return 0.0 if kernel is None else 1 / kernel.sharpness + kernel.time_to_peak

    @property
    def least_att(self) -> float:
        """The shortest ATT: the first of the bolus cannot arrive before it is labelled [s]."""
        return self.mean_dispersion + SHORTEST_TRANSIT


def draw_physics(where: Tensor, dice: Dice) -> TruePhysics:
    """Draw what is true of subjects whose voxels lie at some places in the template.

    Parameters
    ----------
    where
        ``(phantom, slice, x, y, 3)`` [mm].
    dice
        Where the randomness comes from.
    """
    n_phantoms = len(where)
    t1_tissue, t1_blood, efficiency = (
        dice.uniform(interval, n_phantoms, 1, 1, 1)
        for interval in (T1_TISSUE, T1_BLOOD, EFFICIENCY)
    )
    regional = smooth_fields(where, 1, M0_WAVELENGTH, dice).squeeze(-1)
    m0 = 1 + M0_GLOBAL * dice.normal(n_phantoms, 1, 1, 1) + M0_REGIONAL * regional
    kernel = None
    if dice.happens(DISPERSED):
        kernel = DispersedKinetics(
            sharpness=dice.number(SHARPNESS), time_to_peak=dice.number(TIME_TO_PEAK)
        )
    return TruePhysics(t1_tissue, t1_blood, efficiency, m0.clamp(min=0.7), kernel)


def perfusion_signal(
    maps: PerfusionMaps,
    acquisitions: tuple[Acquisition, ...],
    slice_delay: Tensor,
    physics: TruePhysics,
) -> Tensor:
    """Predict delta M over the measured M0 inside the masks, without noise.

    A dispersed bolus has no one arrival time; ATT is then that of its mean.

    Parameters
    ----------
    maps
        What is true; where a bolus is dispersed, ATT at least `TruePhysics.least_att`.
    acquisitions
        The protocols and the constants an analysis assumes.
    slice_delay
        ``(phantom, slice)`` [s].
    physics
        How the truth differs from those constants.

    Returns
    -------
    ``(voxel, timing)`` [1].
    """
    inside = maps.mask

    def of_voxels(value: Tensor) -> Tensor:
        return value.expand(inside.shape)[inside]

    delay = of_voxels(slice_delay.reshape(*slice_delay.shape, 1, 1))
    factors = physics.t1_tissue, physics.t1_blood, physics.labeling_efficiency
    of_subject = [of_voxels(factor).unsqueeze(-1) for factor in factors]
    cbf, att = maps.cbf[inside], maps.att[inside]
    volume, arrival = maps.arterial_blood_volume[inside], maps.arterial_arrival[inside]
    parts = []
    for acquisition in acquisitions:
        protocol = _true_protocol(acquisition, delay, *of_subject)
        if physics.dispersion is not None and acquisition.labeling.is_continuous:
            start = att - physics.mean_dispersion
            parts.append(delta_m(cbf, start, protocol, physics.dispersion))
        else:
            parts.append(delta_m(cbf, att, protocol))
        if acquisition.labeling is not LabelingType.VSASL:
            parts[-1] = parts[-1] + arterial_delta_m(volume, arrival, protocol)
    return torch.cat(parts, -1) / of_voxels(physics.m0).unsqueeze(-1)


def _true_protocol(
    acquisition: Acquisition,
    slice_delay: Tensor,
    t1_tissue: Tensor,
    t1_blood: Tensor,
    labeling_efficiency: Tensor,
) -> Protocol:
    """Multiply what an analysis assumes by factors, ``(voxel, 1)``."""
    assumed = Protocol.of(
        acquisition, slice_delay=slice_delay, dtype=torch.float32, device=slice_delay.device
    )
    return replace(
        assumed,
        t1_tissue=assumed.t1_tissue * t1_tissue,
        t1_blood=assumed.t1_blood * t1_blood,
        labeling_efficiency=(assumed.labeling_efficiency * labeling_efficiency).clamp(max=1),
    )
