"""Two halves of a protocol that see different parts of the same curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.testability import FEWEST_TIMINGS


@dataclass(frozen=True)
class Subset:
    """Some measurements of a protocol.

    Parameters
    ----------
    acquisition
        With these measurements only.
    measurements
        Their indices, ``(measurement,)``.
    timings
        Indices of their distinct timings among those of the protocol, ``(timing,)``.
    """

    acquisition: Acquisition
    measurements: Tensor
    timings: Tensor


def early_and_late(n_timings: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Split timings in temporal order into an early and a late subset of equal size.

    The early one begins with a run of neighbours and goes on with gaps that grow by one, so
    that it sees the tail of the curve too; the late one is what remains, less the earliest
    where the number is odd (Wang, Tamir & Bush, section 3.3). The run is the shortest with
    which the gaps end before the last timing.
    """
    size = n_timings // 2
    for run in range(1, size + 1):
        gaps = range(2, size - run + 2)
        if run - 1 + sum(gaps) <= n_timings - 2:
            break
    early = list(range(run))
    for gap in gaps:
        early.append(early[-1] + gap)
    late = [timing for timing in range(n_timings) if timing not in early][-size:]
    return tuple(early), tuple(late)


def split(acquisition: Acquisition) -> tuple[Subset, Subset] | None:
    """Split a protocol; None where it has too few timings."""
    repetitions = Repetitions.of([acquisition])
    if repetitions.n_timings < FEWEST_TIMINGS:
        return None
    distinct = repetitions.acquisitions[0]
    times = list(zip(distinct.pld, distinct.labeling_duration, strict=True))
    order = sorted(range(len(times)), key=times.__getitem__)
    early, late = early_and_late(len(order))
    return _subset(acquisition, repetitions, [order[i] for i in early]), _subset(
        acquisition, repetitions, [order[i] for i in late]
    )


def _subset(acquisition: Acquisition, repetitions: Repetitions, timings: Sequence[int]) -> Subset:
    distinct = torch.tensor(sorted(timings))
    kept = torch.isin(repetitions.timing, distinct).nonzero().squeeze(-1)
    pld, duration = (
        tuple(values[i] for i in kept.tolist())
        for values in (acquisition.pld, acquisition.labeling_duration)
    )
    return Subset(replace(acquisition, pld=pld, labeling_duration=duration), kept, distinct)
