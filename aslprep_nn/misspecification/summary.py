"""What the tests of a whole run amount to: the numbers beside the maps."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class RegionTests:
    """What the tests say of a region as a whole.

    Parameters
    ----------
    region
        Its name, for people: ``brain``.
    n_voxels, n_tested
        Voxels in it, and those of them in which noise or model could be tested.
    rejected
        Share of the tested voxels with p < .05, by the name of the p map; .05 is what a correct
        model gives. NaN where no voxel has that test.
    claimed
        Share of the tested voxels by the name of their `VoxelClass`, after control of the false
        discovery rate over the brain; they add up to 1.
    p
        p-value of the region as a whole, by the name of the p map; NaN where there is none.
    n_tested_by, n_claimed_by
        Voxels that have a p-value, and those of them that this test alone claims at the false
        discovery rate over the brain, by the name of the p map.
    median
        Of the statistics in the region, by the name of their map; NaN where there is none.
    """

    region: str
    n_voxels: int
    n_tested: int
    rejected: Mapping[str, float]
    claimed: Mapping[str, float]
    p: Mapping[str, float]
    n_tested_by: Mapping[str, int] = field(default_factory=dict)
    n_claimed_by: Mapping[str, int] = field(default_factory=dict)
    median: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Convergence:
    """How estimates settle with the number of repetitions, beside what correct ones would do.

    All but the counts have one entry per number of repetitions, and are medians over voxels.

    Parameters
    ----------
    n_voxels, n_draws
        Voxels looked at, and subsets of the repetitions drawn for each number.
    n_repetitions
        Size of the subsets, from 2 to all.
    kappa, lambda_max, lambda_min
        Infinite kappa is what two repetitions give by construction.
    kappa_null, kappa_null_low, kappa_null_high
        Median and 5th and 95th percentile of kappa in a single voxel with noise as assumed.
    lambda_max_null, lambda_min_null
        Medians with noise as assumed.
    bias_cbf, bias_att
        Distance between the mean estimate of the subsets and that from all repetitions
        [mL/100 g/min, s].
    std_cbf, std_att
        Standard deviation of the estimate from so many repetitions [mL/100 g/min, s].
    bound_cbf, bound_att
        What the Cramér-Rao bound promises for so many repetitions [mL/100 g/min, s].
    """

    n_voxels: int
    n_draws: int
    n_repetitions: tuple[int, ...]
    kappa: tuple[float, ...]
    kappa_null: tuple[float, ...]
    kappa_null_low: tuple[float, ...]
    kappa_null_high: tuple[float, ...]
    lambda_max: tuple[float, ...]
    lambda_max_null: tuple[float, ...]
    lambda_min: tuple[float, ...]
    lambda_min_null: tuple[float, ...]
    bias_cbf: tuple[float, ...]
    bias_att: tuple[float, ...]
    std_cbf: tuple[float, ...]
    std_att: tuple[float, ...]
    bound_cbf: tuple[float, ...]
    bound_att: tuple[float, ...]


@dataclass(frozen=True)
class FixedT1Test:
    """Whether a group of voxels would rather have its own tissue T1.

    Parameters
    ----------
    region
        The group, for people: ``brightest 10 %``.
    n_voxels
        In the group.
    t1_before, t1_after
        The T1 assumed for all, and the one that fits the group best [s].
    p
        Of the group's mean score along tissue decay, before: small where T1 (or outflow) is
        not as assumed.
    misfit_before, misfit_after
        Share of its voxels whose lack of fit has p < .05.
    decay_before, decay_after
        Share of its voxels whose score test of tissue decay has p < .05.
    cbf_before, cbf_after
        Median CBF of the group [mL/100 g/min].
    kappa_before, kappa_after
        Median kappa of the group. It does not depend on whether T1 is right.
    """

    region: str
    n_voxels: int
    t1_before: float
    t1_after: float
    p: float
    misfit_before: float
    misfit_after: float
    decay_before: float
    decay_after: float
    cbf_before: float
    cbf_after: float
    kappa_before: float = math.nan
    kappa_after: float = math.nan


@dataclass(frozen=True)
class TrustSummary:
    """The numbers beside the maps of one run.

    Parameters
    ----------
    false_discovery_rate
        At which voxels were classified.
    limits
        Sentences on what could not be tested, and why.
    regions
        The first is the brain.
    n_repetitions
        Complete repetitions of most voxels of the brain.
    convergence, fixed_t1
        None where there are too few repetitions, or they were not asked for.
    """

    false_discovery_rate: float
    limits: tuple[str, ...]
    regions: tuple[RegionTests, ...]
    n_repetitions: int
    convergence: Convergence | None = None
    fixed_t1: FixedT1Test | None = None

    def with_cbf_over(self, unit: float) -> TrustSummary:
        """Divide every CBF by a unit [mL/100 g/min]."""

        def over(values: tuple[float, ...]) -> tuple[float, ...]:
            return tuple(value / unit for value in values)

        settled, own_t1 = self.convergence, self.fixed_t1
        if settled is not None:
            settled = replace(
                settled,
                bias_cbf=over(settled.bias_cbf),
                std_cbf=over(settled.std_cbf),
                bound_cbf=over(settled.bound_cbf),
            )
        if own_t1 is not None:
            before, after = own_t1.cbf_before / unit, own_t1.cbf_after / unit
            own_t1 = replace(own_t1, cbf_before=before, cbf_after=after)
        return replace(self, convergence=settled, fixed_t1=own_t1)

    def as_json(self) -> str:
        """Write it as JSON; what is not finite becomes a word that `from_json` understands."""
        return json.dumps(_spell(asdict(self)), indent=1, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> TrustSummary:
        """Read what `as_json` wrote."""
        content: Any = _unspell(json.loads(text))
        convergence, fixed_t1 = content.pop('convergence'), content.pop('fixed_t1')
        return cls(
            false_discovery_rate=content['false_discovery_rate'],
            limits=content['limits'],
            regions=tuple(RegionTests(**region) for region in content['regions']),
            n_repetitions=content['n_repetitions'],
            convergence=None if convergence is None else Convergence(**convergence),
            fixed_t1=None if fixed_t1 is None else FixedT1Test(**fixed_t1),
        )


_WORDS = {'n/a': math.nan, 'infinite': math.inf}


def _spell(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _spell(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_spell(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return 'n/a' if math.isnan(value) else 'infinite'
    return value


def _unspell(value: object) -> object:
    if isinstance(value, dict):
        return {key: _unspell(item) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_unspell(item) for item in value)
    return _WORDS.get(value, value) if isinstance(value, str) else value
