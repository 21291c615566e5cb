"""One sentence on whether a run can be used, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from aslprep_nn.quality.findings import Finding
from aslprep_nn.report.quality_number import Mark, QualityNumber

#: Numbers whose trouble explains that of others are named before them.
CAUSES_FIRST = ('mean_delta_m', 'perfusion_z', 'fd_mean')
_CAUSE_RANK = {name: rank for rank, name in enumerate(CAUSES_FIRST)}
#: More reasons than this nobody reads in one sentence.
MOST_REASONS = 3


class Usability(StrEnum):
    """The word the reader sees first."""

    USABLE = 'Usable'
    WITH_CARE = 'Usable with care'
    NOT_USABLE = 'Not usable'


@dataclass(frozen=True)
class Verdict:
    """Whether a run can be used, and why not or why only with care.

    Parameters
    ----------
    usability
        The word.
    reasons
        Clauses, the most important first; none for a usable run.
    """

    usability: Usability
    reasons: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The reasons after the word, as one sentence."""
        if not self.reasons:
            return 'every number that could be measured lies within its usual range.'
        n_more = len(self.reasons) - MOST_REASONS
        more = f'; and {n_more} more below' if n_more > 0 else ''
        return f'{"; ".join(self.reasons[:MOST_REASONS])}{more}.'


def judge(
    numbers: Sequence[QualityNumber], *, has_m0: bool = True, findings: Sequence[Finding] = ()
) -> Verdict:
    """Weigh the numbers of quality: one impossible number decides, an unusual one warns.

    Parameters
    ----------
    numbers
        Of `measure_quality`.
    has_m0
        False where CBF is relative.
    findings
        What makes the run implausible. They decide alone: impossible numbers follow from them.
    """
    if findings:
        return Verdict(Usability.NOT_USABLE, tuple(finding.found for finding in findings))
    impossible = _concerns(numbers, Mark.BAD)
    if impossible:
        return Verdict(Usability.NOT_USABLE, impossible)
    unusual = _concerns(numbers, Mark.LOOK)
    if not has_m0:
        unusual = ('CBF is relative, because there is no M0', *unusual)
    return Verdict(Usability.WITH_CARE, unusual) if unusual else Verdict(Usability.USABLE)


def _concerns(numbers: Sequence[QualityNumber], mark: Mark) -> tuple[str, ...]:
    marked = [number for number in numbers if number.mark is mark]
    marked.sort(key=lambda number: _CAUSE_RANK.get(number.name, len(_CAUSE_RANK)))
    return tuple(number.concern for number in marked if number.concern)
