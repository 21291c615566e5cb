"""From a time-encoded series to the difference signal of every sub-bolus."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from aslprep_nn.maps import FloatArray
from aslprep_nn.signal.encoding import decode


def decode_cycles(encoded: FloatArray, labelled: Sequence[Sequence[int]]) -> FloatArray:
    """Decode each cycle of a time-encoded series by itself.

    Parameters
    ----------
    encoded
        Motion-corrected control and label volumes, whole cycles, ``(x, y, z, volume)``.
    labelled
        1 where a sub-bolus is labelled, ``[volume of a cycle][sub-bolus]``.

    Returns
    -------
    delta M ``(x, y, z, measurement)``: the sub-boluses of the first cycle, then of the next.
    """
    encoding = torch.tensor(labelled, dtype=torch.float64)
    n_volumes, n_boluses = encoding.shape
    n_cycles = encoded.shape[-1] // n_volumes
    cycles = encoded.reshape(*encoded.shape[:-1], n_cycles, n_volumes)
    decoded = decode(torch.from_numpy(cycles), encoding).numpy()
    return np.asarray(decoded.reshape(*encoded.shape[:-1], n_cycles * n_boluses))
