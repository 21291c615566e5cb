"""The arrival intervals between kinks, and which of them tell one ATT from another."""

from __future__ import annotations

import torch
from torch import Tensor

#: Kinks closer than this are one in float32 [s].
CLOSEST_KINKS = 1e-3
#: Change of the signal's direction per second of ATT below which ATT has no effect [1/s].
FLAT = 1e-6


def interval_edges(kinks: Tensor, att_range: tuple[float, float]) -> Tensor:
    """List the kinks inside a range of ATT, and its ends, in order [s]."""
    first, last = att_range
    ends = kinks.new_tensor(att_range)
    inner = kinks[(kinks > first + CLOSEST_KINKS) & (kinks < last - CLOSEST_KINKS)]
    if len(inner):
        apart = torch.diff(inner, prepend=ends[:1]) > CLOSEST_KINKS
        inner = inner[apart]
    return torch.cat([ends[:1], inner, ends[1:]])


def is_flat(signals: Tensor, edges: Tensor) -> Tensor:
    """Tell in which intervals the signals at both edges are parallel, or one is 0."""
    early, late = signals[:-1], signals[1:]
    on_early = (early * late).sum(-1) / early.square().sum(-1)
    across = (late - on_early.unsqueeze(-1) * early).square().sum(-1)
    limit = FLAT * torch.diff(edges)
    return ~(across > limit.square() * late.square().sum(-1))


def tells_nothing(signals: Tensor) -> Tensor:
    """Tell in which intervals any ATT fits equally well, whatever the decay rate.

    That is so where the signal does not change and where only one measurement has any.
    """
    early, late = signals[:-1], signals[1:]
    return torch.isclose(early, late, rtol=1e-12, atol=0).all(-1) | ((early != 0).sum(-1) < 2)


def trim_ends(edges: Tensor, untold: Tensor) -> tuple[Tensor, tuple[bool, bool]]:
    """Leave out the ends of the range at which no ATT is better than another."""
    told = torch.nonzero(~untold).flatten()
    if not len(told):
        return edges[:2], (True, True)
    first, last = int(told[0]), int(told[-1])
    return edges[first : last + 2], (first > 0, last < len(untold) - 1)


def nearest_not_flat(flat: Tensor) -> Tensor:
    """Map every interval to itself, or a flat one to the next that is not, or to the last."""
    places = torch.arange(len(flat))
    told = places[~flat]
    if not len(told):
        return places
    return told[torch.searchsorted(told, places).clamp(max=len(told) - 1)]
