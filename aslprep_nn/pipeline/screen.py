"""The step that leaves corrupted pairs out."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.maps import FloatArray
from aslprep_nn.pipeline.images import load_mask, load_series, save
from aslprep_nn.preprocessing.outliers import PairWeights, notes_on, weigh_pairs
from aslprep_nn.preprocessing.pairs import Pair, pair_volumes
from aslprep_nn.quality.dvars import dvars

WEIGHT, OUTLIER, DVARS = 'pair_weight', 'pair_outlier', 'dvars'


class Screened(NamedTuple):
    """The differences with NaN for pairs left out, and the confounds that say which and why."""

    delta_m: Path
    confounds: Path


def screen_pairs(
    *,
    delta_m: Path,
    mask: Path,
    volume_types: tuple[VolumeType, ...],
    timings: tuple[tuple[float, float], ...],
    folder: Path,
    confounds: Path | None = None,
    encoding: tuple[tuple[int, ...], ...] = (),
    slice_axis: int = 2,
) -> Screened:
    """Leave out the pairs that scatter unlike the others; time-encoded volumes form none."""
    differences, affine = load_series(delta_m)
    pairs = () if encoding else pair_volumes(volume_types, timings)
    if not pairs:  # the scanner subtracted: each volume is a pair
        given = np.flatnonzero(np.array(volume_types) == VolumeType.DELTAM)
        pairs = tuple(Pair(int(index), int(index)) for index in given)
    table = pd.DataFrame({'volume_type': [str(kind) for kind in volume_types]})
    if confounds is not None:
        table = pd.read_csv(confounds, sep='\t', na_values='n/a')
    if encoding:
        table[DVARS], table[WEIGHT], table[OUTLIER] = np.nan, np.nan, 'n/a'
        table.to_csv(folder / 'confounds.tsv', sep='\t', na_rep='n/a', index=False)
        return Screened(delta_m, folder / 'confounds.tsv')
    brain, of_pairs = load_mask(mask), [timings[pair.control] for pair in pairs]
    displacement = _displacement(table, pairs)
    found = weigh_pairs(differences, brain, of_pairs, displacement, slice_axis=slice_axis)
    change = dvars(differences[brain], of_pairs)
    kept = np.where(found.weight > 0, differences, np.nan).astype(np.float32)
    _told_by_volume(table, pairs, found, change).to_csv(
        folder / 'confounds.tsv', sep='\t', na_rep='n/a', index=False
    )
    return Screened(save(folder / 'delta_m.nii.gz', kept, affine), folder / 'confounds.tsv')


def pair_notes(table: pd.DataFrame) -> tuple[str, ...]:
    """Say which pairs were left out, as the table of confounds has it.

    A pair's reason stands in two rows of the table, or in one where the scanner subtracted;
    time-encoded volumes have none.
    """
    shown = table['volume_type'].isin([VolumeType.CONTROL, VolumeType.DELTAM])
    return notes_on(table.loc[shown, OUTLIER].dropna().tolist())


def _displacement(table: pd.DataFrame, pairs: tuple[Pair, ...]) -> FloatArray | None:
    """Return the larger framewise displacement of each pair [mm]."""
    if 'framewise_displacement' not in table:
        return None
    by_volume: NDArray[np.float64] = np.nan_to_num(table['framewise_displacement'].to_numpy(float))
    larger: FloatArray = by_volume[np.array(pairs)].max(axis=1)
    return larger


def _told_by_volume(
    table: pd.DataFrame, pairs: tuple[Pair, ...], found: PairWeights, change: FloatArray
) -> pd.DataFrame:
    """Add DVARS, weight and reason of each pair to both of its volumes."""
    by_volume, weight = np.full(len(table), np.nan), np.full(len(table), np.nan)
    reason: NDArray[np.object_] = np.full(len(table), 'n/a', dtype=object)
    for index, pair in enumerate(pairs):
        by_volume[list(pair)] = change[index]
        weight[list(pair)] = found.weight[index]
        reason[list(pair)] = str(found.reason[index])
    return table.assign(**{DVARS: by_volume, WEIGHT: weight, OUTLIER: reason})
