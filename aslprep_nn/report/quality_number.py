"""A number, what is usual for it, and how the two compare."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    """How a number compares with what is usual."""

    GOOD = 'good'
    LOOK = 'look'
    BAD = 'bad'
    UNKNOWN = 'unknown'


@dataclass(frozen=True)
class QualityNumber:
    """One number, what is usual for it, and what it means when it is not.

    Parameters
    ----------
    name
        Column of the table of quality numbers. Names that start with ``fraction_`` are shares
        between 0 and 1, which people read in per cent.
    value
        NaN where the run cannot tell.
    unit
        As BIDS writes it, '1' for a ratio.
    usual_low, usual_high
        Between them nothing needs to be said; the upper one may be infinite.
    meaning
        One line for people.
    label
        The name people read.
    limit_low, limit_high
        Beyond them the run cannot be right.
    if_low, if_high
        What a value below or above the usual range says, as a clause; ``{value}`` is filled.
    """

    name: str
    value: float
    unit: str
    usual_low: float
    usual_high: float
    meaning: str
    label: str = ''
    limit_low: float = -math.inf
    limit_high: float = math.inf
    if_low: str = ''
    if_high: str = ''

    @property
    def mark(self) -> Mark:
        """Compare the value with its usual range and its limits."""
        if math.isnan(self.value):
            return Mark.UNKNOWN
        if not self.limit_low <= self.value <= self.limit_high:
            return Mark.BAD
        return Mark.GOOD if self.usual_low <= self.value <= self.usual_high else Mark.LOOK

    @property
    def text(self) -> str:
        """The value with its unit, as people read it."""
        return 'not known' if math.isnan(self.value) else f'{self.digits(self.value)}{self.suffix}'

    @property
    def usual_text(self) -> str:
        """The usual range with its unit, as people read it."""
        return f'{self.usual_digits}{self.suffix}'

    @property
    def usual_digits(self) -> str:
        """The usual range without its unit."""
        if math.isinf(self.usual_high):
            return f'at least {self.digits(self.usual_low)}'
        return f'{self.digits(self.usual_low)} to {self.digits(self.usual_high)}'

    @property
    def concern(self) -> str:
        """What an unusual value says; '' for a usual or unknown one."""
        if self.mark in (Mark.GOOD, Mark.UNKNOWN):
            return ''
        clause = self.if_low if self.value < self.usual_low else self.if_high
        return clause.format(value=self.text)

    @property
    def suffix(self) -> str:
        """The unit as it follows the number."""
        if self.name.startswith('fraction_'):
            return ' %'
        return '' if self.unit == '1' else f' {self.unit}'

    def digits(self, value: float) -> str:
        """Write a number to three significant digits, in per cent where it is a share."""
        value = 100 * value if self.name.startswith('fraction_') else value
        if value == 0 or not math.isfinite(value):
            return f'{value:g}'
        decimals = max(0, 2 - math.floor(math.log10(abs(value))))
        written = f'{value:.{min(decimals, 4)}f}'
        trimmed = written.rstrip('0').rstrip('.') if '.' in written else written
        return trimmed.replace('-', '−')
