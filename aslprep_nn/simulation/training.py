"""Training data drawn on the fly: phantoms of random subjects under random protocols."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.simulation.dice import Dice
from aslprep_nn.simulation.disturbances import (
    Disturbances,
    Scene,
    draw_disturbances,
    measure,
    noise_of_one,
)
from aslprep_nn.simulation.held_out import lesion_kinds
from aslprep_nn.simulation.kinds import Split, Structure
from aslprep_nn.simulation.lesions import add_lesions
from aslprep_nn.simulation.perfusion import (
    SHARES,
    PerfusionMaps,
    add_fine_structure,
    draw_perfusion,
)
from aslprep_nn.simulation.phantom import WATER
from aslprep_nn.simulation.planes import Stacks, draw_stacks
from aslprep_nn.simulation.random_protocols import DrawnProtocol, draw_protocol
from aslprep_nn.simulation.true_physics import TruePhysics, draw_physics, perfusion_signal

#: Independent measurements of the same phantom: what their errors share is bias.
N_DRAWS = 2


@dataclass(frozen=True)
class TrainingSettings:
    """What a batch is made of.

    Parameters
    ----------
    n_phantoms
        Stacks of slices in a batch; they share one protocol.
    shape
        Slices of a stack, and voxels along x and y.
    n_lesions
        At most so many in a phantom, each there with probability one half.
    known_physics
        Share of the batches in which the analysis knows every constant.
    voxelwise
        Share of the phantoms in which every voxel is drawn for itself.
    fine_structure
        Share of the brains in which flow and arrival change from voxel to voxel.
    split
        Whether slices, lesions and protocols are those of training or those held out.
    """

    n_phantoms: int = 8
    shape: tuple[int, int, int] = (3, 64, 64)
    n_lesions: int = 4
    known_physics: float = 0.5
    voxelwise: float = SHARES[Structure.VOXELWISE]
    fine_structure: float = 0.0
    split: Split = Split.TRAINING


@dataclass(frozen=True)
class TrainingBatch:
    """Phantoms measured twice under one protocol, and what is true of them.

    Parameters
    ----------
    relative_delta_m
        delta M / M0, mean over the repetitions of each timing,
        ``(draw, phantom, slice, x, y, timing)``; 0 outside the mask.
    noise
        Standard deviation of one repetition as an analysis would estimate it, ``(draw, phantom)``.
    thermal_noise
        What the scanner alone contributes to it, ``(phantom,)``.
    mask
        ``(phantom, slice, x, y)``.
    cbf, att, arterial_blood_volume
        The truth, ``(phantom, slice, x, y)`` [mL/100 g/min, s, 1].
    lesion
        Its kind, from 1 in the order of `LesionKind`, 0 where there is none; shaped alike.
    structure
        What made each phantom, a `Structure`, ``(phantom,)``.
    acquisitions
        The protocols, one entry per timing, with the constants an analysis assumes.
    repetitions
        Of each timing, ``(timing,)``: the weight of its mean.
    slice_delay
        ``(phantom, slice)`` [s].
    physics
        How the truth differs from the assumed constants. Not for the network.
    disturbances
        How well the phantoms were measured. Not for the network.
    """

    relative_delta_m: Tensor
    noise: Tensor
    thermal_noise: Tensor
    mask: Tensor
    cbf: Tensor
    att: Tensor
    arterial_blood_volume: Tensor
    lesion: Tensor
    structure: Tensor
    acquisitions: tuple[Acquisition, ...]
    repetitions: Tensor
    slice_delay: Tensor
    physics: TruePhysics
    disturbances: Disturbances


def training_batches(
    settings: TrainingSettings, generator: torch.Generator
) -> Iterator[TrainingBatch]:
    """Draw batches without end; the same seed and device give the same ones.

    Parameters
    ----------
    settings
        What they are made of.
    generator
        Where the randomness comes from; everything lies on its device.
    """
    while True:
        yield draw_batch(settings, generator)


def draw_batch(settings: TrainingSettings, generator: torch.Generator) -> TrainingBatch:
    """Draw one batch; parameters as in `training_batches`."""
    dice = Dice(generator)
    stacks = draw_stacks(settings.n_phantoms, settings.shape, dice, split=settings.split)
    kinds = lesion_kinds(settings.split)
    shares = {**SHARES, Structure.VOXELWISE: settings.voxelwise}
    healthy = draw_perfusion(stacks, dice, shares)
    if settings.fine_structure:
        healthy = add_fine_structure(healthy, dice, settings.fine_structure)
    maps = add_lesions(healthy, kinds, dice, n_lesions=settings.n_lesions)
    protocol = draw_protocol(settings.n_phantoms, settings.shape[0], dice, split=settings.split)
    if dice.happens(settings.known_physics):
        physics = TruePhysics.as_assumed(settings.n_phantoms, dice.device)
    else:
        physics = draw_physics(stacks.where, dice)
    disturbances = draw_disturbances(settings.n_phantoms, len(protocol.repetitions), dice)
    return measure_batch(
        stacks, maps, protocol=protocol, physics=physics, disturbances=disturbances, dice=dice
    )


def measure_batch(
    stacks: Stacks,
    maps: PerfusionMaps,
    *,
    protocol: DrawnProtocol,
    physics: TruePhysics,
    disturbances: Disturbances,
    dice: Dice,
) -> TrainingBatch:
    """Measure given phantoms, each draw with noise of its own."""
    maps = replace(maps, att=maps.att.clamp(min=physics.least_att))
    signal = perfusion_signal(maps, protocol.acquisitions, protocol.slice_delay, physics)
    scene = Scene(signal, stacks.gray_matter, _water(stacks), maps.mask)
    repetitions = torch.tensor(protocol.repetitions, device=dice.device)
    measured = [measure(scene, disturbances, repetitions, dice) for _ in range(N_DRAWS)]
    images = signal.new_zeros(N_DRAWS, *maps.mask.shape, signal.shape[-1])
    images[:, maps.mask] = torch.stack([one.mean for one in measured])
    return TrainingBatch(
        relative_delta_m=images,
        noise=torch.stack([one.noise for one in measured]),
        thermal_noise=noise_of_one(scene, disturbances, repetitions),
        mask=maps.mask,
        cbf=maps.cbf,
        att=maps.att,
        arterial_blood_volume=maps.arterial_blood_volume,
        lesion=maps.lesion,
        structure=maps.structure,
        acquisitions=protocol.acquisitions,
        repetitions=repetitions,
        slice_delay=protocol.slice_delay,
        physics=physics,
        disturbances=disturbances,
    )


def _water(stacks: Stacks) -> Tensor:
    """Weigh how bright static tissue is, relative to grey matter."""
    gray, white, csf, _ = WATER
    bright = gray * stacks.gray_matter + white * stacks.white_matter + csf * stacks.csf
    return bright / gray
