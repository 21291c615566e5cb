"""Pairs that do not belong: a spike in one volume, a jump between label and control."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from aslprep_nn.maps import FloatArray

#: Fewer pairs do not say what is usual.
FEWEST_PAIRS = 4
#: Repetitions of one timing from which their median is not any one of them.
FEWEST_REPETITIONS = 3
#: A pair is left out that scatters more than this many times as widely as the typical pair: with
#: 5 % of the pairs at this limit, an estimate loses a tenth of its precision, and not more.
WIDE, WIDE_ALONE = 2.5, 5.0
#: The same for the worst slice of a pair: a spike or a loss of signal may spoil one slice alone of
#: a volume that is read slice by slice. Slices of fewer voxels scatter too much themselves.
WIDE_SLICE, WIDE_SLICE_ALONE, FEWEST_IN_SLICE = 5.0, 10.0, 30
#: Robust standard deviations that the mean of a pair may be off, and the part of the run's mean
#: delta M by which it then must be.
FAR, FAR_PART = 6.0, 1.0
#: Framewise displacement from which a movement is the likely reason [mm].
JUMP = 1.5
#: Largest share of pairs that may be left out without a word of warning.
LARGEST_SHARE = 0.3
MAD_TO_SIGMA = 1.4826
#: The voxel that speaks for a pair's scatter [quantile]: a displacement shows at edges only.
SPEAKING = 0.8


class Reason(StrEnum):
    """Why a pair is left out; the words of the table of confounds."""

    NONE = 'none'
    JUMP = 'jump'
    SPIKE = 'spike'
    SLICE = 'slice'
    LEVEL = 'level'


REASONS = {
    Reason.NONE: 'it is not left out',
    Reason.JUMP: 'it scatters widely, and the head had moved',
    Reason.SPIKE: 'it scatters widely though the head lay still',
    Reason.SLICE: 'one of its slices scatters widely',
    Reason.LEVEL: 'all of it is brighter or darker than its repetitions',
}


@dataclass(frozen=True)
class PairWeights:
    """What each pair counts.

    Parameters
    ----------
    weight
        1, or 0 for a pair that is left out, ``(pair,)``.
    reason
        Why, ``(pair,)``.
    spread
        How widely a pair scatters about its repetitions, relative to the typical pair,
        ``(pair,)``.
    """

    weight: FloatArray
    reason: tuple[Reason, ...]
    spread: FloatArray


def notes_on(reasons: Sequence[str]) -> tuple[str, ...]:
    """Say which pairs were left out, and warn where they were many.

    Parameters
    ----------
    reasons
        Of `Reason`, ``(pair,)``.
    """
    left_out = [
        f'{number} ({reason})'
        for number, reason in enumerate(reasons, start=1)
        if reason != Reason.NONE
    ]
    if not left_out:
        return ()
    told = f'{len(left_out)} of {len(reasons)} pairs were left out: {", ".join(left_out)}.'
    if len(left_out) <= LARGEST_SHARE * len(reasons):
        return (told,)
    return (
        f'{told} That is more than {LARGEST_SHARE:.0%}: what is left may be no better; look at '
        'the series and at the motion before you use the maps.',
    )


def weigh_pairs(
    delta_m: FloatArray,
    brain: NDArray[np.bool_],
    timings: Sequence[Hashable],
    displacement: FloatArray | None = None,
    *,
    slice_axis: int = 2,
) -> PairWeights:
    """Find the pairs that a fit should not see.

    A pair counts or does not. Weights between the two would have to be known to every test of
    noise and model that follows, whose laws are those of equal variances; a measurement that is
    left out is simply missing to all of them. What is usual is told by medians, over the pairs
    of a timing and over all of them, which half of the data cannot move (Maumet et al. 2014 argue
    for robust statistics on the pairs of ASL; Tan et al. 2009 for leaving pairs out whole).

    Parameters
    ----------
    delta_m
        ``(x, y, z, pair)``, in any unit; NaN where nothing was measured.
    brain
        ``(x, y, z)``.
    timings
        Delay and duration of each pair; its repetitions have the same.
    displacement
        Largest framewise displacement among the volumes of each pair, ``(pair,)`` [mm]; NaN or
        None where it is not known.
    slice_axis
        Along which slices follow one another.

    Returns
    -------
    All pairs count where there are fewer than `FEWEST_PAIRS`.
    """
    voxels = delta_m[brain]
    n_pairs = voxels.shape[-1]
    everything = PairWeights(np.ones(n_pairs), (Reason.NONE,) * n_pairs, np.ones(n_pairs))
    if n_pairs < FEWEST_PAIRS or not voxels.size:
        return everything
    residual, repeated = _about_repetitions(voxels, timings)
    centered = np.where(repeated, _about_level(residual), residual)
    spread = _relative_spread(centered, repeated)
    wide = spread > np.where(repeated, WIDE, WIDE_ALONE)
    of_slice = _spread_of_worst_slice(centered, repeated, np.nonzero(brain)[slice_axis])
    slices = ~wide & (of_slice > np.where(repeated, WIDE_SLICE, WIDE_SLICE_ALONE))
    usual = repeated & ~wide & ~slices
    level = usual & _is_far(residual, voxels, usual)
    moved = np.zeros(n_pairs) if displacement is None else np.nan_to_num(displacement)
    scattered = np.where(moved > JUMP, Reason.JUMP, np.where(wide, Reason.SPIKE, Reason.SLICE))
    reasons = np.where(wide | slices, scattered, np.where(level, Reason.LEVEL, Reason.NONE))
    told = tuple(Reason(reason) for reason in reasons)
    return PairWeights(np.where(wide | slices | level, 0.0, 1.0), told, spread)


def _about_repetitions(
    voxels: FloatArray, timings: Sequence[Hashable]
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Subtract the median of a timing where it has enough repetitions, and tell where."""
    residual, repeated = voxels.astype(np.float64), np.zeros(len(timings), dtype=bool)
    for timing in dict.fromkeys(timings):
        members = np.flatnonzero([other == timing for other in timings])
        if len(members) >= FEWEST_REPETITIONS:
            repeated[members] = True
            # Half of two or three repetitions is the median itself: it hides a part of each.
            hidden = np.sqrt(len(members) / (len(members) - 1))
            median = _median(voxels[:, members], axis=1)[:, None]
            residual[:, members] = hidden * (voxels[:, members] - median)
    return residual, repeated


def _about_level(residual: FloatArray) -> FloatArray:
    """Subtract the median over the voxels of each pair."""
    return np.asarray(residual - _median(residual, axis=0))


def _relative_spread(residual: FloatArray, repeated: NDArray[np.bool_]) -> FloatArray:
    """Compare the scatter of each pair over the brain with the typical one of its kind."""
    scatter = np.nanquantile(np.where(_known(residual, 0), np.abs(residual), 0), SPEAKING, axis=0)
    spread = np.ones_like(scatter)
    for kind in (repeated, ~repeated):
        typical = np.median(scatter[kind]) if kind.any() else 0.0
        if typical > 0:
            spread[kind] = scatter[kind] / typical
    return np.asarray(spread)


def _spread_of_worst_slice(
    residual: FloatArray, repeated: NDArray[np.bool_], slice_of: NDArray[np.intp]
) -> FloatArray:
    """Do in each slice what `_relative_spread` does in the brain, and take the largest."""
    large = np.flatnonzero(np.bincount(slice_of) >= FEWEST_IN_SLICE)
    spreads = [_relative_spread(residual[slice_of == number], repeated) for number in large]
    return np.asarray(np.max([np.ones(len(repeated)), *spreads], axis=0))


def _is_far(
    residual: FloatArray, voxels: FloatArray, usual: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Tell whose mean is far from that of its repetitions, by the pairs that scatter as usual."""
    if not usual.any():
        return usual
    level = np.nan_to_num(_median(residual, axis=0))
    deviation = MAD_TO_SIGMA * np.median(np.abs(level[usual]))
    mean_delta_m = abs(float(np.median(_median(voxels, axis=0)[usual])))
    return np.asarray(np.abs(level) > max(FAR * deviation, FAR_PART * mean_delta_m))


def _median(values: FloatArray, axis: int) -> FloatArray:
    """Return the median of what is finite, 0 where nothing is."""
    return np.asarray(np.nanmedian(np.where(_known(values, axis), values, 0), axis=axis))


def _known(values: FloatArray, axis: int) -> NDArray[np.bool_]:
    """Tell along which lines anything is finite."""
    return np.asarray(np.isfinite(values).any(axis=axis, keepdims=True))
