"""What is demanded of the network, beside what was measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aslprep_nn.estimation.benchmark.scenarios import Row, Table
from aslprep_nn.evaluation.estimators import Family
from aslprep_nn.evaluation.scores import Parameter, Ratio, Region, Results
from aslprep_nn.evaluation.suite import VOXELWISE_SNR, Evaluation, at_snr
from aslprep_nn.evaluation.tables import NETWORK, UNITS

CBF, ATT = Parameter
CENTRAL = (3.0, 5.0, 10.0)
#: Demanded at SNR 3, 5 and 10: numerator's parameter and region, denominator, floor, goal.
RATIOS = (
    (CBF, Region.BRAIN, Family.SMOOTHED, (0.75, 0.72, 0.70), (0.68, 0.65, 0.60)),
    (CBF, Region.BRAIN, Family.HYBRID, (0.92, 0.91, 0.90), (0.85, 0.83, 0.80)),
    (ATT, Region.BRAIN, Family.SMOOTHED, (0.82, 0.77, 0.70), (0.72, 0.67, 0.60)),
    (CBF, Region.GRAY_MATTER, Family.HYBRID, (0.98, 0.96, 0.94), (0.92, 0.90, 0.88)),
)
#: Recovery of foci at SNR 3, 5 and 10, at the end of the dial with the least bias.
RECOVERY_FLOOR, RECOVERY_GOAL = (0.88, 0.93, 0.97), (0.92, 0.96, 0.98)
#: Extra bias under wrong physics [mL/100 g/min, ms].
EXTRA_BIAS = {CBF: 1.0, ATT: 10.0}
#: Loss over the bound on protocols never trained on.
LOSS_RANGE = (0.8, 1.1)


@dataclass(frozen=True)
class Requirement:
    """One line of what is demanded.

    Parameters
    ----------
    quantity
        In words.
    where
        The SNR or protocol it was measured at.
    measured
        At the end of the dial with the least error and at that with the least bias.
    judged
        Which of the two is judged.
    floor, goal
        Lowest and highest value that meets it.
    """

    quantity: str
    where: str
    measured: tuple[Ratio | float, Ratio | float]
    judged: Family
    floor: tuple[float, float]
    goal: tuple[float, float]

    def meets(self, limits: tuple[float, float]) -> bool:
        """Whether the judged value, as it is printed, lies within limits."""
        value = round(_number(self.measured[NETWORK.index(self.judged)]), 2)
        return limits[0] <= value <= limits[1]

    def as_row(self) -> Row:
        """Spell it out."""
        return {
            'quantity': self.quantity,
            'where': self.where,
            **{
                str(family): _spell(one) for family, one in zip(NETWORK, self.measured, strict=True)
            },
            'judged': str(self.judged).removeprefix('network, '),
            'floor': _limits(self.floor),
            'floor met': 'yes' if self.meets(self.floor) else 'NO',
            'goal': _limits(self.goal),
            'goal met': 'yes' if self.meets(self.goal) else 'no',
        }


def requirement_table(found: Evaluation) -> Table:
    """Lay out all requirements; there are none where there is no network."""
    requirements = tuple(_requirements(found)) if has_network(found) else ()
    question = 'Is the network as good as demanded? Ratios of RMSE, unless said otherwise.'
    return Table('requirements', question, tuple(one.as_row() for one in requirements))


def rough_requirement_table(found: Evaluation) -> Table:
    """Lay out the ratios that are demanded, on brains as rough as real ones."""
    requirements = tuple(_ratios(found.fine)) if has_network(found) else ()
    question = (
        'The same ratios on brains whose voxels differ from their neighbours as in vivo: smoothing '
        'gains less there, for every estimator.'
    )
    rows = tuple(one.as_row() for one in requirements)
    return Table('requirements, fine structure', question, rows)


def has_network(found: Evaluation) -> bool:
    """Whether a network was evaluated."""
    return Family.LEAST_ERROR in found.typical.families


def _requirements(found: Evaluation) -> Iterator[Requirement]:
    yield from _ratios(found.known)
    for parameter in Parameter:
        low = at_snr(found.known, 2.0)
        yield _ratio(low, Family.SMOOTHED, parameter, Region.GRAY_MATTER, (1.03, 0.97))
    yield from _recoveries(found)
    yield _ratio(
        found.scattered,
        Family.LEAST_SQUARES,
        CBF,
        Region.BRAIN,
        (1.0, 0.95),
        name='voxelwise-random, ',
    )
    yield from (_extra_bias(found.wrong, parameter) for parameter in Parameter)
    yield from _coverages(found)
    yield from _losses(found.voxelwise)


def _ratios(results: tuple[Results, ...]) -> Iterator[Requirement]:
    for parameter, region, other, floors, goals in RATIOS:
        for snr, floor, goal in zip(CENTRAL, floors, goals, strict=True):
            yield _ratio(at_snr(results, snr), other, parameter, region, (floor, goal))


def _ratio(
    results: Results,
    other: Family,
    parameter: Parameter,
    region: Region,
    limits: tuple[float, float],
    *,
    name: str = '',
) -> Requirement:
    first, last = (results.ratio(family, other, parameter, region) for family in NETWORK)
    floor, goal = limits
    return Requirement(
        f'{name}{region.words} {parameter.name} / {other}',
        f'SNR {results.condition.snr:g}',
        (first, last),
        Family.LEAST_ERROR,
        (0.0, floor),
        (0.0, goal),
    )


def _recoveries(found: Evaluation) -> Iterator[Requirement]:
    by_snr = {one.results.condition.snr: one for one in found.foci}
    for snr, floor, goal in zip(CENTRAL, RECOVERY_FLOOR, RECOVERY_GOAL, strict=True):
        first, last = (by_snr[snr].recovery(family, CBF) for family in NETWORK)
        yield Requirement(
            'foci of 1–3 voxels, CBF recovered',
            f'SNR {snr:g}',
            (first, last),
            Family.LEAST_BIAS,
            (floor, math.inf),
            (goal, math.inf),
        )


def _extra_bias(wrong: Sequence[Results], parameter: Parameter) -> Requirement:
    """Find by how much a wrong constant biases the network more than the hybrid fit, at most."""
    factor, unit = UNITS[parameter]

    def extra(one: Results, family: Family) -> float:
        network, hybrid = (
            one.score(which, parameter, Region.BRAIN) for which in (family, Family.HYBRID)
        )
        return factor * (abs(network.bias) - abs(hybrid.bias))

    first, last = (max(extra(one, family) for one in wrong) for family in NETWORK)
    return Requirement(
        f'wrong physics, most |bias| of {parameter.name} over that of HYB** [{unit}]',
        f'SNR {wrong[0].condition.snr:g}',
        (first, last),
        Family.LEAST_ERROR,
        (-math.inf, EXTRA_BIAS[parameter]),
        (-math.inf, EXTRA_BIAS[parameter]),
    )


def _coverages(found: Evaluation) -> Iterator[Requirement]:
    results = [at_snr(found.known, snr) for snr in CENTRAL]
    for parameter in Parameter:
        for name, level in (('within_68', 0.68), ('within_95', 0.95)):
            first, last = (
                _farthest(results, family, (parameter, Region.BRAIN, name), level)
                for family in NETWORK
            )
            yield Requirement(
                f'coverage of {parameter.name}, {100 * level:.0f} %, the farthest',
                'SNR 3–10',
                (first, last),
                Family.LEAST_ERROR,
                (round(level - 0.05, 2), round(level + 0.05, 2)),
                (round(level - 0.03, 2), round(level + 0.03, 2)),
            )
    for parameter, lesions in ((CBF, found.foci), (ATT, found.late_foci)):
        in_foci = [one.results for one in lesions]
        first, last = (
            min(one.score(family, parameter, Region.LESION).within_95 for one in in_foci)
            for family in NETWORK
        )
        yield Requirement(
            f'coverage of {parameter.name} in foci, 95 %, the least',
            'SNR 3–10',
            (first, last),
            Family.LEAST_ERROR,
            (0.70, math.inf),
            (0.85, math.inf),
        )


def _farthest(
    results: Sequence[Results],
    family: Family,
    which: tuple[Parameter, Region, str],
    level: float,
) -> float:
    parameter, region, name = which
    shares = [getattr(one.score(family, parameter, region), name) for one in results]
    return float(max(shares, key=lambda share: abs(share - level)))


def _losses(voxelwise: Sequence[Results]) -> Iterator[Requirement]:
    for one in voxelwise:
        for parameter in Parameter:
            first, last = (one.score(f, parameter, Region.BRAIN).loss for f in NETWORK)
            yield Requirement(
                f'loss over bound of {parameter.name}, voxelwise',
                f'{one.condition.protocol}, SNR {VOXELWISE_SNR:g}',
                (first, last),
                Family.LEAST_ERROR,
                LOSS_RANGE,
                LOSS_RANGE,
            )


def _number(value: Ratio | float) -> float:
    return value.value if isinstance(value, Ratio) else value


def _spell(value: Ratio | float) -> str:
    return str(value) if isinstance(value, Ratio) else f'{value:.2f}'


def _limits(limits: tuple[float, float]) -> str:
    low, high = limits
    if low <= 0:
        return f'≤ {high:g}'
    return f'≥ {low:g}' if high == math.inf else f'{low:g}–{high:g}'
