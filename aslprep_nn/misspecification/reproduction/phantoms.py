"""A slice through a brain and one through two kidneys, to draw maps of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from aslprep_nn.maps import FloatArray
from aslprep_nn.misspecification.reproduction.scenarios import BRAIN, KIDNEY, Organ, Truth
from aslprep_nn.simulation.phantom import draw_phantom

#: Height of the brain's slice above the anterior commissure [mm], and the phantom voxels that
#: make one voxel of it along each axis.
BRAIN_HEIGHT, BRAIN_STEP = 18.0, 2
#: Two kidneys in a field of view of 30 x 38 voxels: centres, half axes and where the hilum is.
KIDNEY_SHAPE = (30, 38)
KIDNEY_CENTRES, KIDNEY_AXES, HILUM = ((14.5, 9.5), (14.5, 27.5)), (11.0, 7.0), 5.5
#: Of cortex and medulla: flow [mL/100 g/min], in the range of Odudu et al. (2018), and arrival
#: [s], late enough for the late half of the delays to tell.
KIDNEY_CBF, KIDNEY_ATT = (380.0, 140.0), (1.05, 1.45)
#: The outer part of the kidney that is cortex, and how much flow varies within a tissue.
CORTEX, VARIATION = 0.45, 0.08


@dataclass(frozen=True)
class Slice:
    """A slice whose truth is known.

    Parameters
    ----------
    organ
        Its protocol, noise and repetitions.
    inside
        Which voxels belong to the organ, ``(row, column)``.
    truth
        Of these, in the order of `inside`.
    """

    organ: Organ
    inside: NDArray[np.bool_]
    truth: Truth

    def image(self, values: torch.Tensor) -> FloatArray:
        """Put values of the organ's voxels in their places; NaN elsewhere."""
        picture = np.full(self.inside.shape, np.nan)
        picture[self.inside] = values.double().numpy()
        return picture


def brain_slice(seed: int) -> Slice:
    """Cut an axial slice from the digital brain phantom, front up."""
    phantom = draw_phantom(np.random.default_rng(seed))
    height = phantom.anatomy.coordinates[2, 0, 0]
    level = int(np.abs(height - BRAIN_HEIGHT).argmin())
    step = slice(None, None, BRAIN_STEP)
    brain, cbf, att = (
        np.rot90(values[step, step, level])
        for values in (phantom.anatomy.brain, phantom.cbf, phantom.att)
    )
    inside = (brain > 0.5) & (cbf > 5)
    return Slice(BRAIN, inside, _truth(cbf[inside], att[inside]))


def kidney_slice(seed: int) -> Slice:
    """Draw a coronal slice through both kidneys: cortex around medulla, hilum inwards."""
    rng = np.random.default_rng(seed)
    row, column = np.indices(KIDNEY_SHAPE)
    depth = np.full(KIDNEY_SHAPE, 2.0)
    for side, (middle_row, middle_column) in zip((1, -1), KIDNEY_CENTRES, strict=True):
        high, wide = (row - middle_row) / KIDNEY_AXES[0], (column - middle_column) / KIDNEY_AXES[1]
        hilum = np.hypot(row - middle_row, column - middle_column - side * KIDNEY_AXES[1]) / HILUM
        own = np.where(hilum < 0.8, 2.0, np.hypot(high, wide))
        depth = np.minimum(depth, own)
    inside = depth < 1
    medulla = 1 / (1 + np.exp((depth - (1 - CORTEX)) / 0.05))
    variation = 1 + VARIATION * rng.standard_normal(KIDNEY_SHAPE)
    cbf = (KIDNEY_CBF[0] + (KIDNEY_CBF[1] - KIDNEY_CBF[0]) * medulla) * variation
    att = KIDNEY_ATT[0] + (KIDNEY_ATT[1] - KIDNEY_ATT[0]) * medulla
    return Slice(KIDNEY, inside, _truth(cbf[inside], att[inside]))


def _truth(cbf: FloatArray, att: FloatArray) -> Truth:
    return Truth(*(torch.from_numpy(np.ascontiguousarray(v, dtype=np.float64)) for v in (cbf, att)))
