"""Whether each way to M0 gives the true CBF, in a head without noise that lies still."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.benchmark.progress import one_by_one
from aslprep_nn.calibration.m0 import relative_to_m0
from aslprep_nn.calibration.measured import MeasuredM0, measured_m0
from aslprep_nn.calibration.reference_region import fluid_problem, voxel_diagonal
from aslprep_nn.calibration.slice_timing import slice_delay
from aslprep_nn.constants import FLUID, WHITE_MATTER
from aslprep_nn.estimation.benchmark.scenarios import Row, Table
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.maps import FloatArray
from aslprep_nn.preprocessing.brightness import late_delta_m
from aslprep_nn.run import M0Plan, M0Route
from aslprep_nn.settings import M0Method, M0Options, ReferenceTissue
from aslprep_nn.simulation.grid import Grid
from aslprep_nn.simulation.phantom import Phantom, draw_phantom
from aslprep_nn.simulation.protocols import PROTOCOLS, Preset, ScanProtocol
from aslprep_nn.simulation.scanner import Camera, Truth

#: M0 of blood, simulated [scanner units].
M0_BLOOD = 1600.0
#: Voxels with less fluid than this are tissue: fluid recovers more slowly than its T1 says.
DRY = 0.01
#: Cortex is what is grey matter by more than this part; the rest is white matter and fluid.
MOSTLY = 0.7
#: A point with less tissue than this is air, whose T1 [s] does not matter.
AIR, AIR_T1 = 0.01, 1.2
#: Water of grey matter over that of blood, and of scalp; T1 of both [s].
GREY_MATTER, SCALP = (0.98, 1.33), (0.5, 0.4)

COARSE = replace(PROTOCOLS[Preset.DEMO][0], n_pairs=1)
#: What a head needs [mm].
FIELD_OF_VIEW = (196.0, 224.0, 120.0)


def _with_voxels(edges: tuple[float, float, float]) -> ScanProtocol:
    x, y, z = (round(length / edge) for length, edge in zip(FIELD_OF_VIEW, edges, strict=True))
    times = tuple(round(0.03 * k, 4) for k in range(z))
    return replace(COARSE, grid=Grid((x, y, z), edges), slice_times=times)


#: Voxels small enough for a ventricle at long repetition times, and at all of them.
FINE, FINEST = _with_voxels((3.5, 3.5, 5.0)), _with_voxels((3.0, 3.0, 4.0))
#: Voxels [mm] that are just allowed for fluid from a repetition time [s] on.
LARGEST_VOXELS = (
    ((3.0, 3.0, 4.0), 1.0),
    ((3.4, 3.4, 3.4), 1.0),
    ((2.5, 2.5, 4.7), 1.0),
    ((3.5, 3.5, 5.0), 4.0),
    ((3.0, 3.0, 5.6), 4.0),
    ((4.0, 4.0, 6.0), 6.0),
    ((4.7, 4.7, 4.7), 6.0),
)


@dataclass(frozen=True)
class Head:
    """What a scanner without noise sees of a head.

    Parameters
    ----------
    static
        Whose M0 is measured.
    perfused
        Whose differences are measured.
    protocol
        How.
    """

    static: Phantom
    perfused: Phantom
    protocol: ScanProtocol

    @cached_property
    def truth(self) -> Truth:
        """The maps on the grid of the protocol."""
        return Camera(self.static, self.protocol).truth()

    @cached_property
    def delta_m(self) -> FloatArray:
        """Differences at every delay, ``(x, y, z, delay)`` [scanner units]."""
        camera = Camera(self.perfused, self.protocol)
        labels = (v for v in self.protocol.series if v.kind is VolumeType.LABEL)
        return np.stack([camera.delta_m(label) for label in labels], axis=-1)

    def m0_volumes(self, repetition_times: Sequence[float]) -> FloatArray:
        """Image M0 at repetition times [s], ``(x, y, z, volume)`` [scanner units]."""
        protocols = (replace(self.protocol, m0_repetition_time=time) for time in repetition_times)
        volumes = [Camera(self.static, one).acquire(one.m0_volume) for one in protocols]
        return np.stack(volumes, axis=-1)


class Ratio(NamedTuple):
    """CBF or M0 of blood over the truth in one head, and within what bounds its voxels lie."""

    route: str
    times: tuple[float, ...]
    middle: float
    low: float
    high: float


def routes_table(seeds: Sequence[int], repetition_times: Sequence[float]) -> Table:
    """Calibrate by M0 of every voxel and of a region, at each repetition time.

    Parameters
    ----------
    seeds
        Of the heads.
    repetition_times
        Of the M0 volume [s].
    """
    found = [
        ratio for seed in one_by_one(seeds, 'heads') for ratio in _ratios(seed, repetition_times)
    ]
    routes = dict.fromkeys((ratio.route, ratio.times) for ratio in found)
    rows = [_row([ratio for ratio in found if ratio[:2] == route]) for route in routes]
    question = (
        'What is CBF, or M0 of blood, over the truth, without noise and motion? Median of heads, '
        'and the bounds of all heads: 1st and 99th percentile of voxels, or M0 itself.'
    )
    return Table('routes', question, tuple(rows))


def largest_voxels_table(seeds: Sequence[int]) -> Table:
    """Take M0 of blood from fluid in voxels just small enough for it, at the shortest times.

    Parameters
    ----------
    seeds
        Of the heads.
    """
    found = [
        ratio
        for seed in one_by_one(seeds, 'heads')
        for edges, seconds in LARGEST_VOXELS
        for ratio in _by_region(
            head_of_water(seed, _with_voxels(edges)), seconds, [ReferenceTissue.FLUID]
        )
    ]
    rows = [
        _row([ratio for ratio in found if ratio.route == route])
        for route in dict.fromkeys(ratio.route for ratio in found)
    ]
    question = 'What is M0 of blood from fluid over the truth, in the largest voxels allowed?'
    return Table('largest voxels', question, tuple(rows))


def _ratios(seed: int, repetition_times: Sequence[float]) -> Iterator[Ratio]:
    uneven, fine = uneven_head(seed), uneven_head(seed, FINE)
    even = [head_of_water(seed, protocol) for protocol in (COARSE, FINE, FINEST)]
    for seconds in repetition_times:
        yield _voxelwise(uneven, (seconds,))
        for head in (uneven, fine):
            yield _voxelwise(head, (seconds,), is_grey=True)
        for head in even:
            yield from _by_region(head, seconds)
    yield _voxelwise(uneven, tuple(repetition_times))


def _voxelwise(head: Head, times: tuple[float, ...], *, is_grey: bool = False) -> Ratio:
    volumes = head.m0_volumes(times)
    plan = M0Plan(M0Route.SEPARATE, repetition_times=times)
    m0 = m0_of(head, volumes, plan, M0Options()).m0
    truth, route = head.truth, 'M0 of the voxel, CBF of tissue'
    voxels = truth.brain & (truth.csf < DRY)
    if is_grey:
        voxels = truth.brain & (truth.gray_matter > MOSTLY)
        route = f'M0 of the voxel, CBF of cortex with fluid, {_edges(head)}'
    low, middle, high = np.quantile(cbf_over_truth(head, m0, voxels), [0.01, 0.5, 0.99])
    return Ratio(route, times, middle, low, high)


def _edges(head: Head) -> str:
    return ' x '.join(f'{edge:g}' for edge in head.protocol.grid.voxel_size) + ' mm'


def _by_region(
    head: Head, seconds: float, tissues: Iterable[ReferenceTissue] = ReferenceTissue
) -> Iterator[Ratio]:
    volumes = head.m0_volumes((seconds,))
    plan = M0Plan(M0Route.SEPARATE, repetition_times=(seconds,))
    diagonal = voxel_diagonal(head.protocol.grid.affine)
    is_refused = fluid_problem(diagonal, plan.repetition_times, 'M0')
    for tissue in tissues:
        if tissue is ReferenceTissue.FLUID and is_refused:
            continue
        options = M0Options(method=M0Method.REFERENCE, reference=tissue)
        ratio = blood_over_truth(head, m0_of(head, volumes, plan, options).m0)
        what = f'M0 of blood from {tissue.label}, {_edges(head)}'
        yield Ratio(what, (seconds,), ratio, ratio, ratio)


def _row(heads: Sequence[Ratio]) -> Row:
    return {
        'route': heads[0].route,
        'repetition time [s]': ', '.join(f'{time:g}' for time in heads[0].times),
        'over the truth': round(float(np.median([head.middle for head in heads])), 3),
        'lowest': round(float(min(head.low for head in heads)), 3),
        'highest': round(float(max(head.high for head in heads)), 3),
    }


def uneven_head(seed: int, protocol: ScanProtocol = COARSE) -> Head:
    """Return a head in an uneven receive field, all water of which is tissue's."""
    phantom = draw_phantom(np.random.default_rng(seed))
    return Head(phantom, phantom, protocol)


def head_of_water(seed: int, protocol: ScanProtocol) -> Head:
    """Return a head as the reference method has it: an even coil, each tissue's own water."""
    phantom = draw_phantom(np.random.default_rng(seed))
    anatomy = phantom.anatomy
    parts = np.stack([anatomy.gray_matter, anatomy.white_matter, anatomy.csf, anatomy.scalp])
    tissues = (WHITE_MATTER, FLUID)
    over_blood = (GREY_MATTER[0], *(1 / each.blood_over_tissue.value for each in tissues), SCALP[0])
    times = (GREY_MATTER[1], *(each.t1.value for each in tissues), SCALP[1])
    whole = parts.sum(axis=0)
    t1 = np.tensordot(times, parts, axes=1) / np.maximum(whole, 1e-6)
    water = M0_BLOOD * np.tensordot(over_blood, parts, axes=1)
    static = replace(phantom, m0=water, t1=np.where(whole > AIR, t1, AIR_T1))
    of_blood = M0_BLOOD * protocol.acquisition.partition_coefficient
    return Head(static, replace(phantom, m0=np.full_like(water, of_blood)), protocol)


def m0_of(head: Head, volumes: FloatArray, plan: M0Plan, options: M0Options) -> MeasuredM0:
    """Make M0 from volumes as the app does."""
    late = late_delta_m(head.delta_m, head.protocol.acquisition)
    affine, brain = head.protocol.grid.affine, head.truth.brain
    return measured_m0(
        volumes,
        late,
        brain,
        affine,
        plan=plan,
        acquisition=head.protocol.acquisition,
        options=options,
    )


def cbf_over_truth(head: Head, m0: FloatArray, voxels: NDArray[np.bool_]) -> FloatArray:
    """Divide CBF of voxels by the truth, ``(voxel,)``."""
    truth, acquisition = head.truth, head.protocol.acquisition
    signal = torch.from_numpy(relative_to_m0(head.delta_m, m0, truth.brain)[voxels])
    delay = torch.from_numpy(slice_delay(acquisition, voxels.shape)[voxels].copy())
    fit = fit_cbf_att(signal, acquisition, slice_delay=delay)
    return np.asarray(fit.parameters['cbf'].numpy() / truth.cbf[voxels])


def blood_over_truth(head: Head, m0: FloatArray) -> float:
    """Divide M0 of blood, of which the reference method makes M0 everywhere, by the truth."""
    return float(m0[0, 0, 0] / head.protocol.acquisition.partition_coefficient / M0_BLOOD)
