"""The upper tail of F for many voxels at once, from a table where that is as good."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy import special
from torch import Tensor

#: Cells of a table. The logarithm of p is then wrong by less than a part in a million.
N_CELLS = 3072
#: The least p that a table holds, and the end of a table that would reach further.
LEAST_P, FARTHEST = 1e-280, 8.0
#: Fewer values than this are not worth a table, nor are more kinds of degrees of freedom.
FEWEST_VALUES, MOST_KINDS = 256, 8
#: Degrees of freedom are below this.
MOST_DEGREES = 2**30


def upper_tail(ratio: Tensor, above: Tensor, below: Tensor) -> Tensor:
    """Compute P(F > ratio) with those degrees of freedom above and below the line.

    Parameters
    ----------
    ratio
        Not negative, of any shape.
    above, below
        Positive whole numbers, of a shape that broadcasts with it.
    """
    if ratio.numel() < FEWEST_VALUES:
        return _exact(ratio, above, below)
    kind = above.long() * MOST_DEGREES + below.long()
    low, high = kind.aminmax()
    if bool(low == high):
        return _tabulated(ratio, int(low))
    kind = kind.expand_as(ratio)
    kinds = torch.unique(kind).tolist()
    if len(kinds) > MOST_KINDS:
        return _exact(ratio, above, below)
    p = torch.empty_like(ratio)
    for one in kinds:
        voxels = kind == one
        p[voxels] = _tabulated(ratio[voxels], one)
    return p


@dataclass(frozen=True)
class _Table:
    """Logarithms of p as cubic polynomials of the distance from the start of a cell.

    With a and b degrees of freedom, 1 + a F / b = cosh(u)^2 defines a coordinate u in which
    log p is smooth from F = 0, where a power series in u begins, to infinity, where it falls in
    proportion to u: a t distribution and an F with hundreds of degrees of freedom alike.

    Parameters
    ----------
    cells
        Coefficients from the constant to the cubic one, ``(cell, 4)``.
    per_unit
        Cells per unit of u.
    scale
        a / b.
    farthest
        The F at which the table ends.
    """

    cells: Tensor
    per_unit: float
    scale: float
    farthest: float

    def p(self, ratio: Tensor) -> Tensor:
        """Look p up; anything beyond the end of the table."""
        scaled = ratio * self.scale
        # u by logarithms, which are several times as fast as inverse hyperbolic functions
        position = (scaled.sqrt() + (scaled + 1).sqrt()).log() * self.per_unit
        cell = position.long().clamp(min=0, max=N_CELLS - 1)
        share = position - cell
        found = self.cells.to(ratio.device).index_select(0, cell.flatten())
        constant, slope, square, cube = found.view(*cell.shape, 4).unbind(-1)
        return (((cube * share + square) * share + slope) * share + constant).exp()


@lru_cache(maxsize=64)
def _table(above: int, below: int) -> _Table:
    # where F is large, p is about cosh(u) to the power -b
    farthest = min(FARTHEST, float(np.arccosh(np.exp(-np.log(LEAST_P) / below))))
    u = np.linspace(0, farthest, N_CELLS + 1)
    scale = above / below
    ratio = np.sinh(u) ** 2 / scale
    log_p = np.log(special.fdtrc(above, below, ratio))
    # density of F times dF/du, over p
    log_density = (above - 1) * np.log(np.tanh(u[1:])) - below * np.log(np.cosh(u[1:]))
    log_slope = np.log(2) - special.betaln(above / 2, below / 2) + log_density - log_p[1:]
    at_zero = -2 / special.beta(0.5, below / 2) if above == 1 else 0.0
    slope = np.concatenate([[at_zero], -np.exp(log_slope)]) * (u[1] - u[0])
    rise = np.diff(log_p)
    cells = [
        log_p[:-1],
        slope[:-1],
        3 * rise - 2 * slope[:-1] - slope[1:],
        slope[:-1] + slope[1:] - 2 * rise,
    ]
    table = torch.from_numpy(np.stack(cells, axis=-1))
    return _Table(table, N_CELLS / farthest, scale, float(ratio[-1]))


def _tabulated(ratio: Tensor, kind: int) -> Tensor:
    above, below = divmod(kind, MOST_DEGREES)
    table = _table(above, below)
    values = ratio.double()
    p = table.p(values)
    beyond = (values > table.farthest).nonzero(as_tuple=True)
    if len(beyond[0]):
        p[beyond] = _exact(values[beyond], torch.tensor(above), torch.tensor(below))
    return p.to(ratio.dtype)


def _exact(ratio: Tensor, above: Tensor, below: Tensor) -> Tensor:
    arguments = (argument.cpu().numpy() for argument in (above, below, ratio))
    return torch.from_numpy(np.asarray(special.fdtrc(*arguments))).to(ratio)
