"""Time-encoded (Hadamard) series: which sub-boluses each volume labels.

BIDS has no words for them yet. Read is what converters of the field write: a square
``TimeEncodedMatrix``, 1 for control and -1 for label, whose columns are the volumes of one cycle
and whose rows are the sub-boluses, after a first row of ones that stands for the static signal.
``PostLabelingDelay`` and ``LabelingDuration`` have one entry per volume; within a cycle, those
from the second on belong to the rows from the second on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.bids.protocol import Timing
from aslprep_nn.bids.sidecar import Sidecar

MATRIX = 'TimeEncodedMatrix'
FIELDS = (MATRIX, 'TimeEncodedMatrixType', 'TimeEncodedMatrixSize')
ENCODED = (VolumeType.CONTROL, VolumeType.LABEL)
#: By how much delays may contradict the sub-boluses before it [s].
TIMING_TOLERANCE = 0.005
HOW_TO_WRITE = (
    'Take the labelling table from the protocol: one row of ones, then one row per sub-bolus with '
    '-1 for each volume that labels it and 1 for the others; or give decoded differences (deltam).'
)


@dataclass(frozen=True)
class Encoding:
    """A time-encoded series.

    Parameters
    ----------
    labelled
        1 where a sub-bolus is labelled, ``[volume of a cycle][sub-bolus]``.
    measurements
        For each sub-bolus of each cycle, the volume that carries its timing.
    """

    labelled: tuple[tuple[int, ...], ...]
    measurements: tuple[int, ...]


def is_encoded(sidecar: Sidecar, volume_types: Sequence[VolumeType]) -> bool:
    """Tell whether label and control are mixed in the volumes; decoded differences are not."""
    return any(map(sidecar.states, FIELDS)) and VolumeType.DELTAM not in volume_types


def read_encoding(
    sidecar: Sidecar, volume_types: Sequence[VolumeType], timing: Timing
) -> Encoding | None:
    """Read a time-encoded series; None, with problems in the sidecar, where it cannot be told."""
    states = _matrix(sidecar)
    if states is None:
        return None
    n_volumes = len(states)
    encoded = [index for index, kind in enumerate(volume_types) if kind in ENCODED]
    if not encoded or len(encoded) % n_volumes:
        sidecar.complain(
            MATRIX,
            f'whole cycles: {len(encoded)} control and label volumes are no multiple of it',
            'Correct the matrix or aslcontext.tsv.',
            found=f'{n_volumes} volumes a cycle',
        )
        return None
    cycles = [encoded[start : start + n_volumes] for start in range(0, len(encoded), n_volumes)]
    measurements = tuple(index for cycle in cycles for index in cycle[1:])
    if not _follow_each_other(sidecar, [timing.of_volumes[index] for index in cycles[0][1:]]):
        return None
    labelled = tuple(tuple(int(state < 0) for state in column[1:]) for column in states.T)
    return Encoding(labelled, measurements)


def _matrix(sidecar: Sidecar) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None:
    """Read the matrix, whose rows after the first are sub-boluses."""
    value = sidecar.values.get(MATRIX)
    expected = 'a square matrix of 1 (control) and -1 (label), the first row all 1'
    if value is None:
        sidecar.complain(
            MATRIX,
            f'{expected}: the type alone does not tell which volume labels which sub-bolus',
            HOW_TO_WRITE,
        )
        return None
    try:
        states = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        states = np.zeros(0)
    is_square = states.ndim == 2 and states.shape[0] == states.shape[1] > 1
    if not (is_square and (abs(states) == 1).all() and (states[0] == 1).all()):
        sidecar.complain(MATRIX, expected, HOW_TO_WRITE)
        return None
    if np.linalg.matrix_rank(states) < len(states):
        sidecar.complain(MATRIX, 'rows that tell all sub-boluses apart', HOW_TO_WRITE)
        return None
    return states


def _follow_each_other(sidecar: Sidecar, timings: Sequence[tuple[float, float]]) -> bool:
    """Check that sub-boluses do not overlap: one is made after the other."""
    latest_first = sorted(timings)
    for (pld, duration), (earlier_pld, _) in pairwise(latest_first):
        if earlier_pld < pld + duration - TIMING_TOLERANCE:
            sidecar.complain(
                'PostLabelingDelay',
                f'at least {pld + duration:g} s, when the sub-bolus made after it begins',
                'Within a cycle give the delay of each sub-bolus from its own end, in the order '
                f'of the rows of {MATRIX}, after an entry for the first volume.',
                found=f'{earlier_pld:g} s for a sub-bolus',
            )
            return False
    return True
