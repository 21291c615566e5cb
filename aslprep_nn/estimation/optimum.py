"""The global least-squares optimum of every voxel: the best cone, refined, rivals compared."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.estimation.cones import highest
from aslprep_nn.estimation.fan import EXPECTED_CBF, PROBED_CBF, Fan, Projection, Start
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.gauss_newton import (
    STILL_FALLING,
    STILL_FALLING_IF_BENT,
    Solution,
    Step,
    descend,
)
from aslprep_nn.estimation.information import Covariance
from aslprep_nn.estimation.repetitions import Summary
from aslprep_nn.maps import FitStatus
from aslprep_nn.signal.model import SignalModel

#: A further interval is solved where its cone promises a cost at most this much higher ...
NEAR_TIE = 0.003
#: ... plus what another decay rate can do to the promise: relative to the geometric mean of the
#: cost and of the data's energy, per mL/100 g/min from the CBF that the cones are made for ...
OTHER_DECAY = 2e-4
#: ... as often as that happens, up to this many intervals per voxel.
MOST_RIVALS, MOST_RIVALS_IF_BENT = 4, 12
#: Edges without a kink that a voxel may cross on its way to its optimum.
MOST_CROSSINGS = 16
#: ATT that differ by this much [s] are told apart by no protocol that gives signals whose
#: squared difference is this small a part of their energy.
SAME_ATT, SAME_SIGNAL = 0.05, 1e-6
#: A neighbouring interval is solved where the optimum is this close to it, relative to its own.
NEAR_KINK = 0.1
#: Fall of the cost, in noise variances, that noise alone makes less often than 1 time in 300.
SIGNIFICANT_GAIN = 9.0
#: ... and than which noise alone makes it fall by more 1 time in 20: less does not tell an arrival
#: after the first delay from one before it, nor does a promise of less than the second number.
DISTINCT_GAIN, DISTINCT_PROMISE = 4.0, 25.0
#: Distance to an edge below which single precision cannot tell ATT from it [s].
ON_EDGE = 2e-6


class Optimum(NamedTuple):
    """The best point of each voxel, ``(voxel,)``, its cost and its `FitStatus`."""

    cbf: Tensor
    att: Tensor
    cost: Tensor
    status: Tensor


def find_optimum(
    fan: Fan, model: SignalModel, data: Summary, take_step: Step | None = None
) -> Optimum:
    """Find the global optimum of some voxels.

    The best cone at the fan's decay rate is refined with the exact model. Because the decay
    depends on flow, another interval may be better still: every interval whose cone promises
    nearly as low a cost is refined too, and so is the neighbour of an optimum near a kink.
    """
    projection = fan.project(data)
    start = fan.start(projection, highest(projection.energy)[1])
    found = _Search(fan, model, data, take_step, start)
    found.try_neighbors()
    found.try_rivals(projection)
    if found.is_bent:
        found.cross_smooth_edges()
        found.try_neighbors()
        found.cross_smooth_edges()
    found.enter_flat()
    found.doubt_late_arrival(projection)
    status = _status(fan, found.best, found.interval, data)
    return Optimum(*found.best, _flag_ambiguous(status, found.ambiguous))


class _Search:
    """The best point so far of each voxel, and the interval it lies in."""

    def __init__(
        self,
        fan: Fan,
        model: SignalModel,
        data: Summary,
        take_step: Step | None,
        start: Start,
    ) -> None:
        self.fan, self.model, self.data, self.take_step = fan, model, data, take_step
        self.is_bent = not bool(fan.is_kink.all())
        self.still_falling = STILL_FALLING_IF_BENT if self.is_bent else STILL_FALLING
        self.best = self._descend(None, start)
        self.interval = start.interval
        self.ambiguous = torch.zeros_like(self.interval, dtype=torch.bool)

    def try_neighbors(self) -> None:
        """Solve the interval beyond a kink that an optimum is near, from the kink."""
        beside = self.fan.beside(self.interval, self.best.att, NEAR_KINK)
        voxels = (beside != self.interval).nonzero().squeeze(-1)
        self._challenge(voxels, Start(*self.best[:2], beside).at(voxels))

    def cross_smooth_edges(self) -> None:
        """Go on beyond an edge that is no kink, as long as that is better."""
        voxels = torch.arange(len(self.interval), device=self.interval.device)
        for _ in range(MOST_CROSSINGS):
            interval, att = self.interval[voxels], self.best.att[voxels]
            low, high = self.fan.bounds(interval)
            earlier = (att <= low + ON_EDGE) & ~self.fan.is_kink[interval]
            later = (att >= high - ON_EDGE) & ~self.fan.is_kink[interval + 1]
            kept = (earlier | later).nonzero().squeeze(-1)
            if not len(kept):
                return
            voxels, beside = voxels[kept], (interval + later.long() - earlier.long())[kept]
            self._challenge(voxels, Start(self.best.cbf[voxels], self.best.att[voxels], beside))
            voxels = voxels[self.interval[voxels] == beside]

    def try_rivals(self, projection: Projection) -> None:
        """Solve the intervals that promise nearly as low a cost, best first; uses up energies."""
        other_decay = (self.best.cbf - EXPECTED_CBF).abs() * OTHER_DECAY
        tie = (self.data.energy * self.best.cost).sqrt() * other_decay
        bar = self.data.energy - self._rounding - (1 + NEAR_TIE) * self.best.cost - tie
        energy = projection.energy
        self.fan.rule_out(energy, self.interval)
        explained, cone = highest(energy)
        voxels = torch.arange(len(cone), device=cone.device)
        for _ in range(MOST_RIVALS_IF_BENT if self.is_bent else MOST_RIVALS):
            kept = (explained >= bar).nonzero().squeeze(-1)
            if not len(kept):
                break
            voxels, bar, cone, energy = (
                voxels[kept],
                bar[kept],
                cone[kept],
                energy.index_select(1, kept),
            )
            start = self.fan.start(projection, cone, voxels)
            outdone = self.fan.outdone(projection, cone, voxels)
            # At a flow far from the expected one, the order of cones is no proof.
            worth = ~outdone | (self.best.cbf[voxels] > PROBED_CBF)
            chosen = worth.nonzero().squeeze(-1)
            self._challenge(voxels[chosen], start.at(chosen))
            self.fan.rule_out(energy, start.interval)
            explained, cone = highest(energy)

    def enter_flat(self) -> None:
        """Move into a flat interval where the data call for it.

        There only the dependence of the decay on flow tells one ATT from another. At its edge
        an optimum stays unless the cost falls by more than noise would make it fall: the edge
        is where CBF is least uncertain.
        """
        beside = self.fan.flat_beside(self.interval, self.best.att, NEAR_KINK)
        voxels = (beside != self.interval).nonzero().squeeze(-1)
        if not len(voxels):
            return
        data, start = self.data.at(voxels), Start(*self.best[:2], beside).at(voxels)
        solved = self._descend(voxels, start)
        freedom = (data.n_measurements - 2).clamp(min=1)
        variance = (data.scatter + solved.cost) / freedom
        won = solved.cost + SIGNIFICANT_GAIN * variance < self.best.cost[voxels]
        self._accept(voxels, start, solved, won)

    def doubt_late_arrival(self, projection: Projection) -> None:
        """Mark voxels whose data an arrival before the first delay explains as well.

        Before the first delay the signal hardly depends on ATT. Where that is the truth, noise
        puts the optimum beyond the first kink in every other voxel, with a slope, and so a
        standard deviation, that means nothing. Such an optimum has to beat the edge of the flat
        interval by more than noise would let it.
        """
        first = self.fan.first_told
        if first == 0:
            return
        explained = projection.along[first].clamp(min=0).square()
        freedom = (self.data.n_measurements - 2).clamp(min=1)
        variance = (self.data.scatter + self.best.cost) / freedom
        promise = self.data.energy - explained - self.best.cost
        late, told = self.interval >= first, DISTINCT_PROMISE * variance + self._rounding
        voxels = (late & (promise < told)).nonzero().squeeze(-1)
        if not len(voxels):
            return
        edge = torch.full_like(self.best.att[voxels], float(self.fan.edges[first]))
        at_edge = descend(
            self.model.at(voxels),
            self.data.at(voxels),
            (self.best.cbf[voxels], edge),
            (edge, edge),
            take_step=self.take_step,
            still_falling=self.still_falling,
        )
        gain = at_edge.cost - self.best.cost[voxels]
        self.ambiguous[voxels] |= gain < DISTINCT_GAIN * variance[voxels]

    @property
    def _rounding(self) -> Tensor:
        """How far a promise may be off, which is a difference of numbers as large as the data."""
        return 8 * torch.finfo(self.data.energy.dtype).eps * self.data.energy

    def _challenge(self, voxels: Tensor, start: Start) -> None:
        """Refine another start of some voxels and keep it where it is better."""
        if not len(voxels):
            return
        solved = self._descend(voxels, start)
        apart = (solved.att - self.best.att[voxels]).abs() > SAME_ATT
        tied = solved.cost - self.best.cost[voxels]
        tied = tied.abs() <= SAME_SIGNAL * self.data.energy[voxels]
        self.ambiguous[voxels] |= apart & tied
        self._accept(voxels, start, solved, solved.cost < self.best.cost[voxels])

    def _descend(self, voxels: Tensor | None, start: Start) -> Solution:
        """Refine a start of some voxels; of all where None are named."""
        return descend(
            self.model if voxels is None else self.model.at(voxels),
            self.data if voxels is None else self.data.at(voxels),
            start[:2],
            self.fan.bounds(start.interval),
            take_step=self.take_step,
            still_falling=self.still_falling,
        )

    def _accept(self, voxels: Tensor, start: Start, solved: Solution, won: Tensor) -> None:
        chosen = won.nonzero().squeeze(-1)
        winners = voxels[chosen]
        for values, new in zip(self.best, solved, strict=True):
            values[winners] = new[chosen]
        self.interval[winners] = start.interval[chosen]


def _status(fan: Fan, best: Solution, interval: Tensor, data: Summary) -> Tensor:
    """Say what kind of optimum each voxel has; later rules overrule earlier ones."""
    low, high = fan.bounds(interval)
    at_low = (best.att <= low + ON_EDGE) & fan.is_kink[interval]
    at_high = (best.att >= high - ON_EDGE) & fan.is_kink[interval + 1]
    last_interval = len(fan.flat) - 1
    first, last = at_low & (interval == 0), at_high & (interval == last_interval)
    flat = fan.flat[interval]
    flat = flat | (at_low & fan.flat[(interval - 1).clamp(min=0)])
    flat = flat | (at_high & fan.flat[(interval + 1).clamp(max=last_interval)])
    flat = flat | (first & fan.open_ends[0]) | (last & fan.open_ends[1])
    status = torch.full_like(interval, FitStatus.CONVERGED, dtype=torch.uint8)
    status[at_low | at_high] = FitStatus.ON_KINK
    status[first | last] = FitStatus.AT_BOUND
    status[flat] = FitStatus.ATT_NOT_IDENTIFIABLE
    status[best.cbf <= 0] = FitStatus.AT_BOUND
    status[(data.n_timings < 2) | ~torch.isfinite(best.cost)] = FitStatus.FAILED
    return status


def _flag_ambiguous(status: Tensor, ambiguous: Tensor) -> Tensor:
    """Say that ATT is not told where two arrival times far apart give the same signal."""
    usable = (status == FitStatus.CONVERGED) | (status == FitStatus.ON_KINK)
    return status.masked_fill(usable & ambiguous, FitStatus.ATT_NOT_IDENTIFIABLE)


def estimates(optimum: Optimum, covariance: Covariance, data: Summary, noise: Tensor) -> Fit:
    """Turn optima into estimates: NaN where there is none.

    Where CBF is 0 no ATT is better than another.
    """
    failed = optimum.status == FitStatus.FAILED
    untold = failed | (optimum.cbf <= 0)
    return Fit(
        parameters={
            'cbf': optimum.cbf.masked_fill(failed, torch.nan),
            'att': optimum.att.masked_fill(untold, torch.nan),
        },
        std={
            'cbf': covariance.cbf.sqrt().masked_fill(failed, torch.nan),
            'att': covariance.att.sqrt().masked_fill(untold, torch.nan),
        },
        status=optimum.status,
        residual=(data.scatter + optimum.cost).masked_fill(failed, torch.nan),
        noise=noise.masked_fill(failed, torch.nan),
    )
