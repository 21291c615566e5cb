"""The feasible signals as a fan of cones: which arrival interval explains a voxel best.

At a fixed decay rate the signal between two neighbouring kinks of the model is a non-negative
combination of the signals at the two kinks: as CBF and ATT vary, the feasible signals sweep
out a two-dimensional cone per interval. Projecting the data onto every cone takes one matrix
product, has no start value and finds the global optimum. Where a model bends away from the
plane of its two edges (dispersion, outflow, two ways of labelling at once) the interval is
halved until it does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.estimation.cones import (
    SAME_DIRECTION,
    Axes,
    ConeShape,
    curved_point,
    halve_until_plane,
    orthonormalize,
)
from aslprep_nn.estimation.intervals import (
    interval_edges,
    is_flat,
    nearest_not_flat,
    tells_nothing,
    trim_ends,
)
from aslprep_nn.estimation.repetitions import Summary
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.response import step

#: CBF whose decay rate the cones are made for, and another at which its effect is probed
#: [mL/100 g/min].
EXPECTED_CBF, PROBED_CBF = 60.0, 120.0


class Projection(NamedTuple):
    """The data in the plane of every cone, ``(cone, voxel)``.

    ``along`` the earlier edge, ``across`` it (towards the later edge), and the part of the
    data's sum of squares that the nearest point of the cone explains.
    """

    along: Tensor
    across: Tensor
    energy: Tensor
    axes: Axes


class Start(NamedTuple):
    """The best point of one cone per voxel, ``(voxel,)``: CBF, ATT and the cone's interval."""

    cbf: Tensor
    att: Tensor
    interval: Tensor

    def at(self, voxels: Tensor) -> Start:
        """Keep some voxels."""
        return Start(*(part[voxels] for part in self))


@dataclass(frozen=True)
class Fan:
    """The cones of one protocol at one decay rate.

    Parameters
    ----------
    edges
        Where the intervals meet, and the ends of the range, ``(edge,)`` [s].
    is_kink
        Whether the slope of the signal jumps at an edge, or the range ends there, ``(edge,)``;
        elsewhere an interval between kinks was halved.
    flat
        Whether ATT leaves the direction of the signal unchanged, ``(interval,)``.
    open_ends
        Whether the range ends where an earlier, or a later, ATT would look the same.
    signals
        Unit-CBF signal at the earlier edge of each cone, ``(cone, timing)``, with nothing
        projected out of it.
    projector
        The two axes of every cone, first all ``along``, then all ``across``, times the
        measurements' weights, ``(2 * cone, timing)``.
    axes
        The shape of every cone under these weights.
    constants
        What turns a projection into CBF and ATT, ``(6, cone)``: the earlier edge and the width
        of each cone [s], its curvature (`curved_point`), and by how much too large a CBF of 1 and
        ATT are read off it per unit of CBF above `EXPECTED_CBF`.
    interval
        The interval each cone lies in, ``(cone,)``; for a flat one, which is a ray, a neighbour
        that shares the ray.
    members
        The cones of each interval, ``(cone of the interval, interval)``; those of intervals with
        fewer than others are named more than once.
    nuisance
        A signal of unknown strength that the cones are orthogonal to, ``(timing,)``.
    """

    edges: Tensor
    is_kink: Tensor
    flat: Tensor
    open_ends: tuple[bool, bool]
    signals: Tensor
    projector: Tensor
    axes: Axes
    constants: Tensor
    interval: Tensor
    members: Tensor
    nuisance: Tensor | None

    @classmethod
    def of(
        cls,
        model: SignalModel,
        weight: Tensor,
        *,
        att_range: tuple[float, float],
        dtype: torch.dtype,
    ) -> Fan:
        """Build the fan of a model in float64 and hand it over in ``dtype``.

        Parameters
        ----------
        model
            In float64, the same for all voxels.
        weight
            Of each timing, ``(timing,)``.
        att_range
            Smallest and largest ATT [s].
        dtype
            Of the arithmetic on voxels.
        """
        plain = replace(model, nuisance=None)
        root_weight = weight.to(torch.float64).sqrt()

        def signal(att: Tensor, of: SignalModel = model, cbf: float = EXPECTED_CBF) -> Tensor:
            return of.linearize(torch.full_like(att, cbf), att).delta_m.mT / cbf

        edges = interval_edges(model.kinks(), att_range)
        edges, open_ends = trim_ends(edges, tells_nothing(signal(edges, plain) * root_weight))
        nodes = halve_until_plane(signal, edges)
        flat = is_flat(signal(nodes) * root_weight, nodes)
        halfway = (nodes + torch.cat([nodes[1:], nodes[-1:]])) / 2
        along, across, axes = orthonormalize(signal(nodes) * root_weight)
        shape = ConeShape.of(signal(nodes), signal(halfway))
        faster = shape.place(nodes, signal(halfway, cbf=PROBED_CBF))
        bias = torch.stack([faster[0] - 1, faster[1] - halfway]) / (PROBED_CBF - EXPECTED_CBF)
        interval = nearest_not_flat(flat)[torch.arange(len(nodes)).clamp(max=len(flat) - 1)]
        return cls(
            edges=nodes.to(dtype),
            is_kink=torch.isin(nodes, edges),
            flat=flat,
            open_ends=open_ends,
            signals=signal(nodes, plain).to(dtype),
            projector=(torch.cat([along, across]) * root_weight).to(dtype),
            axes=Axes(*(part.unsqueeze(-1).to(dtype) for part in axes)),
            constants=torch.stack([*shape.of_cones(nodes), *bias.nan_to_num(0)]).to(dtype),
            interval=interval,
            members=_members(interval, len(flat)),
            nuisance=None if model.nuisance is None else model.nuisance.signal.squeeze(-1),
        )

    def project(self, data: Summary) -> Projection:
        """Project the data onto every cone."""
        if data.weight.shape[-1] == 1:
            along, across = (self.projector @ data.mean).chunk(2)
            axes = self.axes
        else:
            along, across, axes = self._project_weighted(data)
        inside = step(torch.addcmul(along, axes.tilt, across, value=-1))
        energy = along.clamp(min=0).square_()
        energy.addcmul_(across.clamp(min=0).square_(), inside)
        if bool((axes.tilt < 0).any()):
            energy.addcmul_(along.clamp(max=0).square_(), inside.mul_(step(across)))
        return Projection(along, across, energy, axes)

    def _project_weighted(self, data: Summary) -> tuple[Tensor, Tensor, Axes]:
        """Project where weights differ between voxels: every voxel has its own axes."""
        early = self.signals.double()
        late = torch.cat([early[1:], torch.zeros_like(early[:1])])
        weight = data.weight.double()
        weighted = weight * data.mean
        length, on_early, square = (
            self._product(a, b, weight) for a, b in ((early, early), (early, late), (late, late))
        )
        length = length.clamp(min=0).sqrt()
        safe = torch.where(length > 0, length, 1)
        along = early @ weighted / safe
        on_along = on_early / safe
        reach = (square - on_along.square()).clamp(min=0)
        reach = torch.where(reach > SAME_DIRECTION * square, reach.sqrt(), torch.inf)
        across = (late @ weighted - on_along * along) / reach
        axes = Axes(length, on_along / reach, reach)
        dtype = data.mean.dtype
        return along.to(dtype), across.to(dtype), Axes(*(part.to(dtype) for part in axes))

    def _product(self, one: Tensor, other: Tensor, weight: Tensor) -> Tensor:
        """Multiply signals, ``(cone, timing)``, cone by cone and under each voxel's weights."""
        product = (one * other) @ weight
        if self.nuisance is None:
            return product
        nuisance = self.nuisance.double()
        overlaps = ((signal * nuisance) @ weight for signal in (one, other))
        shared = next(overlaps) * next(overlaps)
        return product - shared / (nuisance.square() @ weight).clamp(min=1e-300)

    def start(self, projection: Projection, cone: Tensor, voxels: Tensor | None = None) -> Start:
        """Read CBF and ATT off the nearest point of one cone per voxel.

        ``voxels`` says which of the projected ones are meant; all when absent.

        The cones are made for one CBF. What another CBF, and so another decay rate, does to a
        point read off them is known to first order, and corrected.
        """
        along, across = (_pick(part, cone, voxels) for part in projection[:2])
        length, tilt, reach = (_pick(part, cone, voxels) for part in projection.axes)
        earliest, width, bend, lift, cbf_bias, att_bias = self.constants[:, cone]
        across = across * ((across > 0) & (along > tilt * across))
        early = (along - tilt * across).clamp(min=0) / torch.where(length > 0, length, 1)
        late = across / reach
        cbf, share = curved_point(early, late, bend, lift)
        excess = cbf - EXPECTED_CBF
        return Start(
            cbf=cbf / (1 + cbf_bias * excess).clamp(min=0.5),
            att=earliest + width * share - att_bias * excess,
            interval=self.interval[cone],
        )

    @property
    def first_told(self) -> int:
        """The first interval in which the signal depends on ATT."""
        return int((~self.flat).to(torch.uint8).argmax())

    @property
    def early_spread(self) -> float:
        """How much CBF depends on an ATT that is only known to lie before the first delay.

        Relative standard deviation over arrivals spread evenly from the start of the range: the
        earlier label arrives, the longer it decays in tissue, and the more flow it takes to give
        the same signal.
        """
        lengths = self.signals.double().norm(dim=-1)
        if not self.first_told or not lengths[0]:
            return 0.0
        return float((lengths[self.first_told] / lengths[0] - 1).abs()) / math.sqrt(12)

    def outdone(self, projection: Projection, cone: Tensor, voxels: Tensor) -> Tensor:
        """Tell where the nearest point of a cone lies on an edge that the cone before it shares.

        That one has a point inside, which is nearer.
        """
        before = (cone - 1).clamp(min=0)
        outside = ~self._inside(projection, cone, voxels)
        return outside & self._inside(projection, before, voxels) & (cone > 0)

    def _inside(self, projection: Projection, cone: Tensor, voxels: Tensor) -> Tensor:
        along, across = (_pick(part, cone, voxels) for part in projection[:2])
        tilt = _pick(projection.axes.tilt, cone, voxels)
        return (across > 0) & (along > tilt * across)

    def bounds(self, interval: Tensor) -> tuple[Tensor, Tensor]:
        """Look up the edges of intervals [s]."""
        return self.edges[interval], self.edges[interval + 1]

    def beside(self, interval: Tensor, att: Tensor, margin: float) -> Tensor:
        """Find the interval beyond a kink that ATT is near, or the interval itself.

        ``margin`` is the distance that counts as near, relative to the interval. Flat
        intervals do not count.
        """
        beside = self._neighbor(interval, att, margin)
        return torch.where(self.flat[beside], interval, beside)

    def flat_beside(self, interval: Tensor, att: Tensor, margin: float) -> Tensor:
        """Find the flat interval that ATT is near, or the interval itself."""
        beside = self._neighbor(interval, att, margin)
        return torch.where(self.flat[beside], beside, interval)

    def _neighbor(self, interval: Tensor, att: Tensor, margin: float) -> Tensor:
        low, high = self.bounds(interval)
        near = margin * (high - low)
        later = (att >= high - near).to(interval) - (att <= low + near).to(interval)
        return (interval + later).clamp(min=0, max=len(self.flat) - 1)

    def rule_out(self, energy: Tensor, interval: Tensor) -> None:
        """Make the energies of each voxel's interval the least of all, in place."""
        energy.scatter_(0, self.members[:, interval], -1)

    def to(self, device: torch.device | str) -> Fan:
        """Move every tensor."""
        return replace(
            self,
            edges=self.edges.to(device),
            is_kink=self.is_kink.to(device),
            flat=self.flat.to(device),
            signals=self.signals.to(device),
            projector=self.projector.to(device),
            axes=Axes(*(part.to(device) for part in self.axes)),
            constants=self.constants.to(device),
            interval=self.interval.to(device),
            members=self.members.to(device),
            nuisance=None if self.nuisance is None else self.nuisance.to(device),
        )


def _members(interval: Tensor, n_intervals: int) -> Tensor:
    """List the cones of each interval; ``interval`` says where each lies, in order."""
    n_cones = torch.bincount(interval, minlength=n_intervals)
    first = n_cones.cumsum(0) - n_cones
    place = torch.arange(int(n_cones.max())).unsqueeze(-1)
    return (first + torch.minimum(place, n_cones - 1)).clamp(min=0)


def _pick(values: Tensor, cone: Tensor, voxels: Tensor | None) -> Tensor:
    """Take one cone's value for each voxel."""
    if values.shape[-1] == 1:
        return values[cone, 0]
    if voxels is None:
        return values.gather(0, cone.unsqueeze(0)).squeeze(0)
    return values[cone, voxels]
