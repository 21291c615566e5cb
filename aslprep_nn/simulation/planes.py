"""Short stacks of slices through bent, turned and scaled copies of the template."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from aslprep_nn.simulation.anatomy import VOXEL_SIZE, template_anatomy
from aslprep_nn.simulation.dice import Dice, Interval, smooth_fields
from aslprep_nn.simulation.held_out import (
    HELD_OUT_AXIAL,
    HELD_OUT_ORIENTATIONS,
    is_held_out_slice,
)
from aslprep_nn.simulation.kinds import Orientation, Split

TISSUES = ('gray_matter', 'white_matter', 'csf', 'brain')
#: Where the middle slice may lie in the template [mm].
POSITIONS = {
    Orientation.SAGITTAL: Interval(-50.0, 50.0),
    Orientation.CORONAL: Interval(-75.0, 40.0),
    Orientation.AXIAL: Interval(-28.0, 60.0),
}
#: Axial slices are what is scanned; one in so many is of another orientation.
AXIAL_SHARE = 0.8
#: Where the middle of the field of view looks [mm].
CENTRE = (0.0, -18.0, 10.0)
IN_PLANE, THICKNESS = Interval(2.0, 6.5), Interval(3.0, 9.0)
#: Head sizes relative to the template, tilts [rad] and shears [1].
SCALE, TILT, SHEAR = Interval(0.88, 1.12), Interval(-0.2, 0.2), Interval(-0.06, 0.06)
DEFORMATION, WAVELENGTH = Interval(0.5, 3.5), Interval(45.0, 160.0)
#: Samples along each axis of a voxel; their mean is the voxel's partial volume.
OVERSAMPLING = 2
BRAIN_FRACTION = 0.5


@dataclass(frozen=True)
class Stacks:
    """What fills the voxels of some stacks of slices, ``(phantom, slice, x, y)``.

    Parameters
    ----------
    gray_matter, white_matter, csf
        Fractions [1].
    mask
        Voxels of which at least half is brain.
    where
        Where each voxel lies in the template, ``(phantom, slice, x, y, 3)`` [mm].
    voxel_size
        Edges along x, y and across slices, ``(phantom, 3)`` [mm].
    """

    gray_matter: Tensor
    white_matter: Tensor
    csf: Tensor
    mask: Tensor
    where: Tensor
    voxel_size: Tensor

    def __len__(self) -> int:
        return len(self.mask)


def draw_stacks(
    n_phantoms: int,
    shape: tuple[int, int, int],
    dice: Dice,
    *,
    split: Split = Split.TRAINING,
) -> Stacks:
    """Cut stacks of slices out of random heads.

    Parameters
    ----------
    n_phantoms
        How many heads; each gives one stack.
    shape
        Slices, and voxels along x and y.
    dice
        Where the randomness comes from.
    split
        Whether slices are those of training or those held out.
    """
    orientations, positions = _draw_planes(n_phantoms, dice, split)
    edge = dice.log_uniform(IN_PLANE, n_phantoms)
    thickness = torch.maximum(edge, dice.uniform(THICKNESS, n_phantoms))
    voxel_size = torch.stack([edge, edge, thickness], -1)
    finer = [size * OVERSAMPLING for size in shape]
    offsets = torch.stack(_offsets(finer, dice.device), -1) / OVERSAMPLING
    within = offsets * voxel_size.reshape(-1, 1, 1, 1, 3)
    frames, centres = _frames(orientations, positions, dice)
    where = torch.einsum('pzxyk,pkc->pzxyc', within, frames) + centres.reshape(-1, 1, 1, 1, 3)
    bent = where + _deformation(where, dice)
    filled = _pool(_sample(bent))
    gray, white, csf, brain = filled.clamp(0, 1).unbind(-1)
    return Stacks(gray, white, csf, brain >= BRAIN_FRACTION, _pool(where), voxel_size)


def _draw_planes(
    n_phantoms: int, dice: Dice, split: Split
) -> tuple[list[Orientation], list[float]]:
    """Draw orientation and position of the middle slices until they belong to the split."""
    chosen: list[tuple[Orientation, float]] = []
    others = {
        Split.TRAINING: [o for o in Orientation if o not in HELD_OUT_ORIENTATIONS],
        Split.TEST: sorted(HELD_OUT_ORIENTATIONS),
    }[split]
    others = [o for o in others if o is not Orientation.AXIAL]
    while len(chosen) < n_phantoms:
        axial = dice.happens(AXIAL_SHARE)
        orientation = Orientation.AXIAL if axial else others[dice.count(0, len(others) - 1)]
        allowed = HELD_OUT_AXIAL if axial and split is Split.TEST else POSITIONS[orientation]
        position = dice.number(allowed)
        if split is Split.TEST or not is_held_out_slice(orientation, position):
            chosen.append((orientation, position))
    return [plane[0] for plane in chosen], [plane[1] for plane in chosen]


def _frames(
    orientations: list[Orientation], positions: list[float], dice: Dice
) -> tuple[Tensor, Tensor]:
    """Find the axes of each image in the template, ``(phantom, 3, 3)``, and its middle [mm].

    Rows are the image's x, y and the direction across slices: turned a little, scaled, sheared,
    and mirrored half of the time.
    """
    device, n_phantoms = dice.device, len(positions)
    axes, centres = [], []
    for orientation, position in zip(orientations, positions, strict=True):
        across = list(Orientation).index(orientation)
        order = [axis for axis in range(3) if axis != across] + [across]
        axes.append(torch.eye(3)[order])
        centre = list(CENTRE)
        centre[across] = position
        centres.append(centre)
    turn = torch.zeros(n_phantoms, 3, 3, device=device)
    for i, (row, column) in enumerate(((0, 1), (0, 2), (1, 2))):
        angle = dice.uniform(TILT, n_phantoms) * (1 if i == 0 else 0.5)
        turn[:, row, column], turn[:, column, row] = angle, -angle
    shear = dice.uniform(SHEAR, n_phantoms, 3, 3).triu(1)
    linear = torch.matrix_exp(turn) @ (torch.eye(3, device=device) + shear)
    linear = linear / dice.uniform(SCALE, n_phantoms, 1, 3)
    mirror = torch.where(dice.chance(0.5, n_phantoms), 1.0, -1.0)
    frames = torch.stack(axes).to(device) @ linear
    frames = torch.cat([frames[..., :1] * mirror.reshape(-1, 1, 1), frames[..., 1:]], -1)
    return frames, torch.tensor(centres, device=device)


def _deformation(where: Tensor, dice: Dice) -> Tensor:
    strength = dice.uniform(DEFORMATION, len(where), 1, 1, 1, 1)
    return strength * smooth_fields(where, 3, WAVELENGTH, dice, n_waves=4)


def _offsets(sizes: list[int], device: torch.device) -> list[Tensor]:
    """Find how far each sample lies from the middle along x, y and across slices [sample]."""
    across, x, y = torch.meshgrid(
        *[torch.arange(n, device=device) - (n - 1) / 2 for n in sizes], indexing='ij'
    )
    return [x, y, across]


def _sample(where: Tensor) -> Tensor:
    """Read the template's tissues at points in it, ``(..., tissue)``; nothing lies outside."""
    volume, origin = _template(str(where.device))
    size = torch.tensor(volume.shape[-3:], device=where.device)
    index = (where - origin) / VOXEL_SIZE
    relative = (2 * index / (size - 1) - 1).flip(-1).flatten(0, 1)
    sampled = torch.nn.functional.grid_sample(
        volume, relative.unsqueeze(0), align_corners=True, padding_mode='zeros'
    )
    return sampled[0].movedim(0, -1).reshape(*where.shape[:-1], -1)


@lru_cache(maxsize=2)
def _template(device: str) -> tuple[Tensor, Tensor]:
    """Put the template's tissues on a device, ``(1, tissue, x, y, z)``, with its origin [mm]."""
    anatomy = template_anatomy()
    tissues = np.stack([getattr(anatomy, name) * anatomy.brain for name in TISSUES[:3]])
    volume = torch.from_numpy(np.concatenate([tissues, anatomy.brain[None]])).float()
    origin = torch.from_numpy(anatomy.affine[:3, 3]).float()
    return volume.unsqueeze(0).to(device), origin.to(device)


def _pool(values: Tensor) -> Tensor:
    """Average the samples of each voxel."""
    n = OVERSAMPLING
    shape = [part for size in values.shape[1:4] for part in (size // n, n)]
    return values.reshape(len(values), *shape, values.shape[-1]).mean((2, 4, 6))
