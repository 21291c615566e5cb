"""How far the estimators of a run agree, in numbers and sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from aslprep_nn.maps import FloatArray, ParameterMap
from aslprep_nn.report.drawn_map import percent
from aslprep_nn.report.results import RunResults
from aslprep_nn.settings import Estimator

#: Quantities that are compared, and how people call them.
COMPARED = {'cbf': 'CBF', 'att': 'ATT'}
#: A difference beyond so many standard deviations of the one that is compared with is counted.
FAR = 2.0


@dataclass(frozen=True)
class Agreement:
    """One quantity of two estimators, over the voxels where both have an estimate.

    Parameters
    ----------
    estimator, reference
        Who is compared with whom.
    quantity
        A key of `COMPARED`.
    unit
        Of what follows, but for the last two.
    n_voxels
        How many there are.
    median, reference_median
        Of each.
    difference
        Median of the first less the second.
    low, high
        95 % of the differences lie between.
    correlation
        Over voxels [1].
    far
        Share of voxels that differ by more than two standard deviations of the second [1].
    """

    estimator: Estimator
    reference: Estimator
    quantity: str
    unit: str
    n_voxels: int
    median: float
    reference_median: float
    difference: float
    low: float
    high: float
    correlation: float
    far: float

    @property
    def sentence(self) -> str:
        """All of it for people."""
        name, digits, unit = COMPARED[self.quantity], self.digits, self._unit
        return (
            f'{name} in {self.n_voxels} voxels where both have an estimate: {self.estimator.label} '
            f'{self.median:.{digits}f}{unit}, {self.reference.label} '
            f'{self.reference_median:.{digits}f}{unit} (medians). The median difference is '
            f'{_signed(self.difference, digits)}{unit}; 95 % lie between '
            f'{_signed(self.low, digits)} and {_signed(self.high, digits)}{unit}. Over voxels they '
            f'correlate by {self.correlation:.2f}; in {percent(self.far)} they differ by more than '
            f'two standard deviations of {self.reference.label}.'
        )

    @property
    def digits(self) -> int:
        """How many decimals say something."""
        return 1 if self.unit.startswith('mL') else 2

    @property
    def _unit(self) -> str:
        return '' if self.unit == '1' else f' {self.unit}'


def agreements(results: RunResults) -> Iterator[Agreement]:
    """Compare every other estimator with least squares, or with the primary one without it."""
    reference = reference_of(results)
    for estimator in results.estimation.estimators:
        if estimator is reference:
            continue
        for quantity in COMPARED:
            values, wanted = (maps_of(results, each) for each in (estimator, reference))
            if quantity in values and quantity in wanted:
                found = _agreement(values[quantity], wanted, quantity, (estimator, reference))
                if found is not None:
                    yield found


def reference_of(results: RunResults) -> Estimator:
    """Name the estimator that the others are compared with."""
    served = results.estimation.estimators
    return Estimator.LEAST_SQUARES if Estimator.LEAST_SQUARES in served else served[0]


def maps_of(results: RunResults, estimator: Estimator) -> Mapping[str, ParameterMap]:
    """Return the maps of an estimator by quantity."""
    is_primary = estimator is results.estimation.primary
    return results.maps if is_primary else results.others[estimator]


def both_known(one: FloatArray, other: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Keep the voxels where both have a value, ``(voxel,)`` each."""
    known = np.isfinite(one) & np.isfinite(other)
    return one[known], other[known]


def agreement_facts(results: RunResults) -> dict[str, Any] | None:
    """Write everything the section says; None where one estimator stands alone."""
    if not results.others:
        return None
    found = list(agreements(results))
    return {
        'sentences': [*(each.sentence for each in found), *_caution(results)],
        'rows': [
            {name: _plain(getattr(each, name)) for name in Agreement.__dataclass_fields__}
            for each in found
        ],
    }


def _caution(results: RunResults) -> Iterator[str]:
    names = ' and '.join(each.label for each in results.estimation.estimators)
    yield (
        f'{names[:1].upper()}{names[1:]} share the measurements and the constants: where they '
        'agree, a wrong T1 or labelling efficiency is still wrong in both. Those that look at '
        'neighbours scatter less and smear what is smaller than their surroundings.'
    )


def _agreement(
    values: ParameterMap,
    wanted: Mapping[str, ParameterMap],
    quantity: str,
    who: tuple[Estimator, Estimator],
) -> Agreement | None:
    one, other = both_known(values.values, wanted[quantity].values)
    if one.size < 2:
        return None
    difference = one - other
    low, high = np.percentile(difference, (2.5, 97.5))
    varies = bool(one.std() > 0 and other.std() > 0)
    return Agreement(
        *who,
        quantity=quantity,
        unit=wanted[quantity].unit,
        n_voxels=int(one.size),
        median=float(np.median(one)),
        reference_median=float(np.median(other)),
        difference=float(np.median(difference)),
        low=float(low),
        high=float(high),
        correlation=float(np.corrcoef(one, other)[0, 1]) if varies else 0.0,
        far=_far(values.values - wanted[quantity].values, wanted.get(f'std_{quantity}')),
    )


def _far(difference: FloatArray, std: ParameterMap | None) -> float:
    """Count the voxels whose difference exceeds what one estimate is known to; 0 without it."""
    if std is None:
        return 0.0
    size, known = both_known(np.abs(difference), std.values)
    return float((size > FAR * known).mean()) if size.size else 0.0


def _signed(value: float, digits: int) -> str:
    return f'{value:+.{digits}f}'.replace('-', '−')


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Estimator) else value
