"""What to claim of many voxels at once, at a known rate of false claims."""

from __future__ import annotations

from enum import IntEnum

import torch
from torch import Tensor

from aslprep_nn.misspecification.directions import Assumption


class VoxelClass(IntEnum):
    """The labels of ``_desc-class_misspec``."""

    CONSISTENT = 0
    NOISE = 1
    TISSUE_DECAY = 2
    LABELING_DURATION = 3
    ARTERIAL_BLOOD = 4
    MODEL = 5


CLASS_OF = {
    Assumption.TISSUE_DECAY: VoxelClass.TISSUE_DECAY,
    Assumption.LABELING_DURATION: VoxelClass.LABELING_DURATION,
    Assumption.SHARP_ARRIVAL: VoxelClass.MODEL,
    Assumption.NO_ARTERIAL_BLOOD: VoxelClass.ARTERIAL_BLOOD,
}


def discoveries(p: Tensor, rate: float) -> Tensor:
    """Choose the voxels to reject so that a share of at most ``rate`` is expected to be wrong.

    Benjamini & Hochberg (1995); it holds where noise is positively correlated between voxels,
    as it is in smooth images (Benjamini & Yekutieli 2001).

    Parameters
    ----------
    p
        p-values over the mask, ``(voxel,)``; NaN takes no part.
    rate
        The false discovery rate q.
    """
    n_tested = int(torch.isfinite(p).sum())
    ordered = p[p <= rate].sort().values  # no larger one can pass
    rank = torch.arange(1, len(ordered) + 1, dtype=p.dtype, device=p.device)
    passing = ordered[ordered <= rate * rank / max(n_tested, 1)]
    if not len(passing):
        return torch.zeros_like(p, dtype=torch.bool)
    return p <= passing[-1]


def classify(
    p_noise: Tensor, p_model: Tensor, p_assumptions: Tensor, *, rate: float = 0.05
) -> Tensor:
    """Give each voxel the class that explains it best.

    Noise and model are two questions, answered in one procedure over the p-values of both: each
    at the rate would make a false claim in up to twice as many correct maps. The model is
    rejected by the smallest of the p-values of the lack of fit and of the assumptions, times
    their number (Bonferroni). A rejected model is named after the assumption with the smallest
    p, where that is still below the rate when multiplied by their number; otherwise the cause
    is unclear. Where model and noise are both rejected the model's class is given, because a
    wrong model biases CBF while unequal noise only makes it less certain.

    Parameters
    ----------
    p_noise, p_model
        Of kappa and of the lack of fit, ``(voxel,)``.
    p_assumptions
        Of the score tests, ``(assumption, voxel)`` in the order of `Assumption`.
    rate
        The false discovery rate q of all claims of the map together.

    Returns
    -------
    `VoxelClass` codes, ``(voxel,)``.
    """
    every = torch.cat([p_model.unsqueeze(0), p_assumptions])
    both = torch.cat([p_noise, _bonferroni(every)])
    of_noise, of_model = discoveries(both, rate).chunk(2)
    best = p_assumptions.nan_to_num(torch.inf).min(0).indices
    named = _bonferroni(p_assumptions) <= rate
    codes = torch.tensor([CLASS_OF[assumption] for assumption in Assumption], device=best.device)
    cause = torch.where(named, codes[best], int(VoxelClass.MODEL))
    classes = torch.zeros_like(cause)
    classes[of_noise] = VoxelClass.NOISE
    return torch.where(of_model, cause, classes).to(torch.uint8)


def _bonferroni(p: Tensor) -> Tensor:
    """Combine the tests that could be made in each voxel; NaN where none could."""
    made = torch.isfinite(p).sum(0)
    smallest = (p.nan_to_num(torch.inf).amin(0) * made).clamp(max=1)
    return torch.where(made > 0, smallest, torch.nan)
