"""A number beside the number it should be, and whether they agree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

from aslprep_nn.estimation.benchmark.scenarios import Row, Table

#: Fewer voxels than this make no rate.
FEWEST_VOXELS = 50

Record = dict[str, str | float | bool | None]


class Verdict(StrEnum):
    """Whether a number is what it should be."""

    AGREES = 'yes'
    DIFFERS = 'NO'
    #: Outside what is allowed, by less than two standard errors of the simulation.
    IN_DOUBT = 'within error'
    #: The reference does not say how it was made.
    INCOMPARABLE = 'not comparable'


class Rule(StrEnum):
    """How a finding is compared with its reference."""

    WITHIN = 'within'
    AT_LEAST = 'at least'
    AT_MOST = 'at most'


@dataclass(frozen=True)
class Finding:
    """One measured quantity.

    Parameters
    ----------
    figure
        The figure of the paper, or the gate, that it belongs to.
    quantity
        In words, with its unit.
    ours
        As measured in this run.
    error
        Its standard error in simulation; NaN where it has none or none was computed.
    reference
        What an independent implementation found, or what is demanded.
    tolerance
        How far `ours` may lie from it under `Rule.WITHIN`; None where the reference does not say
        how it was made, so that the two cannot be compared.
    rule
        How they are compared.
    note
        What the reader must know.
    """

    figure: str
    quantity: str
    ours: float
    error: float
    reference: float
    tolerance: float | None = None
    rule: Rule = Rule.WITHIN
    note: str = ''

    @property
    def verdict(self) -> Verdict:
        """Whether they agree."""
        excess = self._excess()
        if excess is None:
            return Verdict.INCOMPARABLE
        if excess <= 0:
            return Verdict.AGREES
        doubt = 0.0 if math.isnan(self.error) else 2 * self.error
        return Verdict.IN_DOUBT if excess <= doubt else Verdict.DIFFERS

    def _excess(self) -> float | None:
        """Find how far the number lies beyond what is allowed; None where nothing is said."""
        if self.rule is Rule.AT_LEAST:
            return self.reference - self.ours
        if self.rule is Rule.AT_MOST:
            return self.ours - self.reference
        if self.tolerance is None:
            return None
        if self.ours == self.reference:
            return 0.0
        return abs(self.ours - self.reference) - self.tolerance

    def as_row(self) -> Row:
        """Spell it out for a table."""
        tolerance = '' if self.tolerance is None else f'±{self.tolerance:.3g}'
        return {
            'figure': self.figure,
            'quantity': self.quantity,
            'ours': spell(self.ours),
            'error': '' if math.isnan(self.error) else f'{self.error:.2g}',
            'reference': spell(self.reference),
            'tolerance': tolerance if self.rule is Rule.WITHIN else str(self.rule),
            'agrees': str(self.verdict),
            'note': self.note,
        }

    def as_record(self) -> Record:
        """Give every digit, for JSON: what is not finite becomes a word or null."""
        return {
            'figure': self.figure,
            'quantity': self.quantity,
            'ours': _number(self.ours),
            'error': _number(self.error),
            'reference': _number(self.reference),
            'tolerance': None if self.tolerance is None else _number(self.tolerance),
            'rule': str(self.rule),
            'agrees': str(self.verdict),
            'note': self.note,
        }


@dataclass(frozen=True)
class Share:
    """A share of voxels and its binomial standard error."""

    value: float
    n_voxels: int

    @classmethod
    def below(cls, p: Tensor, level: float = 0.05) -> Share:
        """Find the share of tested voxels with a p-value below a level."""
        tested = p[torch.isfinite(p)]
        if not len(tested):
            return cls(math.nan, 0)
        return cls(float((tested < level).double().mean()), len(tested))

    @property
    def error(self) -> float:
        """Of the share, if the voxels are independent."""
        if not self.n_voxels:
            return math.nan
        return math.sqrt(self.value * (1 - self.value) / self.n_voxels)

    @property
    def says_something(self) -> bool:
        """Whether it is of enough voxels to be a rate."""
        return self.n_voxels >= FEWEST_VOXELS

    def __str__(self) -> str:
        return f'{self.value:.3f}' if self.says_something else '–'


def error_of_median(values: Tensor) -> float:
    """Estimate the standard error of a median from the order statistics around it."""
    ordered = values[torch.isfinite(values)].sort().values
    if not len(ordered):
        return 0.0
    half, step = len(ordered) / 2, 0.5 * len(ordered) ** 0.5
    last = len(ordered) - 1
    low, high = (min(max(round(half + side * step), 0), last) for side in (-1, 1))
    return float(ordered[high] - ordered[low]) / 2


def as_table(findings: tuple[Finding, ...]) -> Table:
    """Lay findings out beside their references."""
    question = 'Is what is measured here what an independent implementation found?'
    return Table('evidence', question, tuple(finding.as_row() for finding in findings))


def spell(value: float) -> str:
    """Write a number with three significant digits; infinity as a word."""
    if math.isinf(value):
        return 'infinite'
    return f'{value:.3f}' if abs(value) < 1 else f'{value:.3g}'


def _number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return 'infinite' if math.isinf(value) else value
