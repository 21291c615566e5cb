"""Time-encoded labelling: from encoded volumes to the signal of every sub-bolus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.errors import Problem, UnsupportedError


def hadamard_encoding(order: int) -> Tensor:
    """Make the label (1) and control (0) states of a Hadamard-encoded series.

    Parameters
    ----------
    order
        Number of encoded volumes, a power of 2 from 2.

    Returns
    -------
    One row per volume, one column per sub-bolus in the order they are made,
    ``(order, order - 1)``.
    """
    if order < 2 or order & (order - 1):
        raise UnsupportedError(
            Problem('acquisition', 'Hadamard order', str(order), 'a power of 2 from 2', _REMEDY)
        )
    matrix = torch.ones(1, 1, dtype=torch.float64)
    while len(matrix) < order:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)])
    return (matrix[:, 1:] < 0).to(matrix)


def decode(encoded: Tensor, encoding: Tensor) -> Tensor:
    """Separate the sub-boluses of a time-encoded series.

    Every volume is the static signal less the signal of the sub-boluses that were labelled in
    it. Least squares for both is the Hadamard transform where the encoding is one, and spreads
    white noise evenly: each difference has the variance 4 / n_volumes of one volume.

    Parameters
    ----------
    encoded
        ``(..., volume)``.
    encoding
        1 where a sub-bolus is labelled, 0 where it is not, ``(volume, sub_bolus)``.

    Returns
    -------
    The difference signal of each sub-bolus, ``(..., sub_bolus)``.

    Raises
    ------
    UnsupportedError
        If the encoding cannot tell the sub-boluses apart.
    """
    design = torch.cat([torch.ones_like(encoding[:, :1]), -encoding], dim=1).double()
    if torch.linalg.matrix_rank(design) < design.shape[1]:
        found = f'{encoding.shape[0]} volumes for {encoding.shape[1]} sub-boluses'
        raise UnsupportedError(
            Problem(
                'acquisition', 'encoding', found, 'one that tells all sub-boluses apart', _REMEDY
            )
        )
    separate = torch.linalg.pinv(design)[1:].to(encoded)
    return torch.matmul(encoded, separate.mT)


def sub_bolus_acquisition(
    acquisition: Acquisition, sub_bolus_durations: Sequence[float]
) -> Acquisition:
    """Describe the decoded sub-boluses as measurements of their own.

    Parameters
    ----------
    acquisition
        The encoded acquisition: its first delay is the time from the end of the last sub-bolus
        to the readout.
    sub_bolus_durations
        In the order the sub-boluses are made [s].

    Returns
    -------
    One measurement per sub-bolus, whose delay includes the sub-boluses made after it.
    """
    later = accumulate(reversed(sub_bolus_durations), initial=acquisition.pld[0])
    delays = tuple(later)[:-1]
    return replace(
        acquisition, pld=tuple(reversed(delays)), labeling_duration=tuple(sub_bolus_durations)
    )


_REMEDY = 'Check the labelling table of the sequence.'
