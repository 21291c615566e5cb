"""Label that passes for motion, and taking it out again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from aslprep_nn.maps import FloatArray
from aslprep_nn.preprocessing.across_contrasts import HEAD_RADIUS
from aslprep_nn.preprocessing.groupwise import rigid_transforms

#: A head that moves farther than this from volume to volume tells little about label [mm].
STILL = 0.2
#: Fewer comparisons of a still head tell motion and label apart by accident.
FEWEST_COMPARISONS = 4
N_STEPS = 50
#: Shift that label passes for, per share of the signal that it takes away [mm]: measured in
#: simulated heads at 10 % of static tissue (`benchmark preprocessing`).
SHIFT_PER_LABEL = 1.0
#: Displacement that does follow the label, by breathing at its pace or by eddy currents [mm]:
#: seen in vivo, where taking it out made differences worse.
IN_STEP = 0.05


def without_label_shift(
    groups: Sequence[FloatArray],
    kinds: Sequence[NDArray[np.int_]],
    centre: FloatArray,
    label: float,
) -> list[FloatArray]:
    """Take out of transforms what follows the label in all groups alike.

    What label takes away has a shape, and where little of the static tissue is left, least
    squares explains a part of it by a displacement. But a head hardly moves in step with the
    label (Wang 2012). The more label takes away, the more of the shift is believed to be its.

    Parameters
    ----------
    groups
        Rigid transforms of the volumes of each group in the order they were taken,
        ``(volume, 4, 4)`` [mm].
    kinds
        1 for label, -1 for control, 0 for others, ``(volume,)`` for each group.
    centre
        Of the brain, ``(3,)`` [mm].
    label
        Share of the signal of the brain that label takes away [1].

    Returns
    -------
    The transforms, label and control each moved by half of the shift between them.
    """
    found, variance = label_shift(groups, kinds, centre)
    expected = (SHIFT_PER_LABEL * label) ** 2
    shift = found * expected / (expected + IN_STEP**2 + variance)
    toward_label = _transform(shift / 2, centre)
    back = {1: np.linalg.inv(toward_label), 0: np.eye(4), -1: toward_label}
    return [
        np.stack([back[int(kind)] for kind in kinds_here]) @ transforms
        for transforms, kinds_here in zip(groups, kinds, strict=True)
    ]


def label_shift(
    groups: Sequence[FloatArray], kinds: Sequence[NDArray[np.int_]], centre: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Find by how much labels lie off controls in all groups alike.

    A volume is compared with the mean of the one before and the one after it, where both are
    of the other kind: steady drift cancels. Weights that fall with the distance (Geman and
    McClure 1987) leave jumps out. Parameters are those of `without_label_shift`.

    Returns
    -------
    Translation of the centre, and rotation times `HEAD_RADIUS`, ``(6,)`` [mm], 0 where too few
    volumes can be compared; and their variances, ``(6,)`` [mm²].
    """
    compared_of = [_comparisons(*group, centre) for group in zip(groups, kinds, strict=True)]
    compared = np.concatenate([np.zeros((0, 6)), *compared_of])
    shift = np.zeros(6)
    weight = np.ones(len(compared))
    for _ in range(N_STEPS if len(compared) else 0):
        distance = np.linalg.norm(compared - shift, axis=1)
        weight = 1 / (1 + (distance / STILL) ** 2) ** 2
        shift = weight @ compared / weight.sum()
    if weight.sum() < FEWEST_COMPARISONS:
        return np.zeros(6), np.zeros(6)
    return shift, np.asarray(weight**2 @ (compared - shift) ** 2 / weight.sum() ** 2)


def _comparisons(transforms: FloatArray, kinds: NDArray[np.int_], centre: FloatArray) -> FloatArray:
    """Compare volumes with those around them, label less control, ``(comparison, 6)`` [mm]."""
    moved = transforms[:, :3, :3] @ centre + transforms[:, :3, 3] - centre
    turned = Rotation.from_matrix(transforms[:, :3, :3]).as_rotvec() * HEAD_RADIUS
    places = np.column_stack([moved, turned])
    off = places[1:-1] - (places[:-2] + places[2:]) / 2
    usable = (kinds[:-2] == kinds[2:]) & (kinds[1:-1] == -kinds[2:]) & (kinds[1:-1] != 0)
    return np.asarray(off[usable] * kinds[1:-1][usable, None])


def _transform(shift: FloatArray, centre: FloatArray) -> FloatArray:
    """Make the rigid transform of a shift, ``(4, 4)``."""
    in_mm_and_rad = np.concatenate([shift[:3], shift[3:] / HEAD_RADIUS])
    transform = rigid_transforms(in_mm_and_rad[None])[0]
    transform[:3, 3] += centre - transform[:3, :3] @ centre
    return np.asarray(transform)
