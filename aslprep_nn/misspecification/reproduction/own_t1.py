"""Figure 4: does a T1 of their own help the brightest voxels, and what would show it?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from aslprep_nn.estimation.benchmark.evidence import Finding, Rule, Share
from aslprep_nn.estimation.benchmark.scenarios import Row, Table
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.maps import FloatArray
from aslprep_nn.misspecification.assessment import Assessment
from aslprep_nn.misspecification.fixed_parameter import fixed_t1_test
from aslprep_nn.misspecification.reproduction.phantoms import Slice
from aslprep_nn.misspecification.reproduction.scenarios import (
    LONGER_T1,
    ORGANS,
    Organ,
    Truth,
    fit_and_assess,
    generator_of,
    repeat,
)
from aslprep_nn.misspecification.summary import FixedT1Test
from aslprep_nn.signal.kinetics import delta_m
from aslprep_nn.signal.protocol import Protocol

#: The share of voxels, by strength of the signal, that the paper gives a T1 of their own (3.4).
BRIGHTEST = 0.1
#: By how much the median of kappa may differ between the two fits and still be the same.
SAME_KAPPA = 0.1


@dataclass(frozen=True)
class BeforeAfter:
    """One organ fitted with one T1 for all, and with the true T1 of each voxel.

    Parameters
    ----------
    organ
        Which.
    bright
        Which voxels have another T1, ``(voxel,)``.
    before, after
        With a global and with a voxelwise T1.
    fit
        With the global one.
    data
        ``(voxel, measurement)``.
    """

    organ: Organ
    bright: Tensor
    before: Assessment
    after: Assessment
    fit: Fit
    data: Tensor

    def find_t1(self) -> FixedT1Test:
        """Find the T1 that fits the brightest voxels best, without knowing the true one."""
        acquisition = repeat(self.organ.protocol, self.organ.n_repetitions)
        found = fixed_t1_test(self.data, acquisition, self.fit, self.before, bright=self.bright)
        return cast(FixedT1Test, found)  # many delays and repetitions can always tell


@dataclass(frozen=True)
class OwnT1Maps:
    """What Figure 4 shows of one organ: maps by quantity, ``(row, column)``, before and after."""

    organ: Organ
    before: Mapping[str, FloatArray]
    after: Mapping[str, FloatArray]


MAPPED = ('lambdamax', 'lambdamin', 'kappa', 'pmodel')


def give_own_t1(organ: Organ, truth: Truth, generator: torch.Generator) -> BeforeAfter:
    """Simulate voxels of which the brightest have a T1 20 % longer than the others."""
    common = torch.full_like(truth.cbf, organ.population.t1_tissue)
    plain = delta_m(truth.cbf, truth.att, Protocol.of(organ.protocol))
    brightness = plain.mean(-1)
    bright = brightness > brightness.quantile(1 - BRIGHTEST)
    own = torch.where(bright, LONGER_T1 * common, common)
    signal = delta_m(truth.cbf, truth.att, Protocol.of(organ.protocol, t1_tissue=own))
    shape = len(signal), organ.n_repetitions, signal.shape[-1]
    noise = torch.randn(shape, generator=generator, dtype=torch.float64)
    data = (signal.unsqueeze(1) + organ.population.noise * noise).flatten(1)
    acquisition = repeat(organ.protocol, organ.n_repetitions)
    fit, before = fit_and_assess(data, acquisition)
    _, after = fit_and_assess(data, acquisition, own)
    return BeforeAfter(organ, bright, before, after, fit, data)


def own_t1_maps(slice_: Slice, seed: int) -> OwnT1Maps:
    """Map eigenvalues, kappa and the lack of fit before and after."""
    found = give_own_t1(slice_.organ, slice_.truth, generator_of(seed, 600))
    before, after = (
        {name: slice_.image(one.statistics[name]) for name in MAPPED}
        for one in (found.before, found.after)
    )
    return OwnT1Maps(slice_.organ, before, after)


def own_t1_evidence(n_voxels: int, seed: int) -> tuple[Table, tuple[Finding, ...]]:
    """Measure what moves in the brightest voxels when they get their own T1.

    Flow is at least a third of the range's end: dim voxels are never among the brightest.
    """
    rows: list[Row] = []
    findings: list[Finding] = []
    for place, organ in enumerate(ORGANS):
        highest = organ.population.cbf[1]
        bright = replace(organ.population, cbf=(highest / 3, highest))
        generator = generator_of(seed, 610 + place)
        found = give_own_t1(organ, Truth.draw(bright, n_voxels, generator), generator)
        for when, one in (('one T1 for all', found.before), ('its own T1', found.after)):
            rows.append({'organ': organ.name, 'fitted with': when, **_summary(one, found.bright)})
        findings += _findings(found)
    question = 'What do the brightest 10 % show, whose T1 is 20 % longer, with and without it?'
    return Table('own T1', question, tuple(rows)), tuple(findings)


def _summary(found: Assessment, bright: Tensor) -> Row:
    names = {'lambdamax': 'lambda max', 'lambdamin': 'lambda min', 'kappa': 'kappa'}
    medians: Row = {
        f'median {label}': round(float(found.statistics[name][bright].nanmedian()), 3)
        for name, label in names.items()
    }
    tests = {'kappa p < .05': 'pnoise', 'lack of fit': 'pmodel', 'decay': 'pdecay'}
    shares = {
        label: str(Share.below(found.statistics[name][bright])) for label, name in tests.items()
    }
    return {**medians, **shares}


def _findings(found: BeforeAfter) -> Iterator[Finding]:
    def median(one: Assessment) -> float:
        return float(one.statistics['kappa'][found.bright].nanmedian())

    moved = abs(median(found.after) - median(found.before))
    quantity = f'{found.organ.name}: change of median kappa in the brightest 10 %'
    yield Finding(
        'Figure 4',
        quantity,
        moved,
        float('nan'),
        SAME_KAPPA,
        rule=Rule.AT_MOST,
        note='kappa before and after says nothing about T1',
    )
    fixed = found.find_t1()
    yield Finding(
        'Figure 4',
        f'{found.organ.name}: T1 found in the brightest 10 % [s]',
        fixed.t1_after,
        float('nan'),
        LONGER_T1 * found.organ.population.t1_tissue,
        0.03,
        note=f'the truth; assumed {fixed.t1_before:g} s, p = {fixed.p:.1g}',
    )
    after = Share.below(found.after.statistics['pmodel'][found.bright])
    quantity = f'{found.organ.name}: lack of fit in the brightest 10 %, own T1'
    tolerance = max(0.01, 3 * after.error)
    yield Finding('Figure 4', quantity, after.value, after.error, 0.05, tolerance)
