"""Sidecars and aslcontext files that no run can be made of, and what must be said of each."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from datasets import Subject

N = 12
PAIRS = ['control', 'label'] * (N // 2)
NAN = float('nan')
PASL = {
    'ArterialSpinLabelingType': 'PASL',
    'BolusCutOffFlag': True,
    'BolusCutOffTechnique': 'Q2TIPS',
    'BolusCutOffDelayTime': [0.7, 1.6],
}


class Wrong(NamedTuple):
    """One thing that is wrong with a subject, and the problem it must lead to.

    Parameters
    ----------
    spoil
        Changes a subject before it is written.
    file
        What the name of the file to blame ends with.
    field, found
        Of the problem; the second may be a part.
    """

    spoil: Callable[[Subject], Any]
    file: str
    field: str
    found: str


def stating(file: str = 'asl.json', **fields: Any) -> Wrong:
    """State one field wrongly; the last of several is the one."""
    field, value = list(fields.items())[-1]
    name = 'm0_sidecar' if file.startswith('m0') else 'sidecar'
    return Wrong(lambda s: getattr(s, name).update(fields), file, field, _json(value))


def listing(words: list[str], field: str, found: str) -> Wrong:
    """List volume types wrongly."""
    return Wrong(lambda s: setattr(s, 'context', words), 'aslcontext.tsv', field, found)


def _json(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _of_length(field: str, n: int, value: float = 1.5, **others: Any) -> Wrong:
    return stating(**others, **{field: [value] * n})._replace(found=f'an array of {n}')


def _included(one: Subject, **fields: Any) -> None:
    one.context = ['m0scan', *one.context]
    one.series = np.concatenate([one.m0[..., None], one.series], axis=-1)
    one.sidecar |= {'M0Type': 'Included', 'PostLabelingDelay': 1.8} | fields


def _included_without_time(one: Subject) -> None:
    _included(one)
    del one.sidecar['RepetitionTimePreparation']


def _absent_though_included(one: Subject) -> None:
    _included(one, M0Type='Absent')


def _without(field: str, vendor: str) -> Wrong:
    def spoil(one: Subject) -> None:
        del one.sidecar[field]
        one.sidecar['Manufacturer'] = vendor

    return Wrong(spoil, 'asl.json', field, 'absent')


MISSING = {
    'no label type from GE': _without('ArterialSpinLabelingType', 'GE MEDICAL SYSTEMS'),
    'no duration from Siemens': _without('LabelingDuration', 'SIEMENS'),
    'no delay from Philips': _without('PostLabelingDelay', 'Philips Medical Systems'),
    'no M0 type from nobody': _without('M0Type', ''),
}
LABELING = {
    'label type a number': stating(ArterialSpinLabelingType=1),
    'label type in small letters': stating(ArterialSpinLabelingType='pcasl'),
    'label type in an array': stating(ArterialSpinLabelingType=['PCASL']),
    'label type empty': stating(ArterialSpinLabelingType=''),
    'cut-off technique unknown': Wrong(
        lambda s: s.sidecar.update(PASL | {'BolusCutOffTechnique': 'QUIPSSIII'}),
        'asl.json', 'BolusCutOffTechnique', "'QUIPSSIII'"),
    'cut-off technique null': Wrong(
        lambda s: s.sidecar.update(PASL | {'BolusCutOffTechnique': None}),
        'asl.json', 'BolusCutOffTechnique', 'null'),
    'cut-off flag in quotes': Wrong(
        lambda s: s.sidecar.update(PASL | {'BolusCutOffFlag': 'true'}),
        'asl.json', 'BolusCutOffFlag', "'true'"),
    'cut-off time of nothing': stating(**PASL | {'BolusCutOffDelayTime': []}),
    'efficiency in percent and quotes': stating(LabelingEfficiency='85%'),
    'efficiency NaN': stating(LabelingEfficiency=NAN),
    'efficiency below zero': stating(LabelingEfficiency=-0.85),
    'efficiency in an array': stating(LabelingEfficiency=[0.85]),
}  # fmt: skip
TIMING = {
    'delay true': stating(PostLabelingDelay=True),
    'delay an object': stating(PostLabelingDelay={}),
    'delays of nothing': stating(PostLabelingDelay=[]),
    'delay NaN': stating(PostLabelingDelay=NAN),
    'delay infinite': stating(PostLabelingDelay=float('inf')),
    'delays nested': stating(PostLabelingDelay=[[1.8]]),
    'delays with null': stating(PostLabelingDelay=[1.8, None]),
    'delays in quotes': stating(PostLabelingDelay=['1.8'] * N),
    'delays per pair': _of_length('PostLabelingDelay', N // 2),
    'delays one too many': _of_length('PostLabelingDelay', N + 1),
    'an array of one delay': _of_length('PostLabelingDelay', 1),
    'one delay below zero': stating(
        PostLabelingDelay=[1.8] * 10 + [-1.8] * 2)._replace(found='-1.8 s'),
    'delay in µs': stating(PostLabelingDelay=1_800_000)._replace(found='up to 1.8e+06'),
    'some delays in ms': stating(
        PostLabelingDelay=[1.8] * 11 + [1800])._replace(found='up to 1800'),
    'duration below zero': stating(LabelingDuration=-1.5)._replace(found='-1.5 s'),
    'duration in quotes': stating(LabelingDuration='1500'),
    'durations of nothing': stating(LabelingDuration=[]),
    'duration NaN': stating(LabelingDuration=NAN),
    'duration false': stating(LabelingDuration=False),
    'durations one too few': _of_length('LabelingDuration', N - 1),
    'one duration zero': stating(LabelingDuration=[1.5] * 10 + [0, 0])._replace(found='0.0 s'),
    'a pair of two durations': Wrong(
        lambda s: s.sidecar.update(PostLabelingDelay=1.0, LabelingDuration=[1.5] * 11 + [1.8]),
        'aslcontext.tsv', 'volume_type and PostLabelingDelay',
        '0 control and 1 label at PLD 1 s after 1.8 s of labelling'),
    'duration in µs': stating(LabelingDuration=1_500_000)._replace(found='up to 1.5e+06'),
    'pairs of two delays': Wrong(
        lambda s: s.sidecar.update(PostLabelingDelay=[1.0] + [2.0] * 11),
        'aslcontext.tsv', 'volume_type and PostLabelingDelay', '1 control and 0 label at PLD 1 s'),
    'slice times in quotes': stating(SliceTiming='0, 0.1'),
    'one slice time': stating(SliceTiming=0.1)._replace(found='an array of 1'),
    'slice time below zero': stating(SliceTiming=[0, -0.1, 0.2, 0.3])._replace(found='-0.1 s'),
    'slice time NaN': stating(SliceTiming=[0, NAN, 0.2, 0.3]),
    'slice times of another axis': Wrong(
        lambda s: s.sidecar.update(SliceEncodingDirection='i'),
        'asl.json', 'SliceTiming', 'an array of 4'),
    'slice axis in an array': stating(SliceEncodingDirection=['k']),
    'readout in small letters': stating(MRAcquisitionType='2d'),
    'readout a number': stating(MRAcquisitionType=3),
}  # fmt: skip
CALIBRATION = {
    'suppression in quotes': stating(BackgroundSuppression='true'),
    'suppression a number': stating(BackgroundSuppression=1),
    'pulses in quotes': stating(BackgroundSuppressionNumberPulses='2'),
    'pulses NaN': stating(BackgroundSuppressionNumberPulses=NAN),
    'pulses without suppression': stating(BackgroundSuppressionNumberPulses=2),
    'pulse times that do not count up': stating(
        BackgroundSuppression=True, BackgroundSuppressionNumberPulses=4,
        BackgroundSuppressionPulseTime=[1.4, 1.6])._replace(found='an array of 2'),
    'M0 type in small letters': stating(M0Type='separate'),
    'M0 type in an array': stating(M0Type=['Separate']),
    'M0 type false': stating(M0Type=False),
    'M0 absent though included': Wrong(
        _absent_though_included, 'asl.json', 'M0Type', "'Absent'"),
    'M0 included without repetition time': Wrong(
        _included_without_time, 'asl.json', 'RepetitionTimePreparation', 'absent'),
    'M0 included with too few repetition times': Wrong(
        lambda s: _included(s, RepetitionTimePreparation=[6, 4]),
        'asl.json', 'RepetitionTimePreparation', 'an array of 2'),
    'estimate below zero': stating(M0Type='Estimate', M0Estimate=-1000),
    'estimate NaN': stating(M0Type='Estimate', M0Estimate=NAN),
    'estimate in an array': stating(M0Type='Estimate', M0Estimate=[1000]),
    'field with its unit': stating(MagneticFieldStrength='3T'),
    'field in mT': stating(MagneticFieldStrength=3000),
    'field below zero': stating(MagneticFieldStrength=-3),
    'echo time in ms': stating(EchoTime=14),
    'echo time beyond all numbers': stating(EchoTime=10**400)._replace(found='1' + 100 * '0'),
    'M0 echo time below zero': stating('m0scan.json', EchoTime=-0.01),
    'M0 repetition time in quotes': stating('m0scan.json', RepetitionTimePreparation='6'),
    'M0 repetition time NaN': stating('m0scan.json', RepetitionTimePreparation=NAN),
    'M0 repetition time below zero': stating(
        'm0scan.json', RepetitionTimePreparation=-6)._replace(found='-6 s'),
    'M0 repetition times for one volume': stating(
        'm0scan.json', RepetitionTimePreparation=[6, 6])._replace(found='an array of 2'),
}  # fmt: skip
CONTEXT = {
    'capital letters': listing(
        ['Control', 'Label'] * 6, 'volume_type, rows 1, 3, 5, 7, 9, 11', "'Control'"),
    'words in quotes': listing(
        ['"control"', *PAIRS[1:]], 'volume_type, row 1', '\'"control"\''),
    'a blank that does not break': listing(
        ['control\u00a0x', *PAIRS[1:]], 'volume_type, row 1', 'control\\xa0x'),
    'a control character': listing(
        ['\x1b[31m', *PAIRS[1:]], 'volume_type, row 1', 'x1b[31m'),
    'one row too many': listing([*PAIRS, 'control'], 'volume_type', '13 rows'),
    'no rows': listing([], 'volume_type', '0 rows'),
    'labels only': listing(
        ['label'] * N, 'volume_type and PostLabelingDelay', '0 control and 4 label'),
    'differences beside pairs': listing(
        ['deltam', 'deltam', *PAIRS[2:]], 'volume_type', 'both kinds'),
    'an M0 in place of a control': listing(
        ['m0scan', *PAIRS[1:]], 'volume_type and PostLabelingDelay',
        '1 control and 2 label at PLD 0.5 s'),
    'every word another': listing(
        [f'volume{n}' for n in range(N)], 'volume_type, row 1', "'volume0'"),
}  # fmt: skip
METADATA = MISSING | LABELING | TIMING | CALIBRATION | CONTEXT
