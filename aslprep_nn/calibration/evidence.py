"""What can be said about an M0 from the images themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from aslprep_nn.maps import FloatArray

#: M0 images, or volumes of one, that differ by more than this share are not of one thing.
LARGEST_DIFFERENCE = 0.1


@dataclass(frozen=True)
class M0Evidence:
    """What the images say about M0.

    Parameters
    ----------
    control_over_m0
        Median of the brain of mean control over M0 in equilibrium; None where one is lacking.
    white_over_fluid
        M0 of blood as white matter gives it over that of fluid; None where one is lacking.
    notes
        What the reader of the results must know, each a sentence.
    """

    control_over_m0: float | None = None
    white_over_fluid: float | None = None
    notes: tuple[str, ...] = ()

    def as_json(self) -> str:
        """Write it down."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> M0Evidence:
        """Read what `as_json` wrote."""
        facts = json.loads(text)
        return cls(**facts | {'notes': tuple(facts['notes'])})


def typical_ratio(one: FloatArray, other: FloatArray, mask: NDArray[np.bool_]) -> float | None:
    """Return the median of one image over another in the brain; None where they do not meet."""
    usable = mask & np.isfinite(one) & np.isfinite(other) & (other > 0)
    return float(np.median(one[usable] / other[usable])) if usable.any() else None


def compare_volumes(corrected: FloatArray, mask: NDArray[np.bool_]) -> list[str]:
    """Say so where the volumes of one M0 disagree.

    Parameters
    ----------
    corrected
        Each volume in equilibrium, ``(x, y, z, volume)``.
    mask
        The brain.
    """
    levels = np.nanmedian(corrected[mask], axis=0)
    spread = float(levels.max() / levels.min() - 1) if levels.min() > 0 else np.inf
    if spread <= LARGEST_DIFFERENCE:
        return []
    return [
        f'The {len(levels)} M0 volumes differ by {spread:.0%} after the correction for their '
        'repetition times, and were averaged: check whether all of them show M0, and their '
        'RepetitionTimePreparation.'
    ]


def compare_rivals(taken: str, ratios: Mapping[str, float | None]) -> list[str]:
    """Say what M0 images that were not taken would have changed.

    Parameters
    ----------
    taken
        Name of the image that was.
    ratios
        M0 of each other image over that of the one taken, by name; None where they do not meet.
    """
    notes = []
    for name, ratio in ratios.items():
        if ratio is None or ratio <= 0:
            notes.append(f'{name} shows nothing where the brain is.')
        elif abs(ratio - 1) > LARGEST_DIFFERENCE:
            notes.append(
                f'{name} gives an M0 {ratio:.2f} times that of {taken}: with it CBF would be '
                f'{_change(1 / ratio)}.'
            )
        else:
            notes.append(f'{name} gives the same M0 as {taken} within {abs(ratio - 1):.0%}.')
    return notes


def describe_holes(m0: FloatArray, filled: FloatArray, mask: NDArray[np.bool_]) -> list[str]:
    """Say in how many brain voxels M0 was continued, and in how many there is none."""
    n_brain = max(1, int(mask.sum()))
    absent = mask & ~(np.isfinite(m0) & (m0 > 0))
    left = mask & ~(np.isfinite(filled) & (filled > 0))
    n_filled, n_left = int((absent & ~left).sum()), int(left.sum())
    notes = []
    if n_filled:
        notes.append(
            f'M0 was not measured in {n_filled} voxels of the brain ({n_filled / n_brain:.1%}) and '
            'continued there from its neighbours.'
        )
    if n_left:
        notes.append(
            f'There is no M0 in {n_left} voxels of the brain ({n_left / n_brain:.1%}), and '
            'therefore no CBF.'
        )
    return notes


def _change(factor: float) -> str:
    return f'{factor - 1:.0%} higher' if factor > 1 else f'{1 - factor:.0%} lower'
