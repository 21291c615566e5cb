"""Flow and arrival in stacks of slices: healthy brains, and phantoms that have no anatomy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from aslprep_nn.simulation.dice import Dice, Interval, smooth_fields
from aslprep_nn.simulation.kinds import Structure
from aslprep_nn.simulation.phantom import TERRITORIES, TERRITORY_WIDTH
from aslprep_nn.simulation.planes import Stacks

GRAY_CBF, WHITE_CBF = Interval(35.0, 90.0), Interval(10.0, 32.0)
#: Standard deviation of CBF within a tissue, as a fraction, and the size of its texture [mm].
REGIONAL, REGION = Interval(0.05, 0.25), Interval(15.0, 90.0)
#: What no neighbour shares: standard deviation between voxels, as a fraction.
GRAIN = Interval(0.0, 0.08)
#: How much later than the template's arteries a subject's blood arrives [s], and each artery's.
SUBJECT_DELAY, ARTERY_DELAY = Interval(-0.35, 0.9), 0.15
#: Share of subjects in whom one artery is narrowed, and how late its blood is [s].
NARROWED, NARROWING_DELAY = 0.25, Interval(0.2, 1.2)
ARTERY_SHIFT, TERRITORY_SCALE = 8.0, Interval(0.8, 1.4)
#: Added in border zones and in white matter [s].
WATERSHED_DELAY, WHITE_DELAY = Interval(0.0, 0.7), Interval(0.0, 0.6)
ATT_TEXTURE = Interval(0.01, 0.12)
#: Flow lost where the territories meet, as a fraction.
WATERSHED_LOSS = Interval(0.0, 0.3)
ATT_LIMITS = Interval(0.1, 2.9)
ARTERIAL_LEVEL, ARTERIAL_SHARE = Interval(0.0, 0.025), 0.5
#: Arterial blood is where a field is above this many standard deviations.
ARTERIAL_THRESHOLD, ARTERIAL_WAVELENGTH = 1.2, Interval(12.0, 40.0)
ARTERIAL_LEAD = Interval(0.15, 0.6)
#: What real brains have beside it, from voxel to voxel, in flow (standard deviation, as a fraction)
#: and in arrival [s]; the size of what neighbours share of it [mm], and how much that is.
FINE_FLOW, FINE_ARRIVAL = Interval(0.0, 0.45), Interval(0.0, 0.3)
FINE_WAVELENGTH, FINE_SHARED = Interval(6.0, 16.0), Interval(0.0, 0.7)
ANY_CBF, ANY_ATT = Interval(0.0, 120.0), Interval(0.2, 2.6)


#: Share of the phantoms without anatomy.
SHARES = {Structure.VOXELWISE: 0.08, Structure.UNIFORM: 0.04}


@dataclass(frozen=True)
class PerfusionMaps:
    """What is true of some phantoms, each ``(phantom, slice, x, y)``.

    Parameters
    ----------
    cbf
        Cerebral blood flow [mL/100 g/min].
    att
        Arterial transit time [s].
    arterial_blood_volume
        Fraction of the voxel that is arterial blood [1].
    arterial_arrival
        When label reaches the artery [s].
    mask
        Where the phantom is.
    lesion
        The kind of lesion, 0 where there is none.
    where
        Places in the template, ``(phantom, slice, x, y, 3)`` [mm].
    voxel_size
        Edges along x, y and across slices, ``(phantom, 3)`` [mm].
    structure
        What made each phantom, a `Structure`, ``(phantom,)``.
    """

    cbf: Tensor
    att: Tensor
    arterial_blood_volume: Tensor
    arterial_arrival: Tensor
    mask: Tensor
    lesion: Tensor
    where: Tensor
    voxel_size: Tensor
    structure: Tensor


def draw_perfusion(
    stacks: Stacks, dice: Dice, shares: Mapping[Structure, float] | None = None
) -> PerfusionMaps:
    """Draw flow and arrival for each stack: a brain, but for some shares without any anatomy."""
    border, att = _draw_att(stacks, dice)
    volume, arrival = _draw_arterial(stacks, att, dice)
    brain = PerfusionMaps(
        cbf=_draw_cbf(stacks, border, dice),
        att=att,
        arterial_blood_volume=volume,
        arterial_arrival=arrival,
        mask=stacks.mask,
        lesion=torch.zeros_like(stacks.mask, dtype=torch.int64),
        where=stacks.where,
        voxel_size=stacks.voxel_size,
        structure=_draw_structure(len(stacks), shares or SHARES, dice),
    )
    return _without_anatomy(brain, dice)


def add_fine_structure(maps: PerfusionMaps, dice: Dice, share: float) -> PerfusionMaps:
    """Let flow and arrival change from voxel to voxel, in a share of the brains.

    In vivo half of the repetitions reproduce what the other half shows of single voxels, much of
    which no neighbour shares (`aslprep_nn-tools evaluate --in-vivo`): vessels, folds of the
    cortex, what divides M0. A network that never saw it would smooth it away.
    """
    n_phantoms = len(maps.cbf)
    grainy = dice.chance(share, n_phantoms) & (maps.structure == Structure.BRAIN)
    flow, arrival, shared = (
        dice.uniform(interval, n_phantoms) for interval in (FINE_FLOW, FINE_ARRIVAL, FINE_SHARED)
    )
    return roughened(maps, dice, flow=grainy * flow, arrival=grainy * arrival, shared=shared)


def roughened(
    maps: PerfusionMaps, dice: Dice, *, flow: Tensor, arrival: Tensor, shared: Tensor
) -> PerfusionMaps:
    """Change flow and arrival of every voxel at random.

    Parameters
    ----------
    maps
        The phantoms.
    dice
        Where the randomness comes from.
    flow, arrival
        Standard deviation of the change, as a fraction and [s], ``(phantom,)``.
    shared
        How much of its variance neighbours share, ``(phantom,)`` [1].
    """
    flow, arrival, shared = (one.reshape(-1, 1, 1, 1) for one in (flow, arrival, shared))
    smooth = smooth_fields(maps.where, 2, FINE_WAVELENGTH, dice)
    for_flow, for_arrival = (
        shared.sqrt() * field + (1 - shared).sqrt() * dice.normal(*field.shape)
        for field in smooth.unbind(-1)
    )
    return replace(
        maps,
        cbf=maps.cbf * (1 + flow * for_flow).clamp(min=0),
        att=(maps.att + arrival * for_arrival).clamp(*ATT_LIMITS),
    )


def _draw_structure(n_phantoms: int, shares: Mapping[Structure, float], dice: Dice) -> Tensor:
    dealt = dice.unit(n_phantoms)
    structure = torch.full_like(dealt, Structure.BRAIN, dtype=torch.int64)
    threshold = 0.0
    for kind, share in shares.items():
        structure[(dealt >= threshold) & (dealt < threshold + share)] = kind
        threshold += share
    return structure


def _without_anatomy(brain: PerfusionMaps, dice: Dice) -> PerfusionMaps:
    """Replace the maps of the phantoms that shall have no anatomy."""
    structure = brain.structure.reshape(-1, 1, 1, 1)
    maps = {'cbf': brain.cbf, 'att': brain.att}
    for name, interval in (('cbf', ANY_CBF), ('att', ANY_ATT)):
        everywhere = dice.uniform(interval, len(structure), 1, 1, 1)
        anywhere = dice.uniform(interval, *brain.cbf.shape)
        maps[name] = torch.where(structure == Structure.VOXELWISE, anywhere, maps[name])
        maps[name] = torch.where(structure == Structure.UNIFORM, everywhere, maps[name])
    kept = brain.arterial_blood_volume * (structure == Structure.BRAIN)
    return replace(brain, arterial_blood_volume=kept, **maps)


def _draw_cbf(stacks: Stacks, border: Tensor, dice: Dice) -> Tensor:
    """Mix the flows of the tissues, each with its own texture, less in border zones."""
    n_phantoms = len(stacks)
    regional = dice.uniform(REGIONAL, n_phantoms, 1, 1, 1, 1)
    texture = regional * smooth_fields(stacks.where, 2, REGION, dice)
    grain = dice.uniform(GRAIN, n_phantoms, 1, 1, 1, 1) * dice.normal(*texture.shape)
    gray, white = (1 + texture + grain).clamp(min=0).unbind(-1)
    loss = dice.uniform(WATERSHED_LOSS, n_phantoms, 1, 1, 1)
    gray_flow, white_flow = (
        dice.uniform(interval, n_phantoms, 1, 1, 1) for interval in (GRAY_CBF, WHITE_CBF)
    )
    flow = gray_flow * gray * stacks.gray_matter + white_flow * white * stacks.white_matter
    return flow * (1 - loss * border)


def _draw_att(stacks: Stacks, dice: Dice) -> tuple[Tensor, Tensor]:
    """Draw how much each voxel lies between territories, 0 to 1, and when blood arrives [s]."""
    n_phantoms = len(stacks)
    weight = _territories(stacks.where, dice)
    typical = torch.tensor([delay for _, delay in TERRITORIES for _ in 'lr'], device=dice.device)
    delay = typical + ARTERY_DELAY * dice.normal(n_phantoms, len(typical))
    delay = delay + dice.uniform(SUBJECT_DELAY, n_phantoms, 1)
    narrowed = torch.nn.functional.one_hot(
        dice.integer(0, len(typical) - 1, n_phantoms), len(typical)
    )
    by = dice.uniform(NARROWING_DELAY, n_phantoms) * dice.chance(NARROWED, n_phantoms)
    delay = delay + narrowed * by.unsqueeze(-1)
    border = (1.5 * (1 - weight.amax(-1))).clamp(max=1)
    late_border, late_white, texture = (
        dice.uniform(interval, n_phantoms, 1, 1, 1)
        for interval in (WATERSHED_DELAY, WHITE_DELAY, ATT_TEXTURE)
    )
    field = smooth_fields(stacks.where, 1, REGION, dice).squeeze(-1)
    att = (weight * delay.reshape(n_phantoms, 1, 1, 1, -1)).sum(-1)
    att = att + late_border * border + late_white * stacks.white_matter + texture * field
    return border, att.clamp(*ATT_LIMITS)


def _territories(where: Tensor, dice: Dice) -> Tensor:
    """Share each voxel among the arteries of both sides, ``(..., artery)``, summing to 1."""
    n_phantoms = len(where)
    centre = torch.tensor(
        [(side * x, y, z) for (x, y, z), _ in TERRITORIES for side in (-1, 1)], device=where.device
    )
    centre = centre + ARTERY_SHIFT * dice.normal(n_phantoms, *centre.shape)
    width = TERRITORY_WIDTH * dice.uniform(TERRITORY_SCALE, n_phantoms, 1, 1)
    squared = torch.cdist(where.flatten(1, -2), centre).square()
    weight = torch.softmax(-squared / (2 * width**2), -1)
    return weight.reshape(*where.shape[:-1], -1)


def _draw_arterial(stacks: Stacks, att: Tensor, dice: Dice) -> tuple[Tensor, Tensor]:
    """Draw where large arteries run, and when label reaches them: before it reaches tissue."""
    n_phantoms = len(stacks)
    field = smooth_fields(stacks.where, 1, ARTERIAL_WAVELENGTH, dice).squeeze(-1)
    level = dice.uniform(ARTERIAL_LEVEL, n_phantoms) * dice.chance(ARTERIAL_SHARE, n_phantoms)
    vessel = (field - ARTERIAL_THRESHOLD).clamp(min=0, max=1)
    volume = level.reshape(-1, 1, 1, 1) * vessel * (1 - stacks.white_matter)
    lead = dice.uniform(ARTERIAL_LEAD, n_phantoms, 1, 1, 1)
    return volume * stacks.mask, (att - lead).clamp(min=ATT_LIMITS.low)
