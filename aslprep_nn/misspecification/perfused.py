"""Where there is enough perfusion for its time course to have a shape."""

from __future__ import annotations

from torch import Tensor

from aslprep_nn.estimation.fit import Fit

#: CBF of fewer standard deviations than this is not told from none.
TOLD_FROM_NONE = 2.0


def is_perfused(fit: Fit) -> Tensor:
    """Find the voxels in which CBF is told from 0, ``(voxel,)``; unknown counts as told.

    Without perfusion noise chooses ATT, and with it the direction that a score test looks along,
    so that the score is no longer Student's t.
    """
    return ~(fit.parameters['cbf'] < TOLD_FROM_NONE * fit.std['cbf'])
