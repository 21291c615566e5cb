"""Every protocol that is processed or refused, as data: of the tests, and of docs/protocols.md."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from protocols.physics import Physics
from scipy.linalg import hadamard

from aslprep_nn.settings import Organ

CONSENSUS = Physics(t1_tissue=None)


class Shot(NamedTuple):
    """One volume: what it shows, its delay, and its labelling duration or TI1 [s]."""

    kind: str
    pld: float = 0.0
    duration: float = 0.0


@dataclass(frozen=True)
class Protocol:
    """One row of the table.

    Parameters
    ----------
    name
        Label of its subject.
    family, title
        Where the table shows it, and as what.
    shots
        The volumes.
    sidecar
        Fields beside those that follow from the shots; None removes one.
    physics
        What is true.
    gives
        What comes out; '' where the protocol is refused.
    names, reason
        Of a refusal: the field that is named, and words of the message.
    says
        Words of a note or of the plan that the user must see.
    options
        Of `PhysicsOptions`, by name.
    m0_sidecar
        Of the separate M0 image; None for no such image.
    slice_times
        When each slice is really read out [s], in the order of the axis.
    slice_axis
        The axis along which slices are stacked.
    series_unit, m0_unit
        What series and M0 were multiplied with when they were stored.
    slope
        Of integers in the NIfTI files of series and M0; 0 where they hold numbers as they are.
    labelled
        Of time-encoded volumes: 1 where a sub-bolus is labelled, ``[volume][sub-bolus]``.
    sub_boluses
        Delay and duration of each [s].
    participant
        Columns of participants.tsv.
    dim
        Whether half of the tissue lies far from the coil.
    att, cbf
        True arrival times [s] and flows [mL/100 g/min].
    """

    name: str
    family: str
    title: str
    shots: tuple[Shot, ...]
    sidecar: dict[str, Any] = field(default_factory=dict)
    physics: Physics = field(default_factory=Physics)
    gives: str = 'CBF, ATT'
    names: str = ''
    reason: str = ''
    says: str = ''
    options: dict[str, Any] = field(default_factory=dict)
    m0_sidecar: dict[str, Any] | None = field(
        default_factory=lambda: {'RepetitionTimePreparation': 6.0}
    )
    slice_times: tuple[float, ...] = ()
    slice_axis: int = 2
    series_unit: float = 1.0
    m0_unit: float = 1.0
    slope: tuple[float, float] = (0.0, 0.0)
    labelled: tuple[tuple[int, ...], ...] = ()
    sub_boluses: tuple[tuple[float, float], ...] = ()
    participant: dict[str, str] = field(default_factory=dict)
    dim: bool = False
    att: tuple[float, ...] = (0.72, 1.04, 1.31)
    cbf: tuple[float, ...] = (30.0, 60.0, 90.0)


def pairs(
    delays: Sequence[float], duration: float | Sequence[float], first: str = 'control'
) -> tuple[Shot, ...]:
    """Take a control and a label at each delay."""
    durations = [duration] * len(delays) if isinstance(duration, float) else duration
    order = ('control', 'label') if first == 'control' else ('label', 'control')
    return tuple(
        Shot(kind, delay, length)
        for delay, length in zip(delays, durations, strict=True)
        for kind in order
    )


def differences(delays: Sequence[float], duration: float) -> tuple[Shot, ...]:
    """Let the scanner subtract."""
    return tuple(Shot('deltam', delay, duration) for delay in delays)


SIX = (0.3, 0.6, 0.9, 1.2, 1.6, 2.1)
INVERSIONS = (0.4, 0.7, 1.0, 1.3, 1.6, 1.9, 2.3)
VELOCITY = Physics('VSASL', 0.56)
PULSED = Physics('PASL', 0.98)
CUT_OFF = {'BolusCutOffFlag': True, 'BolusCutOffTechnique': 'QUIPSSII'}

CONTINUOUS = (
    Protocol('pcasl1', 'PCASL', 'one delay', pairs([1.8] * 3, 1.8), physics=CONSENSUS, gives='CBF'),
    Protocol('pcasl6', 'PCASL', 'several delays', pairs(SIX, 1.4)),
    Protocol('labelfirst', 'PCASL', 'label before control', pairs(SIX, 1.4, first='label')),
    Protocol(
        'durations',
        'PCASL',
        'a labelling duration of its own for each volume',
        pairs((0.2, 0.5, 0.8, 1.1, 1.5, 2.0), (1.0, 1.2, 1.4, 1.6, 1.8, 2.0)),
    ),
    Protocol(
        'onedelay',
        'PCASL',
        'one delay after labelling durations that differ',
        pairs([1.0] * 5, (0.4, 0.8, 1.2, 1.6, 2.2)),
        att=(1.1, 1.3, 1.6),
    ),
    Protocol(
        'unequal',
        'PCASL',
        'delays repeated unequally often',
        pairs((*SIX, 1.6, 2.1, 2.1), 1.4),
    ),
    Protocol(
        'casl1',
        'CASL',
        'one delay',
        pairs([1.6] * 2, 2.0),
        physics=Physics('CASL', 0.68, t1_tissue=None),
        gives='CBF',
    ),
    Protocol('casl6', 'CASL', 'several delays', pairs(SIX, 2.0), physics=Physics('CASL', 0.68)),
)

PULSES = (
    Protocol(
        'quipss2',
        'PASL',
        'one TI, QUIPSS II',
        pairs([1.8] * 2, 0.7),
        CUT_OFF,
        Physics('PASL', 0.98, t1_tissue=None),
        gives='CBF',
        att=(0.5, 0.7, 0.9),
    ),
    Protocol(
        'q2tips',
        'PASL',
        'one TI, Q2TIPS',
        pairs([1.8] * 2, 0.7),
        {**CUT_OFF, 'BolusCutOffTechnique': 'Q2TIPS', 'BolusCutOffDelayTime': [0.7, 1.4]},
        Physics('PASL', 0.98, t1_tissue=None),
        gives='CBF',
        att=(0.5, 0.7, 0.9),
    ),
    Protocol(
        'quipss',
        'PASL',
        'one TI, QUIPSS',
        pairs([1.6] * 2, 0.8),
        {**CUT_OFF, 'BolusCutOffTechnique': 'QUIPSS'},
        Physics('PASL', 0.98, t1_tissue=None, cut_off='QUIPSS'),
        gives='CBF',
        att=(0.5, 0.6, 0.7),
    ),
    Protocol(
        'quipss2multi', 'PASL', 'several TIs, QUIPSS II', pairs(INVERSIONS, 0.7), CUT_OFF, PULSED
    ),
    Protocol(
        'q2tipsmulti',
        'PASL',
        'several TIs, Q2TIPS',
        pairs(INVERSIONS, 0.7),
        {**CUT_OFF, 'BolusCutOffTechnique': 'Q2TIPS', 'BolusCutOffDelayTime': [0.7, 1.2]},
        PULSED,
    ),
    Protocol(
        'quipssmulti',
        'PASL',
        'several TIs, QUIPSS',
        pairs((0.8, 1.0, 1.2, 1.5, 1.9, 2.3), 0.5),
        {**CUT_OFF, 'BolusCutOffTechnique': 'QUIPSS'},
        Physics('PASL', 0.98, cut_off='QUIPSS'),
    ),
    Protocol(
        'nocutoff',
        'PASL',
        'no cut-off of the bolus',
        pairs(INVERSIONS, 0.7),
        {'BolusCutOffFlag': False, 'BolusCutOffDelayTime': None},
        PULSED,
        gives='',
        names='BolusCutOffFlag',
        reason='the length of the bolus is unknown',
    ),
)

GIVEN = (
    Protocol(
        'deltam',
        'What the series holds',
        'differences only',
        differences(SIX, 1.4),
        says='motion could not be corrected',
    ),
    Protocol(
        'ge',
        'What the series holds',
        'one difference and an M0 volume, 3-D (GE)',
        (Shot('m0scan'), Shot('deltam', 2.0, 1.45)),
        {'M0Type': 'Included', 'MRAcquisitionType': '3D'},
        CONSENSUS,
        gives='CBF',
        m0_sidecar=None,
    ),
    Protocol(
        'ge2d',
        'What the series holds',
        'one difference of a 3-D readout, M0 of a 2-D one',
        (Shot('deltam', 2.0, 1.45),),
        {'MRAcquisitionType': '3D'},
        CONSENSUS,
        gives='CBF',
        m0_sidecar={
            'RepetitionTimePreparation': 6.0,
            'MRAcquisitionType': '2D',
            'SliceTiming': [0.0, 0.05, 0.1, 0.15],
        },
    ),
    Protocol(
        'extras',
        'What the series holds',
        'pairs with M0, noRF and n/a volumes among them',
        (Shot('n/a'), Shot('m0scan'), *pairs(SIX, 1.4), Shot('noRF'), Shot('m0scan')),
        {'M0Type': 'Included'},
        m0_sidecar=None,
        says='n/a, noRF were not used',
    ),
    Protocol(
        'nom0',
        'What the series holds',
        'no M0, background suppressed',
        pairs(SIX, 1.4),
        {'M0Type': 'Absent', 'BackgroundSuppression': True},
        m0_sidecar=None,
        gives='relative CBF, ATT',
        says='CBF is relative',
    ),
    Protocol(
        'controlm0',
        'What the series holds',
        'no M0, background not suppressed: the controls serve',
        pairs(SIX, 1.4),
        {'M0Type': 'Absent', 'BackgroundSuppression': False},
        m0_sidecar=None,
        says='mean of the unsuppressed controls',
    ),
    Protocol(
        'estimate',
        'What the series holds',
        'M0 of blood as a number',
        pairs(SIX, 1.4),
        {'M0Type': 'Estimate', 'M0Estimate': 1000 / 0.9},
        m0_sidecar=None,
    ),
)

ASCENDING = (0.0, 0.1, 0.2, 0.3)
IN_PLANE = tuple(round(0.05 * index, 2) for index in range(10))
READOUT = (
    Protocol(
        'ascending',
        'Readout',
        '2-D, slices ascending',
        pairs(SIX, 1.4),
        {'SliceTiming': list(ASCENDING)},
        slice_times=ASCENDING,
    ),
    Protocol(
        'descending',
        'Readout',
        '2-D, slices descending',
        pairs(SIX, 1.4),
        {'SliceTiming': list(ASCENDING[::-1])},
        slice_times=ASCENDING[::-1],
    ),
    Protocol(
        'kminus',
        'Readout',
        '2-D, SliceEncodingDirection k-',
        pairs(SIX, 1.4),
        {'SliceTiming': list(ASCENDING), 'SliceEncodingDirection': 'k-'},
        slice_times=ASCENDING[::-1],
    ),
    Protocol(
        'interleaved',
        'Readout',
        '2-D, slices interleaved',
        pairs(SIX, 1.4),
        {'SliceTiming': [0.0, 0.2, 0.1, 0.3]},
        slice_times=(0.0, 0.2, 0.1, 0.3),
    ),
    Protocol(
        'multiband',
        'Readout',
        '2-D, several slices at once (multiband)',
        pairs(SIX, 1.4),
        {'SliceTiming': [0.0, 0.3, 0.0, 0.3], 'MultibandAccelerationFactor': 2},
        slice_times=(0.0, 0.3, 0.0, 0.3),
    ),
    Protocol(
        'sagittal',
        'Readout',
        '2-D, SliceEncodingDirection i',
        pairs(SIX, 1.4),
        {'SliceTiming': list(IN_PLANE), 'SliceEncodingDirection': 'i'},
        slice_times=IN_PLANE,
        slice_axis=0,
    ),
    Protocol(
        'coronal',
        'Readout',
        '2-D, SliceEncodingDirection j-',
        pairs(SIX, 1.4),
        {'SliceTiming': list(IN_PLANE), 'SliceEncodingDirection': 'j-'},
        slice_times=IN_PLANE[::-1],
        slice_axis=1,
    ),
    Protocol(
        'one2d',
        'Readout',
        '2-D, one delay',
        pairs([1.8] * 2, 1.8),
        {'SliceTiming': list(ASCENDING)},
        CONSENSUS,
        gives='CBF',
        slice_times=ASCENDING,
    ),
    Protocol(
        'stray',
        'Readout',
        '3-D with a stray SliceTiming',
        pairs(SIX, 1.4),
        {'SliceTiming': list(ASCENDING), 'MRAcquisitionType': '3D'},
        says='SliceTiming was ignored',
    ),
)

SUPPRESSED = {'BackgroundSuppression': True, 'BackgroundSuppressionNumberPulses': 4}
CONSTANTS = (
    Protocol(
        'suppressed',
        'Constants',
        'background suppression: each pulse costs 5 % of the label',
        pairs(SIX, 1.4),
        SUPPRESSED,
        Physics(efficiency=0.85 * 0.95**4),
    ),
    Protocol(
        'efficiency',
        'Constants',
        'LabelingEfficiency of the sidecar, and background suppression',
        pairs(SIX, 1.4),
        {**SUPPRESSED, 'LabelingEfficiency': 0.8},
        Physics(efficiency=0.8 * 0.95**4),
    ),
    Protocol(
        'alpha',
        'Constants',
        'efficiency given by `--labeling-efficiency`',
        pairs(SIX, 1.4),
        SUPPRESSED,
        Physics(efficiency=0.6),
        options={'labeling_efficiency': 0.6},
    ),
)


def _field(name: str, field_strength: float, t1_blood: float) -> Protocol:
    return Protocol(
        name,
        'Constants',
        f'{field_strength:g} T',
        pairs(SIX, 1.4),
        {'MagneticFieldStrength': field_strength},
        Physics(t1_blood=t1_blood),
    )


#: T1 of blood worked out by hand from Hales et al. (2016).
AT_5_T, OF_36_PERCENT = 1.8604, 1.7382
FIELDS = (
    _field('t055', 0.55, 1.122),
    _field('t15', 1.494, 1.35),
    _field('t3', 2.89, 1.65),
    _field('t5', 5.0, AT_5_T),
    _field('t7', 6.98, 2.087),
    Protocol(
        't94',
        'Constants',
        'a field without known T1 of blood',
        pairs(SIX, 1.4),
        {'MagneticFieldStrength': 9.4},
        gives='',
        names='MagneticFieldStrength',
        reason='--t1-blood',
    ),
    Protocol(
        'hct',
        'Constants',
        'T1 of blood from `--hematocrit` as a number',
        pairs(SIX, 1.4),
        physics=Physics(t1_blood=OF_36_PERCENT),
        options={'hematocrit': 0.36},
    ),
    Protocol(
        'hctcolumn',
        'Constants',
        'T1 of blood from a column of participants.tsv, in percent',
        pairs(SIX, 1.4),
        physics=Physics(t1_blood=OF_36_PERCENT),
        options={'hematocrit': 'hct'},
        participant={'hct': '36'},
    ),
    Protocol(
        'hctmissing',
        'Constants',
        'a participant whose hematocrit is n/a',
        pairs(SIX, 1.4),
        options={'hematocrit': 'hct'},
        participant={'hct': 'n/a'},
        gives='',
        names='hct of sub-hctmissing',
        reason='Fill it in',
    ),
)

VELOCITIES = (
    Protocol(
        'vsasl1',
        'VSASL',
        'one delay',
        pairs([1.3] * 2, 1.0),
        physics=Physics('VSASL', 0.56, t1_tissue=None),
        gives='CBF',
        att=(1.5, 1.7, 1.9),
        says='BIDS has no words for VSASL',
    ),
    Protocol(
        'vsasl6',
        'VSASL',
        'several delays',
        pairs((0.4, 0.7, 1.0, 1.3, 1.6, 2.0), 1.0),
        physics=VELOCITY,
        says='ATT is the duration of the bolus',
    ),
)


def _hadamard(order: int, n_cycles: int, duration: float, last_delay: float) -> dict[str, Any]:
    """Make a time-encoded series whose sub-boluses are made one after the other."""
    states = hadamard(order)
    boluses = [(last_delay + duration * later, duration) for later in reversed(range(order - 1))]
    cycle = [
        Shot('control' if (column == 1).all() else 'label', *timing)
        for column, timing in zip(states.T, [(0.0, 0.0), *boluses], strict=True)
    ]
    return {
        'shots': tuple(cycle * n_cycles),
        'labelled': tuple(tuple(int(state < 0) for state in column[1:]) for column in states.T),
        'sub_boluses': tuple((round(pld, 3), length) for pld, length in boluses),
        'sidecar': {'TimeEncodedMatrix': states.tolist()},
    }


_EIGHT = _hadamard(8, 2, 0.4, 0.2)
ENCODED = (
    Protocol('hadamard8', 'Time-encoded', '8 volumes, raw', **_EIGHT, says='time-encoded'),
    Protocol(
        'hadamard4',
        'Time-encoded',
        '4 volumes, raw, with M0 before them',
        **{
            **_hadamard(4, 3, 0.7, 0.25),
            'shots': (Shot('m0scan'), *_hadamard(4, 3, 0.7, 0.25)['shots']),
            'sidecar': {**_hadamard(4, 3, 0.7, 0.25)['sidecar'], 'M0Type': 'Included'},
        },
        m0_sidecar=None,
    ),
    Protocol(
        'decoded',
        'Time-encoded',
        'decoded: one difference for each sub-bolus',
        tuple(Shot('deltam', *timing) for timing in _EIGHT['sub_boluses'] * 2),
        {'TimeEncodedMatrixType': 'Hadamard'},
    ),
    Protocol(
        'typeonly',
        'Time-encoded',
        'raw, without its matrix',
        _EIGHT['shots'],
        {'TimeEncodedMatrixType': 'Hadamard', 'TimeEncodedMatrixSize': 8},
        gives='',
        names='TimeEncodedMatrix',
        reason='does not tell which volume labels which sub-bolus',
    ),
    Protocol(
        'overlap',
        'Time-encoded',
        'raw, one delay for all sub-boluses',
        tuple(shot._replace(pld=0.2) for shot in _EIGHT['shots']),
        _EIGHT['sidecar'],
        gives='',
        names='PostLabelingDelay',
        reason='when the sub-bolus made after it begins',
    ),
)

PHILIPS = {'Manufacturer': 'Philips', 'UsePhilipsFloatNotDisplayScaling': 0}
UNITS = (
    Protocol(
        'slopes',
        'Units',
        'integers with another slope in the headers of series and M0',
        pairs(SIX, 1.4),
        slope=(0.002, 0.03),
    ),
    Protocol(
        'philips',
        'Units',
        'Philips display values, scaled differently for series and M0',
        pairs(SIX, 1.4),
        {**PHILIPS, 'PhilipsRescaleSlope': 1.5, 'PhilipsScaleSlope': 0.02},
        m0_sidecar={
            'RepetitionTimePreparation': 6.0,
            **PHILIPS,
            'PhilipsRescaleSlope': 4.0,
            'PhilipsScaleSlope': 0.03,
        },
        series_unit=0.03,
        m0_unit=0.12,
        says='M0 unit: M0 times 0.25',
    ),
    Protocol(
        'philipsfloat',
        'Units',
        'Philips signals: slopes are stated but have been applied',
        pairs(SIX, 1.4),
        {'UsePhilipsFloatNotDisplayScaling': 1, 'PhilipsRescaleSlope': 2, 'PhilipsScaleSlope': 3},
        m0_sidecar={
            'RepetitionTimePreparation': 6.0,
            'UsePhilipsFloatNotDisplayScaling': 1,
            'PhilipsRescaleSlope': 5,
            'PhilipsScaleSlope': 7,
        },
    ),
    Protocol(
        'philipsunknown',
        'Units',
        'Philips, slopes differ and nothing says whether they were applied',
        pairs(SIX, 1.4),
        {'PhilipsRescaleSlope': 2, 'PhilipsScaleSlope': 3},
        m0_sidecar={
            'RepetitionTimePreparation': 6.0,
            'PhilipsRescaleSlope': 5,
            'PhilipsScaleSlope': 7,
        },
        gives='',
        names='UsePhilipsFloatNotDisplayScaling',
        reason='of M0 and series differ',
    ),
)

OTHERS = (
    Protocol(
        'kidney',
        'Kidney',
        '`--organ kidney`: PCASL, several delays',
        pairs(SIX, 1.4),
        physics=Physics(t1_tissue=1.4, t1_static=1.4),
        options={'organ': Organ.KIDNEY},
        cbf=(150.0, 250.0, 350.0),
        dim=True,
        says='T1 of tissue: 1.4 s',
    ),
    Protocol(
        'looklocker',
        'Readout',
        'Look-Locker',
        pairs(SIX, 1.4),
        {'LookLocker': True},
        gives='',
        names='LookLocker',
        reason='every excitation of a Look-Locker readout uses label up',
    ),
    Protocol(
        'multiecho',
        'Readout',
        'several echoes',
        pairs(SIX, 1.4),
        {'EchoTime': [0.01, 0.03] * len(SIX)},
        gives='',
        names='EchoTime',
        reason='multi-echo',
    ),
)

PROTOCOLS = (
    *CONTINUOUS,
    *PULSES,
    *VELOCITIES,
    *ENCODED,
    *GIVEN,
    *READOUT,
    *CONSTANTS,
    *FIELDS,
    *UNITS,
    *OTHERS,
)
