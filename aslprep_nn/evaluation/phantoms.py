"""The phantoms an evaluation measures: held-out slices, with and without anatomy and lesions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import torch
from torch import Tensor

from aslprep_nn.simulation.dice import Dice
from aslprep_nn.simulation.kinds import LesionKind, Split, Structure
from aslprep_nn.simulation.lesions import add_lesions
from aslprep_nn.simulation.perfusion import (
    ANY_ATT,
    ANY_CBF,
    PerfusionMaps,
    draw_perfusion,
    roughened,
)
from aslprep_nn.simulation.planes import Stacks, draw_stacks

#: A slice and its two neighbours; the middle one is judged.
SHAPE = (3, 64, 64)
MIDDLE = 1
#: Heads drawn at once.
CHUNK = 8
#: A slice with fewer voxels is the rim of a brain.
FEWEST_VOXELS = 400

#: Change from voxel to voxel: of CBF, as a fraction, and of ATT [s]; the part neighbours share.
#: With them half of the data reproduces about as much of single voxels as in vivo.
FINE_FLOW, FINE_ARRIVAL, FINE_SHARED = 0.3, 0.22, 0.2

Maps = TypeVar('Maps', Stacks, PerfusionMaps)


@dataclass(frozen=True)
class Phantoms:
    """Stacks of slices and what is true of them.

    Parameters
    ----------
    stacks
        What fills their voxels.
    maps
        Flow, arrival and lesions.
    """

    stacks: Stacks
    maps: PerfusionMaps

    def __len__(self) -> int:
        return len(self.stacks)

    def at(self, which: Tensor | slice) -> Phantoms:
        """Keep some of them."""
        return Phantoms(_at(self.stacks, which), _at(self.maps, which))

    def chunks(self) -> list[Phantoms]:
        """Split into parts small enough to be measured at once."""
        return [self.at(slice(first, first + CHUNK)) for first in range(0, len(self), CHUNK)]


def draw_brains(n_phantoms: int, seed: int) -> Phantoms:
    """Draw healthy brains in held-out slices, without signal from arteries.

    Arterial blood is signal that none of the estimators knows of; without it, what is compared
    with the truth is how they treat noise.
    """
    dice = Dice(torch.Generator().manual_seed(seed))
    found: list[Phantoms] = []
    while sum(len(one) for one in found) < n_phantoms:
        stacks = draw_stacks(CHUNK, SHAPE, dice, split=Split.TEST)
        maps = draw_perfusion(stacks, dice)
        large = maps.mask[:, MIDDLE].flatten(1).sum(1) >= FEWEST_VOXELS
        kept = (maps.structure == Structure.BRAIN) & large
        bloodless = replace(maps, arterial_blood_volume=torch.zeros_like(maps.cbf))
        found.append(Phantoms(stacks, bloodless).at(kept))
    return _join(found).at(slice(n_phantoms))


def voxelwise(phantoms: Phantoms, seed: int) -> Phantoms:
    """Replace flow and arrival by numbers drawn for each voxel: neighbours tell nothing."""
    dice = Dice(torch.Generator().manual_seed(seed))
    shape = phantoms.maps.cbf.shape
    cbf, att = dice.uniform(ANY_CBF, *shape), dice.uniform(ANY_ATT, *shape)
    structure = torch.full_like(phantoms.maps.structure, Structure.VOXELWISE)
    return replace(phantoms, maps=replace(phantoms.maps, cbf=cbf, att=att, structure=structure))


def uniform(phantoms: Phantoms, *, cbf: float = 50.0, att: float = 1.2) -> Phantoms:
    """Replace flow [mL/100 g/min] and arrival [s] by one value: there is nothing to see."""
    maps = phantoms.maps
    flat = replace(
        maps,
        cbf=torch.full_like(maps.cbf, cbf),
        att=torch.full_like(maps.att, att),
        structure=torch.full_like(maps.structure, Structure.UNIFORM),
    )
    return replace(phantoms, maps=flat)


def with_fine_structure(phantoms: Phantoms, seed: int) -> Phantoms:
    """Let flow and arrival change from voxel to voxel as in a real brain; see `FINE_FLOW`."""
    dice = Dice(torch.Generator().manual_seed(seed))
    size = torch.ones(len(phantoms))
    maps = roughened(
        phantoms.maps,
        dice,
        flow=FINE_FLOW * size,
        arrival=FINE_ARRIVAL * size,
        shared=FINE_SHARED * size,
    )
    return replace(phantoms, maps=maps)


def with_lesions(
    phantoms: Phantoms, kinds: Sequence[LesionKind], n_lesions: int, seed: int
) -> Phantoms:
    """Add at most so many lesions of some kinds to each phantom; half of them on average."""
    dice = Dice(torch.Generator().manual_seed(seed))
    maps = add_lesions(phantoms.maps, kinds, dice, n_lesions=n_lesions)
    return replace(phantoms, maps=maps)


def _at(maps: Maps, which: Tensor | slice) -> Maps:
    return type(maps)(**{one.name: getattr(maps, one.name)[which] for one in fields(maps)})


def _join(parts: list[Phantoms]) -> Phantoms:
    def cat(maps: list[Maps]) -> Maps:
        names = [one.name for one in fields(maps[0])]
        return type(maps[0])(
            **{name: torch.cat([getattr(m, name) for m in maps]) for name in names}
        )

    return Phantoms(cat([one.stacks for one in parts]), cat([one.maps for one in parts]))
