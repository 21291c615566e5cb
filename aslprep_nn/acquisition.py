"""How a perfusion signal was made: the facts every later step reads instead of a sidecar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from aslprep_nn.errors import MetadataError, Problem


class LabelingType(StrEnum):
    """BIDS ``ArterialSpinLabelingType``, and VSASL, which BIDS does not name."""

    PCASL = 'PCASL'
    CASL = 'CASL'
    PASL = 'PASL'
    VSASL = 'VSASL'

    @property
    def is_continuous(self) -> bool:
        """True where labelling lasts and the delay counts from its end."""
        return self in (LabelingType.PCASL, LabelingType.CASL)


class VolumeType(StrEnum):
    """What one volume of an ASL series shows: the words of ``aslcontext.tsv``."""

    CONTROL = 'control'
    LABEL = 'label'
    M0SCAN = 'm0scan'
    DELTAM = 'deltam'
    CBF = 'cbf'
    NORF = 'noRF'
    NOT_AVAILABLE = 'n/a'


class M0Type(StrEnum):
    """BIDS ``M0Type``: where the equilibrium magnetisation comes from."""

    SEPARATE = 'Separate'
    INCLUDED = 'Included'
    ESTIMATE = 'Estimate'
    ABSENT = 'Absent'


class BolusCutOff(StrEnum):
    """BIDS ``BolusCutOffTechnique``: how the end of a PASL bolus is made sharp."""

    QUIPSS = 'QUIPSS'
    QUIPSSII = 'QUIPSSII'
    Q2TIPS = 'Q2TIPS'


@dataclass(frozen=True)
class Acquisition:
    """One perfusion protocol, with one entry per measurement (a volume of delta M).

    Parameters
    ----------
    labeling
        How blood was labelled.
    pld
        Delay of the first slice of each measurement [s]: from the end of labelling for
        (P)CASL, from the inversion (TI) for PASL and VSASL. Never negative.
    labeling_duration
        Length of the bolus of each measurement [s]: the labelling duration for (P)CASL, TI1
        for PASL with a bolus cut-off.
    labeling_efficiency
        Fraction of the blood's magnetisation that is inverted, background-suppression pulses
        included [1].
    t1_blood, t1_tissue
        Longitudinal relaxation times [s].
    partition_coefficient
        Blood-brain partition coefficient of water, lambda [mL/g].
    slice_times
        When each slice of a 2-D readout is acquired after the first [s], in the order of
        ``slice_axis``; empty when all are acquired at once.
    slice_axis
        The image axis along which slices are stacked.
    bolus_cut_off
        The technique that ended a PASL bolus, if any did.

    Raises
    ------
    MetadataError
        If a value is out of range or two lengths disagree.
    """

    labeling: LabelingType
    pld: tuple[float, ...]
    labeling_duration: tuple[float, ...]
    labeling_efficiency: float
    t1_blood: float = 1.65
    t1_tissue: float = 1.2
    partition_coefficient: float = 0.9
    slice_times: tuple[float, ...] = ()
    slice_axis: int = 2
    bolus_cut_off: BolusCutOff | None = None

    def __post_init__(self) -> None:
        problems = [*self._timing_problems(), *self._constant_problems()]
        if problems:
            raise MetadataError(problems)

    @property
    def n_measurements(self) -> int:
        """Number of delta M volumes."""
        return len(self.pld)

    @property
    def is_multi_delay(self) -> bool:
        """True where at least two different timings make ATT estimable in principle."""
        return len(set(zip(self.pld, self.labeling_duration, strict=True))) > 1

    def _timing_problems(self) -> list[Problem]:
        problems = []
        if not self.pld or len(self.pld) != len(self.labeling_duration):
            found = f'{len(self.pld)} and {len(self.labeling_duration)} entries'
            problems.append(
                _problem(
                    'PostLabelingDelay and LabelingDuration',
                    found,
                    'one entry of each per measurement, at least one',
                )
            )
        problems += [
            _problem('PostLabelingDelay', f'{pld} s', 'a finite number of seconds, 0 or more')
            for pld in sorted(set(self.pld))
            if not (math.isfinite(pld) and pld >= 0)
        ]
        problems += [
            _problem('LabelingDuration', f'{duration} s', 'a finite number of seconds above 0')
            for duration in sorted(set(self.labeling_duration))
            if not (math.isfinite(duration) and duration > 0)
        ]
        problems += [
            _problem('SliceTiming', f'{time} s', 'finite seconds, 0 or more')
            for time in self.slice_times
            if not (math.isfinite(time) and time >= 0)
        ]
        return problems

    def _constant_problems(self) -> list[Problem]:
        upper_bounds = {
            'labeling_efficiency': 1.0,
            't1_blood': 10.0,
            't1_tissue': 10.0,
            'partition_coefficient': 2.0,
        }
        return [
            _problem(name, str(getattr(self, name)), f'a number above 0 and at most {upper:g}')
            for name, upper in upper_bounds.items()
            if not 0 < getattr(self, name) <= upper
        ]


def _problem(field: str, found: str, expected: str) -> Problem:
    return Problem('acquisition', field, found, expected, 'Correct the metadata or the option.')
