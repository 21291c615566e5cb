"""Numbers that need to know where grey and white matter are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aslprep_nn.calibration.smoothing import smooth_within
from aslprep_nn.maps import FloatArray

#: Share of a tissue from which a voxel counts as one of it.
MOSTLY = 0.7

#: Of Dolui et al. (2017): structure of CBF, its dispersion and its negative values turn into
#: qualities between 0 and 1 by 1 - exp(-a x^b) or exp(-a x^b).
STRUCTURE, DISPERSION, NEGATIVE = (3.0126, 2.4419), (0.054, 0.9272), (2.8478, 0.5196)

#: CBF of grey over that of white matter in the structural map, and its smoothing [mm].
GREY_OVER_WHITE, SMOOTHING = 2.5, 5.0


@dataclass(frozen=True)
class Tissue:
    """Shares of each tissue on the grid of the series, ``(x, y, z)`` [1]."""

    gray_matter: FloatArray
    white_matter: FloatArray
    csf: FloatArray


def gm_wm_ratio(cbf: FloatArray, tissue: Tissue, mask: NDArray[np.bool_]) -> float:
    """Divide mean CBF of grey matter by that of white matter; NaN where one is not there."""
    known = mask & np.isfinite(cbf)
    grey, white = known & (tissue.gray_matter > MOSTLY), known & (tissue.white_matter > MOSTLY)
    if not (grey.any() and white.any()):
        return float('nan')
    below = float(cbf[white].mean())
    return float(cbf[grey].mean()) / below if below > 0 else float('nan')


def quality_evaluation_index(
    cbf: FloatArray, tissue: Tissue, mask: NDArray[np.bool_], affine: FloatArray
) -> float:
    """Rate a CBF map between 0 and 1 (QEI; Dolui et al. 2017).

    The geometric mean of three qualities: how well CBF follows the tissue, how little it scatters
    within it, and how little of grey matter is negative. CBF is smoothed and correlated within
    the brain only: zeros around it would follow the tissue perfectly.

    Parameters
    ----------
    cbf
        ``(x, y, z)`` [mL/100 g/min].
    tissue
        Where grey matter, white matter and fluid are.
    mask
        The brain.
    affine
        Voxel to world [mm].

    Returns
    -------
    NaN where one of the tissues has fewer than two voxels.
    """
    known = mask & np.isfinite(cbf)
    smooth = smooth_within(cbf, known, affine, SMOOTHING)
    shares = (tissue.gray_matter, tissue.white_matter, tissue.csf)
    members = [smooth[known & (share > MOSTLY)] for share in shares]
    if min(values.size for values in members) < 2:
        return float('nan')
    structural = GREY_OVER_WHITE * tissue.gray_matter + tissue.white_matter
    similarity = max(0.0, float(np.corrcoef(smooth[known], structural[known])[0, 1]))
    squares = sum((values.size - 1) * float(values.var()) for values in members)
    variance = squares / (sum(values.size for values in members) - len(members))
    grey = members[0]
    dispersion = variance / max(abs(float(grey.mean())), 1e-9)
    negative = float((grey < 0).mean())
    qualities = (
        1 - np.exp(-STRUCTURE[0] * similarity ** STRUCTURE[1]),
        np.exp(-DISPERSION[0] * dispersion ** DISPERSION[1]),
        np.exp(-NEGATIVE[0] * negative ** NEGATIVE[1]),
    )
    return float(np.prod(qualities) ** (1 / 3))
