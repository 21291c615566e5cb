"""What corrupted pairs do to CBF, and what leaving pairs out does where none is corrupted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from itertools import product

import numpy as np
import torch

from aslprep_nn.benchmark.progress import one_by_one
from aslprep_nn.benchmark.scenes import Film, Readout, Scene, Suppression, film
from aslprep_nn.calibration.slice_timing import slice_delay
from aslprep_nn.estimation.benchmark.scenarios import Row, Table
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.maps import FloatArray
from aslprep_nn.preprocessing.outliers import weigh_pairs
from aslprep_nn.preprocessing.pairs import pair_volumes, subtract_label
from aslprep_nn.preprocessing.resample import resample_volume
from aslprep_nn.simulation.motion import MotionLevel


class Fault(StrEnum):
    """What spoils a pair."""

    NOTHING = 'nothing'
    STRIPES = 'spikes'
    JUMP = 'jumps'
    STRIPED_SLICE = 'a spike in a slice'
    LOST_SLICE = 'a lost slice'


#: Faults of a volume that is read slice by slice.
OF_SLICES = (Fault.STRIPED_SLICE, Fault.LOST_SLICE)
#: Share of the pairs that is corrupted.
CORRUPTED = 0.05
#: How far the head jumps [mm], and the strength of a spike's stripes as a part of M0.
JUMP, SPIKE = 5.0, 0.1


def corruption_table(seeds: Sequence[int], n_pairs: int) -> Table:
    """Corrupt a twentieth of the pairs of a still head, in volumes or in a slice, and no pair.

    Parameters
    ----------
    seeds
        Each is a head and a noise of its own.
    n_pairs
        Pairs at each of six delays.
    """
    rows: list[Row] = []
    for seed in one_by_one(seeds, 'heads with corrupted pairs'):
        for readout, suppression in product(Readout, (Suppression.NONE, Suppression.STRONG)):
            taken = film(Scene(readout, suppression, MotionLevel.NONE, n_pairs), seed)
            clean = _cbf(taken, _delta_m(taken, taken.series))
            for fault in Fault:
                if readout is Readout.SLICES or fault not in OF_SLICES:
                    where = {'readout': str(readout), 'suppression': str(suppression)}
                    rows.append({'seed': seed, **where, **_row(taken, fault, seed, clean)})
    question = (
        f'By how much is the mean CBF of grey matter off that of the clean series, where '
        f'{CORRUPTED:.0%} of the pairs have stripes of {SPIKE:.0%} of M0 in the volume or in one '
        f'slice, a slice without signal, or a jump of {JUMP:g} mm between control and label?'
    )
    return Table('corruption', question, tuple(rows))


def _row(taken: Film, fault: Fault, seed: int, clean: float) -> Row:
    delta_m = _delta_m(taken, _corrupted(taken, fault, seed))
    timings = list(zip(taken.acquisition.pld, taken.acquisition.labeling_duration, strict=True))
    found = weigh_pairs(delta_m, taken.brain, timings)
    kept = np.where(found.weight > 0, delta_m, np.nan)
    return {
        'corrupted by': str(fault),
        'left out': int((found.weight == 0).sum()),
        'of': len(timings),
        'GM CBF, all pairs [%]': _change(_cbf(taken, delta_m), clean),
        'GM CBF, screened [%]': _change(_cbf(taken, kept), clean),
    }


def _corrupted(taken: Film, fault: Fault, seed: int) -> FloatArray:
    """Spoil one label of a few pairs."""
    series = taken.series.copy()
    rng = np.random.default_rng((seed, 3))
    labels = np.flatnonzero([str(shown) == 'label' for shown in taken.volume_types])
    n_corrupted = math.ceil(CORRUPTED * len(labels))
    for index in rng.choice(labels, n_corrupted, replace=False):
        inside = np.flatnonzero(taken.brain.sum((0, 1)) > taken.brain.sum((0, 1)).max() / 2)
        here = rng.choice(inside) if fault in OF_SLICES else slice(None)
        if fault in (Fault.STRIPES, Fault.STRIPED_SLICE):
            phase = np.tensordot(rng.uniform(0.3, 1.5, 3), np.indices(taken.brain.shape), axes=1)
            stripes = SPIKE * taken.true_m0[taken.brain].mean() * np.cos(phase)
            series[:, :, here, index] = np.abs(series[:, :, here, index] + stripes[:, :, here])
        elif fault is Fault.LOST_SLICE:
            series[:, :, here, index] = 0
        elif fault is Fault.JUMP:
            direction = rng.standard_normal(3)
            moved = np.eye(4)
            moved[:3, 3] = JUMP * direction / np.linalg.norm(direction)
            seen = resample_volume(
                series[..., index], taken.affine, taken.brain.shape, taken.affine, moved
            )
            series[..., index] = np.nan_to_num(seen)
    return series


def _delta_m(taken: Film, series: FloatArray) -> FloatArray:
    return subtract_label(series, pair_volumes(taken.volume_types, taken.timings))


def _cbf(taken: Film, delta_m: FloatArray) -> float:
    """Fit grey matter and average its CBF where ATT is told or not."""
    grey = taken.grey_matter
    relative = delta_m[grey] / taken.true_m0[grey][:, None]
    delay = slice_delay(taken.acquisition, grey.shape)[grey]
    fit = fit_cbf_att(
        torch.from_numpy(relative), taken.acquisition, slice_delay=torch.from_numpy(delay.copy())
    )
    return float(np.nanmean(fit.parameters['cbf'].numpy()))


def _change(cbf: float, clean: float) -> float:
    return round(100 * (cbf / clean - 1), 2)
