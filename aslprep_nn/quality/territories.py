"""Labelling of the arteries that feed the brain, compared without a template."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from aslprep_nn.maps import FloatArray
from aslprep_nn.quality.measured_run import BoolArray, MeasuredRun

#: Voxels this close to the plane between the hemispheres belong to neither [mm].
MIDDLE = 6.0

#: The back and the front, as shares of the brain's length. The vertebral arteries feed the back,
#: the carotid arteries the front; between them lies what either may feed.
BACK, FRONT = 0.27, 0.4

#: A smaller territory is not judged [mL]: a slab may hold a corner of it only.
SMALLEST = 30.0

#: Of the strength of another: below these shares, in delta M and in CBF, label did not arrive. The
#: back is fed later, and less of it lies in many slabs, so that more is asked of it.
LEAST_SIDE, LEAST_BACK = 0.5, 0.4


class Territory(StrEnum):
    """What one artery or pair of arteries feeds, and the words people read."""

    LEFT = 'left carotid artery'
    RIGHT = 'right carotid artery'
    BACK = 'vertebral arteries'


def divide_brain(mask: BoolArray, affine: FloatArray) -> dict[Territory, BoolArray]:
    """Cut the brain where the territories of healthy arteries lie.

    By position in a head that lies roughly along the axes of the world: no template is at hand,
    and whole territories are compared, whose borders matter little.

    Parameters
    ----------
    mask
        ``(x, y, z)``.
    affine
        Voxel to world, RAS [mm].

    Returns
    -------
    The voxels of each territory, among those of the mask, ``(voxel,)``.
    """
    right, forward, _ = (np.argwhere(mask) @ affine[:3, :3].T + affine[:3, 3]).T
    rightness = right - np.median(right)
    low, high = np.quantile(forward, [0.01, 0.99])
    along = (forward - low) / max(high - low, 1e-9)
    return {
        Territory.LEFT: (rightness < -MIDDLE) & (along > FRONT),
        Territory.RIGHT: (rightness > MIDDLE) & (along > FRONT),
        Territory.BACK: along < BACK,
    }


def territory_strength(run: MeasuredRun) -> dict[Territory, tuple[float, float]]:
    """Measure late delta M (mean) and CBF (median) of each territory large enough to be judged."""
    voxel = abs(np.linalg.det(run.affine[:3, :3])) / 1000
    cbf = np.nan_to_num(run.cbf[run.mask])
    return {
        name: (float(run.late[where].mean()), float(np.median(cbf[where])))
        for name, where in divide_brain(run.mask, run.affine).items()
        if where.sum() * voxel >= SMALLEST
    }


def unlabelled_territory(run: MeasuredRun) -> tuple[Territory, float] | None:
    """Find a territory that label hardly reaches; None where there is none.

    The sides of the front are compared with each other, the back with the stronger of them. Both
    delta M and CBF have to be low: where label merely comes late, a fit of several delays gives
    the same CBF.

    Returns
    -------
    The territory and its share of the other's strength, the larger of those of delta M and CBF.
    """
    strength = territory_strength(run)
    sides = [name for name in (Territory.LEFT, Territory.RIGHT) if name in strength]
    if len(sides) < 2:
        return None
    stronger = max(sides, key=lambda name: strength[name][0])
    weaker = next(name for name in sides if name is not stronger)
    for name, least in ((weaker, LEAST_SIDE), (Territory.BACK, LEAST_BACK)):
        if name in strength:
            share = max(
                own / other if other > 0 else np.inf
                for own, other in zip(strength[name], strength[stronger], strict=True)
            )
            if share < least:
                return name, share
    return None
