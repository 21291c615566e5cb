"""Lesions of every size: what they do to flow, arrival and arterial blood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from aslprep_nn.simulation.dice import Dice, Interval, smooth_fields
from aslprep_nn.simulation.kinds import LesionKind
from aslprep_nn.simulation.perfusion import ATT_LIMITS, PerfusionMaps

KEPT, NONE = Interval(1.0, 1.0), Interval(0.0, 0.0)
#: Sizes of most lesions [voxel], and of their rims as fractions of their radius.
RADIUS, RIM_WIDTH = Interval(1.0, 12.0), Interval(0.2, 1.0)


@dataclass(frozen=True)
class Effect:
    """What a part of a lesion does.

    Parameters
    ----------
    flow
        CBF as a multiple of what it was [1].
    delay
        Added to ATT [s].
    arterial_blood_volume
        Added [1].
    """

    flow: Interval = KEPT
    delay: Interval = NONE
    arterial_blood_volume: Interval = NONE

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """All of them, in a fixed order."""
        return self.flow, self.delay, self.arterial_blood_volume


@dataclass(frozen=True)
class Lesion:
    """A core, a rim around it, and how large both are.

    Parameters
    ----------
    core, rim
        What happens there.
    radius
        Of the core; one voxel is the whole of a lesion without any [voxel].
    rim_width
        Of the rim, as a fraction of the radius.
    """

    core: Effect
    rim: Effect
    radius: Interval = RADIUS
    rim_width: Interval = RIM_WIDTH


#: A focus spans one voxel or two or three that touch: less than two in diameter.
FOCUS = Interval(0.3, 0.95)
NOTHING = Effect()
LESIONS = {
    LesionKind.INFARCT: Lesion(
        Effect(Interval(0.0, 0.3), Interval(0.2, 1.2)),
        Effect(Interval(0.3, 0.8), Interval(0.3, 1.5)),
    ),
    LesionKind.DELAY: Lesion(
        Effect(Interval(0.7, 1.1), Interval(0.3, 1.5)), Effect(delay=Interval(0.1, 0.3))
    ),
    LesionKind.STEAL: Lesion(
        Effect(Interval(1.0, 2.0), Interval(-0.5, -0.1), Interval(0.005, 0.03)),
        Effect(Interval(0.2, 0.7), Interval(0.1, 0.8)),
        rim_width=Interval(0.5, 2.0),
    ),
    LesionKind.TUMOR: Lesion(
        Effect(Interval(1.5, 4.0), Interval(-0.3, 0.2), Interval(0.0, 0.01)),
        Effect(Interval(0.5, 1.0), Interval(0.0, 0.3)),
    ),
    LesionKind.RIM_TUMOR: Lesion(
        Effect(Interval(0.0, 0.3), Interval(0.2, 0.8)),
        Effect(Interval(1.5, 4.0), Interval(-0.3, 0.0)),
        radius=Interval(2.0, 8.0),
    ),
    LesionKind.MALFORMATION: Lesion(
        Effect(Interval(1.0, 3.0), Interval(-0.6, -0.2), Interval(0.01, 0.08)),
        NOTHING,
        radius=Interval(0.6, 6.0),
        rim_width=NONE,
    ),
    LesionKind.BRIGHT_FOCUS: Lesion(Effect(Interval(1.4, 3.0)), NOTHING, radius=FOCUS),
    LesionKind.DARK_FOCUS: Lesion(Effect(Interval(0.0, 0.6)), NOTHING, radius=FOCUS),
    LesionKind.LATE_FOCUS: Lesion(Effect(delay=Interval(0.4, 1.2)), NOTHING, radius=FOCUS),
}
#: How far the outline of a lesion strays from a ball, as a fraction of its radius.
IRREGULARITY = 0.2
OUTLINE_WAVELENGTH = Interval(15.0, 60.0)
#: No flow is larger [mL/100 g/min].
MOST_FLOW = 250.0
#: A malformation's and a shunt's blood reaches arteries before tissue by this [s].
ARTERIAL_LEAD = 0.3


def add_lesions(
    maps: PerfusionMaps, kinds: Sequence[LesionKind], dice: Dice, *, n_lesions: int
) -> PerfusionMaps:
    """Put lesions into phantoms, each of a random kind, size and place inside the brain.

    Parameters
    ----------
    maps
        Healthy phantoms.
    kinds
        The kinds to choose from.
    dice
        Where the randomness comes from.
    n_lesions
        At most so many per phantom; each is there with probability one half.

    Returns
    -------
    The maps; ``lesion`` counts, from 1, the kinds in the order of `LesionKind`.
    """
    for _ in range(n_lesions):
        maps = _add_lesion(maps, kinds, dice)
    return maps


def _add_lesion(maps: PerfusionMaps, kinds: Sequence[LesionKind], dice: Dice) -> PerfusionMaps:
    n_phantoms = len(maps.cbf)
    which = dice.integer(0, len(kinds) - 1, n_phantoms)
    chosen = [LESIONS[kind] for kind in kinds]
    radius = _draw_of([lesion.radius for lesion in chosen], which, dice, logarithmic=True)
    width = _draw_of([lesion.rim_width for lesion in chosen], which, dice)
    core, around = _membership(maps, radius, radius * (1 + width), dice)
    present = dice.chance(0.5, n_phantoms).reshape(-1, 1, 1, 1) & maps.mask
    core, around = core & present, around & present & ~core
    parts = [
        (part, [_draw_of([e.intervals[i] for e in effects], which, dice) for i in range(3)])
        for part, effects in (
            (core, [lesion.core for lesion in chosen]),
            (around, [lesion.rim for lesion in chosen]),
        )
    ]
    numbers = torch.tensor([kind.number for kind in kinds])
    number = numbers.to(which)[which].reshape(-1, 1, 1, 1)
    changed = replace(maps, lesion=torch.where(core | around, number, maps.lesion))
    for part, effect in parts:
        changed = _apply(changed, part, [number.reshape(-1, 1, 1, 1) for number in effect])
    return changed


def _apply(maps: PerfusionMaps, part: Tensor, effect: Sequence[Tensor]) -> PerfusionMaps:
    flow, delay, volume = effect
    att = (maps.att + delay * part).clamp(*ATT_LIMITS)
    arterial = maps.arterial_blood_volume + volume * part
    lead = (att - ARTERIAL_LEAD).clamp(min=ATT_LIMITS.low)
    arrival = torch.where(part & (volume > 0), lead, maps.arterial_arrival)
    return replace(
        maps,
        cbf=torch.where(part, (maps.cbf * flow).clamp(max=MOST_FLOW), maps.cbf),
        att=att,
        arterial_blood_volume=arterial,
        arterial_arrival=arrival,
    )


def _membership(
    maps: PerfusionMaps, radius: Tensor, outer: Tensor, dice: Dice
) -> tuple[Tensor, Tensor]:
    """Draw a centre in the middle slice and find which voxels lie in the core and within the rim.

    The centre strays from its voxel by at most half a voxel in all, and a radius below one voxel
    has a plain outline: a focus then hits one, two or three voxels of one slice, never more.
    """
    n_phantoms, n_slices, *_ = maps.cbf.shape
    middle = maps.mask[:, n_slices // 2].flatten(1)
    weight = torch.where(middle.any(1, keepdim=True), middle, True).float()
    voxel = torch.multinomial(weight, 1, generator=dice.generator).reshape(-1, 1, 1, 1)
    n_y = maps.cbf.shape[-1]
    x, y = (torch.arange(n, device=voxel.device).float() for n in maps.cbf.shape[2:])
    z = torch.arange(n_slices, device=voxel.device).float() - n_slices // 2
    centre_x, centre_y = voxel // n_y, voxel % n_y
    stray = dice.uniform(Interval(-0.5, 0.5), 2, n_phantoms, 1, 1, 1)
    stray = stray * 0.5 / stray.abs().sum(0).clamp(min=0.5)
    thickness = maps.voxel_size[:, 2] / maps.voxel_size[:, 0]
    squared = (
        (x.reshape(-1, 1) - centre_x - stray[0]) ** 2
        + (y - centre_y - stray[1]) ** 2
        + (z.reshape(-1, 1, 1) * thickness.reshape(-1, 1, 1, 1)) ** 2
    )
    bump = smooth_fields(maps.where, 1, OUTLINE_WAVELENGTH, dice, n_waves=6).squeeze(-1)
    radius, outer = radius.reshape(-1, 1, 1, 1), outer.reshape(-1, 1, 1, 1)
    large = radius >= 1
    distance = squared.sqrt() / (1 + IRREGULARITY * bump * large).clamp(min=0.3)
    own = (x.reshape(-1, 1) == centre_x) & (y == centre_y) & (z.reshape(-1, 1, 1) == 0)
    return (distance <= radius) | own, (distance <= outer) & large


def _draw_of(
    intervals: Sequence[Interval], which: Tensor, dice: Dice, *, logarithmic: bool = False
) -> Tensor:
    """Draw for each phantom from the interval of its kind, ``(phantom,)``."""
    ends = torch.tensor(intervals, device=which.device)[which]
    if logarithmic:
        ends = ends.log()
    drawn = ends[:, 0] + (ends[:, 1] - ends[:, 0]) * dice.unit(len(which))
    return drawn.exp() if logarithmic else drawn
