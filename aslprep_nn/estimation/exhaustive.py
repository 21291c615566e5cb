"""A slow search of every interval, which shares no idea with the fitter it judges."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from aslprep_nn.estimation.repetitions import Summary
from aslprep_nn.signal.model import SignalModel

#: CBF far beyond any organ [mL/100 g/min].
LARGEST_CBF = 1e5
#: The signal is nearly linear in CBF, and each search starts from its neighbour's CBF.
CBF_ITERATIONS = 6
#: Shrinks a bracket a million times; the cost is flat to the square of that.
GOLDEN_ITERATIONS = 29
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
    cbf = torch.full_like(data.mean[0], 60.0)
    points = []
    for att in grid:
        points.append(_profile(model, data, att.expand_as(cbf), regime, cbf))
        cbf = points[-1][0]
    every = torch.stack(points)
    nearest = every[:, 2].argmin(0)
    best = every[nearest, :, torch.arange(len(nearest))].mT
    low, high = grid[(nearest - 1).clamp(min=0)], grid[(nearest + 1).clamp(max=len(grid) - 1)]
    width = GOLDEN_RATIO * (high - low)
    early, late = (
        _profile(model, data, att, regime, best[0]) for att in (high - width, low + width)
    )
    for _ in range(GOLDEN_ITERATIONS):
        go_late = late[2] < early[2]
        low, high = torch.where(go_late, early[1], low), torch.where(go_late, high, late[1])
        width = GOLDEN_RATIO * (high - low)
        kept = torch.where(go_late, late, early)
        probe = torch.where(go_late, low + width, high - width)
        new = _profile(model, data, probe, regime, kept[0])
        early, late = torch.where(go_late, kept, new), torch.where(go_late, new, kept)
    for found in (early, late):
        best = torch.where(found[2] < best[2], found, best)
    return best


def _profile(model: SignalModel, data: Summary, att: Tensor, regime: Tensor, cbf: Tensor) -> Tensor:
    """Minimise the cost over CBF at a given ATT; give CBF, ATT and cost."""
    for _ in range(CBF_ITERATIONS):
        signal = model.linearize(cbf, att, regime)
        misfit = data.mean - signal.delta_m
        toward = (data.weight * signal.d_cbf * misfit).sum(0)
        bend = (data.weight * signal.d_cbf.square()).sum(0).clamp(min=1e-300)
        cbf = (cbf + toward / bend).clamp(min=0, max=LARGEST_CBF)
    misfit = data.mean - model.linearize(cbf, att, regime).delta_m
    return torch.stack([cbf, att, (data.weight * misfit.square()).sum(0)])
