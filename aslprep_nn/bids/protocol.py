"""From sidecar fields to an `Acquisition`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aslprep_nn.acquisition import Acquisition, BolusCutOff, LabelingType
from aslprep_nn.bids.blood import read_t1_blood
from aslprep_nn.bids.readout import read_slices
from aslprep_nn.bids.sidecar import Sidecar
from aslprep_nn.constants import (
    EFFICIENCY_PER_SUPPRESSION_PULSE,
    LABELING_EFFICIENCY,
    PARTITION_COEFFICIENT,
    T1_KIDNEY,
    T1_TISSUE,
    Quantity,
)
from aslprep_nn.errors import MetadataError
from aslprep_nn.settings import Organ, PhysicsOptions

T1_OF_ORGAN = {Organ.BRAIN: T1_TISSUE, Organ.KIDNEY: T1_KIDNEY}


@dataclass(frozen=True)
class Constants:
    """The physical constants of a run, each with its source."""

    labeling_efficiency: Quantity
    t1_blood: Quantity
    t1_tissue: Quantity
    partition_coefficient: Quantity


@dataclass(frozen=True)
class Timing:
    """When things happen in each volume [s]."""

    plds: tuple[float, ...]
    labeling_durations: tuple[float, ...]
    slice_times: tuple[float, ...]
    slice_axis: int
    bolus_cut_off: BolusCutOff | None

    @property
    def of_volumes(self) -> tuple[tuple[float, float], ...]:
        """Delay and labelling duration of each volume."""
        return tuple(zip(self.plds, self.labeling_durations, strict=True))


def read_labeling(sidecar: Sidecar) -> LabelingType | None:
    """Read how blood was labelled."""
    word = sidecar.text(
        'ArterialSpinLabelingType',
        list(LabelingType),
        'The name of the sequence or the protocol printout tells which it was.',
    )
    return LabelingType(word) if word else None


def read_timing(
    sidecar: Sidecar, labeling: LabelingType | None, shape: tuple[int, ...]
) -> Timing | None:
    """Read delays, bolus and slice times; None if any of them cannot be told."""
    n_volumes = shape[3] if len(shape) > 3 else 1
    plds = sidecar.per_volume(
        'PostLabelingDelay',
        n_volumes,
        'Take it from the protocol: the time between the end of labelling (PASL: the '
        'inversion) and the first excitation.',
    )
    durations, cut_off = plds, None
    if labeling is not LabelingType.VSASL:  # whose bolus lasts at least until the readout
        durations, cut_off = _read_bolus(sidecar, labeling, n_volumes)
    slices = read_slices(sidecar, shape)
    if plds is None or durations is None or slices is None:
        return None
    return Timing(plds, durations, slices[0], slices[1], cut_off)


def read_constants(
    sidecar: Sidecar,
    labeling: LabelingType | None,
    options: PhysicsOptions,
    hematocrit: Quantity | None = None,
) -> Constants | None:
    """Choose each constant: option first, then sidecar, then the cited default."""
    efficiency = _efficiency(sidecar, labeling, options)
    t1_blood = read_t1_blood(sidecar, options, hematocrit)
    if efficiency is None or t1_blood is None:
        return None
    return Constants(
        efficiency,
        t1_blood,
        _option(options.t1_tissue, 's', '--t1-tissue') or T1_OF_ORGAN[options.organ],
        _option(options.partition_coefficient, 'mL/g', '--partition-coefficient')
        or PARTITION_COEFFICIENT,
    )


def read_suppression_pulses(sidecar: Sidecar) -> int | None:
    """Read how many background-suppression pulses there were; None where it is not stated."""
    field = 'BackgroundSuppressionNumberPulses'
    n_pulses = sidecar.number(field)
    if n_pulses is None:
        return None
    if n_pulses < 0 or n_pulses % 1:
        sidecar.complain(field, 'a count, 0 or more', 'Write the number of pulses.')
        return None
    return int(n_pulses)


def build_acquisition(
    sidecar: Sidecar,
    labeling: LabelingType,
    timing: Timing,
    constants: Constants,
    measurements: Sequence[int],
) -> Acquisition | None:
    """Assemble the protocol of the volumes that measure delta M.

    Parameters
    ----------
    measurements
        For each measurement, a volume that carries its timing.
    """
    try:
        return Acquisition(
            labeling=labeling,
            pld=tuple(timing.plds[index] for index in measurements),
            labeling_duration=tuple(timing.labeling_durations[index] for index in measurements),
            labeling_efficiency=constants.labeling_efficiency.value,
            t1_blood=constants.t1_blood.value,
            t1_tissue=constants.t1_tissue.value,
            partition_coefficient=constants.partition_coefficient.value,
            slice_times=timing.slice_times,
            slice_axis=timing.slice_axis,
            bolus_cut_off=timing.bolus_cut_off,
        )
    except MetadataError as error:
        sidecar.problems += [
            replace(problem, file=sidecar.files.get(problem.field, sidecar.name))
            for problem in error.problems
        ]
        return None


def _read_bolus(
    sidecar: Sidecar, labeling: LabelingType | None, n_volumes: int
) -> tuple[tuple[float, ...] | None, BolusCutOff | None]:
    """Return the bolus duration of each volume and the technique that ended it."""
    if labeling is not LabelingType.PASL:
        durations = sidecar.per_volume(
            'LabelingDuration',
            n_volumes,
            'Take it from the protocol: the length of the labelling pulse train.',
        )
        return durations, None
    if sidecar.flag('BolusCutOffFlag') is not True:
        sidecar.complain(
            'BolusCutOffFlag',
            'true: without a cut-off the length of the bolus is '
            'unknown and CBF cannot be told from it',
            'If QUIPSS II or Q2TIPS was used, say so in the sidecar.',
        )
        return None, None
    technique = sidecar.text(
        'BolusCutOffTechnique', list(BolusCutOff), 'The protocol names the saturation scheme.'
    )
    delays = sidecar.seconds('BolusCutOffDelayTime')
    if not sidecar.states('BolusCutOffDelayTime'):
        sidecar.complain(
            'BolusCutOffDelayTime',
            'seconds from the inversion to the cut-off',
            'Take TI1 from the protocol.',
        )
    if technique is None or delays is None:
        return None, None
    return (delays[0],) * n_volumes, BolusCutOff(technique)


def _efficiency(
    sidecar: Sidecar, labeling: LabelingType | None, options: PhysicsOptions
) -> Quantity | None:
    """Return the labelling efficiency that is left after background suppression."""
    stated = sidecar.number('LabelingEfficiency')
    n_pulses = read_suppression_pulses(sidecar)
    suppressed = sidecar.flag('BackgroundSuppression')
    if labeling is None:
        return None
    chosen = _option(options.labeling_efficiency, '1', '--labeling-efficiency, in all')
    if chosen is not None:
        return chosen
    base = LABELING_EFFICIENCY[labeling]
    if stated is not None and not 0 < stated <= 1:
        sidecar.complain(
            'LabelingEfficiency', 'above 0 and at most 1', 'Give the fraction, not percent.'
        )
        return None
    if stated is not None:
        base = Quantity(stated, '1', sidecar.source('LabelingEfficiency'))
    if not suppressed or not n_pulses:
        return base
    return Quantity(
        base.value * EFFICIENCY_PER_SUPPRESSION_PULSE**n_pulses,
        '1',
        f'{base}, times {EFFICIENCY_PER_SUPPRESSION_PULSE:g} for each of {n_pulses:g} '
        'background-suppression pulses, Garcia et al. 2005',
    )


def _option(value: float | None, unit: str, name: str) -> Quantity | None:
    return None if value is None else Quantity(value, unit, f'option {name}')
