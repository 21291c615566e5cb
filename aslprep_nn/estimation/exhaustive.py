"""A slow search of every interval, which shares no idea with the fitter it judges."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from aslprep_nn.estimation.repetitions import Summary
from aslprep_nn.signal.model import SignalModel

#: CBF far beyond any organ [mL/100 g/min].
LARGEST_CBF = 1e5
CBF_ITERATIONS = 8
#: Shrinks a bracket by 1e-9.
GOLDEN_ITERATIONS = 44
GOLDEN_RATIO = 0.6180339887498949


def search_exhaustively(
    model: SignalModel,
    data: Summary,
    att_range: tuple[float, float],
    *,
    n_points: int = 16,
) -> tuple[Tensor, Tensor, Tensor]:
    """Find the least cost over all CBF and ATT by looking everywhere.

    Between every two kinks the cost, minimised over CBF, is computed on a grid of ATT and then
    by golden section about the best point. Use it in float64.

    Parameters
    ----------
    model
        The protocol.
    data
        The measurements.
    att_range
        Smallest and largest ATT [s].
    n_points
        Grid steps between two kinks.

    Returns
    -------
    CBF, ATT and cost of each voxel, ``(voxel,)``.
    """
    kinks = model.kinks()
    inner = kinks[(kinks > att_range[0]) & (kinks < att_range[1])]
    ends = kinks.new_tensor(att_range)
    edges = sorted(torch.cat([ends, inner]).tolist())
    n_voxels = data.mean.shape[-1]
    best = torch.full((3, n_voxels), torch.inf, dtype=data.mean.dtype)
    for low, high in pairwise(edges):
        if high - low > 1e-9:
            found = _search_interval(model, data, torch.linspace(low, high, n_points + 1))
            best = torch.where(found[2] < best[2], found, best)
    return best[0], best[1], best[2]


def _search_interval(model: SignalModel, data: Summary, grid: Tensor) -> Tensor:
    grid = grid.to(data.mean)
    regime = (grid[0] + grid[-1]) / 2
    every = torch.stack([_profile(model, data, att, regime) for att in grid])
    nearest = every[:, 1].argmin(0)
    low, high = grid[(nearest - 1).clamp(min=0)], grid[(nearest + 1).clamp(max=len(grid) - 1)]
    for _ in range(GOLDEN_ITERATIONS):
        width = GOLDEN_RATIO * (high - low)
        early, late = high - width, low + width
        go_late = _profile(model, data, late, regime)[1] < _profile(model, data, early, regime)[1]
        low, high = torch.where(go_late, early, low), torch.where(go_late, high, late)
    middle = (low + high) / 2
    refined = torch.stack([middle, *_profile(model, data, middle, regime)])
    voxels = torch.arange(len(nearest))
    coarse = torch.stack([grid[nearest], every[nearest, 0, voxels], every[nearest, 1, voxels]])
    best = torch.where(refined[2] < coarse[2], refined, coarse)
    return best[[1, 0, 2]]


def _profile(model: SignalModel, data: Summary, att: Tensor, regime: Tensor) -> Tensor:
    """Minimise the cost over CBF at a given ATT; give CBF and cost."""
    att = att.expand_as(data.mean[0])
    cbf = torch.full_like(att, 60.0)
    for _ in range(CBF_ITERATIONS):
        signal = model.linearize(cbf, att, regime)
        misfit = data.mean - signal.delta_m
        toward = (data.weight * signal.d_cbf * misfit).sum(0)
        bend = (data.weight * signal.d_cbf.square()).sum(0).clamp(min=1e-300)
        cbf = (cbf + toward / bend).clamp(min=0, max=LARGEST_CBF)
    misfit = data.mean - model.linearize(cbf, att, regime).delta_m
    return torch.stack([cbf, (data.weight * misfit.square()).sum(0)])
