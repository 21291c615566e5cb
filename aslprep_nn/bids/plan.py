"""The plan of a run in words: what will be done and where each number came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from aslprep_nn.acquisition import Acquisition, LabelingType, VolumeType
from aslprep_nn.bids.encoding import MATRIX, is_encoded
from aslprep_nn.bids.protocol import Constants
from aslprep_nn.bids.sidecar import Sidecar
from aslprep_nn.constants import DEFAULT_FIELD, FIELD_TOLERANCE
from aslprep_nn.errors import Problem
from aslprep_nn.run import Anatomy, M0Plan, M0Route, PlanRow
from aslprep_nn.settings import M0Method, M0Options, Misspecification, Settings
from aslprep_nn.testability import possible_tests

#: Below this [s] the M0 of voxels a tenth of which is fluid is too small by 5 % and more.
SHORT_M0_TIME = 4.0
#: The row of the plan that names the T1-weighted image.
T1W = 'T1w'
DURATION_SOURCES = {
    LabelingType.PCASL: 'LabelingDuration',
    LabelingType.CASL: 'LabelingDuration',
    LabelingType.PASL: 'BolusCutOffDelayTime',
    LabelingType.VSASL: 'the delay: label is made until it is seen',
}


def plan_rows(
    sidecar: Sidecar,
    *,
    volume_types: Sequence[VolumeType],
    acquisition: Acquisition,
    constants: Constants,
    m0: M0Plan,
    anatomy: Anatomy,
    settings: Settings,
) -> tuple[PlanRow, ...]:
    """Describe a run line by line."""
    counts = Counter(volume_types)
    volumes = ', '.join(f'{n} {kind}' for kind, n in counts.items())
    repetitions = Counter(acquisition.pld)
    rows = [
        _labeling(sidecar, acquisition, volume_types),
        ('Volumes', volumes, 'aslcontext.tsv'),
        ('Delays', _listing(sorted(repetitions)) + ' s', 'PostLabelingDelay'),
        (
            'Labelling duration',
            _listing(sorted(set(acquisition.labeling_duration))) + ' s',
            DURATION_SOURCES[acquisition.labeling],
        ),
        (
            'Repetitions',
            _listing(sorted(set(repetitions.values()))) + ' per delay',
            'aslcontext.tsv',
        ),
        ('Slice timing', _slice_timing(sidecar, acquisition), 'SliceTiming'),
        ('Background suppression', _suppression(sidecar), 'BackgroundSuppression'),
        ('M0', _m0(m0), sidecar.source('M0Type')),
    ]
    if m0.repetition_times:
        times = _listing(sorted(set(m0.repetition_times))) + ' s'
        rows.append(('M0 repetition time', times, 'RepetitionTimePreparation'))
    rows += _m0_rows(m0, settings.physics.m0)
    rows += [
        (name, f'{quantity.value:.4g} {quantity.unit}'.removesuffix(' 1'), quantity.source)
        for name, quantity in (
            ('Labelling efficiency', constants.labeling_efficiency),
            ('T1 of blood', constants.t1_blood),
            ('T1 of tissue', constants.t1_tissue),
            ('Partition coefficient', constants.partition_coefficient),
        )
    ]
    rows.append(('Estimator', _estimator(acquisition), ', '.join(settings.estimators)))
    if anatomy.t1w is not None:
        rows.append((T1W, anatomy.t1w.name, 'compares the brain mask with a template'))
    tests = _tests(acquisition, settings.trust.misspecification)
    rows.append(('Tests of noise and model', tests, 'option --misspecification'))
    return tuple(PlanRow(*row) for row in rows)


def testing_problems(file: str, acquisition: Acquisition, settings: Settings) -> list[Problem]:
    """Say what stands in the way of tests that were asked for."""
    wanted = settings.trust.misspecification is Misspecification.ON
    if not wanted or possible_tests(acquisition):
        return []
    counts = Counter(acquisition.pld)
    return [
        Problem(
            file,
            'PostLabelingDelay',
            f'{len(counts)} distinct, each given {min(counts.values())} time(s) or more',
            'several delays, and repetitions of them, because --misspecification is on',
            'Use --misspecification auto to process the run without tests.',
        )
    ]


def notes(
    sidecar: Sidecar,
    *,
    volume_types: Sequence[VolumeType],
    acquisition: Acquisition,
    m0: M0Plan,
    anatomy: Anatomy,
    settings: Settings,
) -> tuple[str, ...]:
    """Say what the reader of the results must know."""
    found = []
    if m0.route is M0Route.NONE:
        found.append(
            'There is no M0: CBF is relative, 1 being the median of the brain. ATT is not affected.'
        )
    if m0.repetition_times and min(m0.repetition_times) < SHORT_M0_TIME:
        found.append(
            f'The repetition time of M0 is {min(m0.repetition_times):g} s: what it lacks was '
            'corrected with the T1 of tissue, but cerebrospinal fluid recovers more slowly, so CBF '
            'is too high where voxels hold fluid.'
        )
    if m0.path is not None and m0.rivals:
        rivals = ', '.join(rival.path.name for rival in m0.rivals)
        found.append(
            f'More than one M0 image fits the series: {m0.path.name} was taken, not {rivals}. '
            'State IntendedFor in the sidecar of the right one.'
        )
    if VolumeType.DELTAM in volume_types:
        found.append('Only differences were given: motion could not be corrected.')
    if not acquisition.is_multi_delay:
        found.append(
            'There is one delay: ATT cannot be estimated, and CBF is too low where blood '
            'arrives later than the delay.'
        )
    unknown_pulses = not sidecar.values.get('BackgroundSuppressionNumberPulses')
    if (
        sidecar.values.get('BackgroundSuppression') is True
        and unknown_pulses
        and settings.physics.labeling_efficiency is None
    ):
        found.append(
            'The number of background-suppression pulses is not stated, so their loss of '
            'label is not corrected: CBF is about 5 % too low for each pulse. Add '
            'BackgroundSuppressionNumberPulses or give --labeling-efficiency.'
        )
    if sidecar.states('SliceTiming') and sidecar.values.get('MRAcquisitionType') == '3D':
        found.append('SliceTiming was ignored: the readout is 3-D.')
    if not sidecar.states('SliceTiming') and sidecar.values.get('MRAcquisitionType') == '2D':
        found.append(
            'The readout is 2-D but SliceTiming is absent: later slices have longer '
            'delays than assumed, and their CBF and ATT are biased. Add SliceTiming.'
        )
    found += _about_labeling(sidecar, acquisition, volume_types) + _about_field(sidecar, settings)
    ignored = {VolumeType.NORF, VolumeType.NOT_AVAILABLE, VolumeType.CBF} & set(volume_types)
    if ignored:
        found.append(f'Volumes of type {", ".join(sorted(ignored))} were not used.')
    return (*found, *anatomy.notes)


def _labeling(
    sidecar: Sidecar, acquisition: Acquisition, volume_types: Sequence[VolumeType]
) -> tuple[str, str, str]:
    if not is_encoded(sidecar, volume_types):
        return ('Label type', acquisition.labeling.value, 'ArterialSpinLabelingType')
    value = f'{acquisition.labeling.value}, time-encoded'
    return ('Label type', value, f'ArterialSpinLabelingType, {MATRIX}')


def _about_labeling(
    sidecar: Sidecar, acquisition: Acquisition, volume_types: Sequence[VolumeType]
) -> list[str]:
    """Say how metadata were read that BIDS has no words for."""
    found = []
    if acquisition.labeling is LabelingType.VSASL:
        found.append(
            'BIDS has no words for VSASL: PostLabelingDelay was read as the time from the label '
            'pulse to the readout, and ATT is the duration of the bolus.'
        )
    if is_encoded(sidecar, volume_types):
        found.append(
            f'BIDS has no words for time-encoded labelling: {MATRIX} was read as one column per '
            'volume, 1 for control and -1 for label, and each delay as that of its sub-bolus.'
        )
    return found


def _about_field(sidecar: Sidecar, settings: Settings) -> list[str]:
    """Say where the default T1 of tissue is that of another field."""
    field = sidecar.values.get('MagneticFieldStrength')
    if settings.physics.t1_tissue is not None or not isinstance(field, int | float):
        return []
    if abs(field - DEFAULT_FIELD) <= FIELD_TOLERANCE * DEFAULT_FIELD:
        return []
    return [
        f'The T1 of tissue taken is that at {DEFAULT_FIELD:g} T, but the field is {field:g} T: '
        'give --t1-tissue where CBF or ATT depend on it (several delays, M0 of short TR).'
    ]


def _listing(values: Sequence[float]) -> str:
    return ', '.join(f'{value:g}' for value in values)


def _slice_timing(sidecar: Sidecar, acquisition: Acquisition) -> str:
    if acquisition.slice_times:
        return f'{len(acquisition.slice_times)} slices over {max(acquisition.slice_times):g} s'
    return 'ignored: 3-D readout' if sidecar.states('SliceTiming') else 'none'


def _m0(m0: M0Plan) -> str:
    return m0.route.value if m0.path is None else f'{m0.route.value} {m0.path.name}'


def _m0_rows(m0: M0Plan, options: M0Options) -> list[tuple[str, str, str]]:
    """Say how M0 is made, where that differs from dividing voxel by voxel by what was measured."""
    rows = []
    if options.scale != 1:
        rows.append(('M0 scale', f'{options.scale:g}', 'option --m0-scale'))
    if m0.echo_correction != 1:
        value = f'M0 times {m0.echo_correction:.3g}, as its echo time differs'
        rows.append(('M0 echo time', value, 'EchoTime of both; T2* of cortex, Peters et al. 2007'))
    if m0.scale_correction != 1:
        value = f'M0 times {m0.scale_correction:.4g}, to the unit of the series'
        rows.append(('M0 unit', value, 'PhilipsRescaleSlope, PhilipsScaleSlope of both'))
    if m0.is_measured and options.method is M0Method.REFERENCE:
        value = f'one M0 of blood, from {options.reference.label}'
        rows.append(('M0 method', value, 'options --m0-method, --m0-reference'))
    if m0.is_measured and options.smoothing:
        rows.append(('M0 smoothing', f'{options.smoothing:g} mm', 'option --m0-smoothing'))
    return rows


def _suppression(sidecar: Sidecar) -> str:
    suppressed = sidecar.values.get('BackgroundSuppression')
    if suppressed is not True:
        return 'no' if suppressed is False else 'not stated'
    n_pulses = sidecar.values.get('BackgroundSuppressionNumberPulses')
    return 'yes' if n_pulses is None else f'yes, {n_pulses} pulses'


def _tests(acquisition: Acquisition, choice: Misspecification) -> str:
    if choice is Misspecification.OFF:
        return 'none: switched off'
    return ', '.join(possible_tests(acquisition)) or 'none: too few delays or repetitions'


def _estimator(acquisition: Acquisition) -> str:
    if acquisition.is_multi_delay:
        return 'voxelwise least squares for CBF and ATT'
    return 'single-delay formula for CBF'
