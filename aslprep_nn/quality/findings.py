"""What can make a run implausible."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

#: The word of a run that passed every gate.
PLAUSIBLE = 'none'


class Gate(StrEnum):
    """One reason why a run cannot be right; the words of the table of quality."""

    ALL_ZERO = 'all_zero'
    SWAPPED = 'swapped_labels'
    NO_PERFUSION = 'no_perfusion'
    M0_SCALE = 'm0_scale'
    M0_REGION = 'm0_region'
    CBF_RANGE = 'cbf_range'
    ATT_AT_BOUND = 'att_at_bound'
    MOTION = 'motion'
    TERRITORY = 'territory'

    @property
    def meaning(self) -> str:
        """What it says, in a few words."""
        return _MEANING[self]


_MEANING = {
    Gate.ALL_ZERO: 'nothing but zeros',
    Gate.SWAPPED: 'label and control swapped',
    Gate.NO_PERFUSION: 'no perfusion to be seen',
    Gate.M0_SCALE: 'M0 stored in another unit than the series',
    Gate.M0_REGION: 'fluid and white matter disagree about M0 of blood',
    Gate.CBF_RANGE: 'CBF of grey matter outside of physiology',
    Gate.ATT_AT_BOUND: 'transit times at the end of their range',
    Gate.MOTION: 'motion too large',
    Gate.TERRITORY: 'a vascular territory without label',
}


@dataclass(frozen=True)
class Finding:
    """A gate that a run did not pass.

    Parameters
    ----------
    gate
        Which.
    found
        The evidence with its numbers, as a clause.
    remedy
        What to do, as a sentence.
    """

    gate: Gate
    found: str
    remedy: str
