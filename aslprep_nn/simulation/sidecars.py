"""The metadata of a simulated dataset, in the words of BIDS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aslprep_nn.acquisition import LabelingType
from aslprep_nn.constants import LABELING_EFFICIENCY
from aslprep_nn.simulation.protocols import FIELD_STRENGTH, ScanProtocol, Volume
from aslprep_nn.version import __version__

BIDS_VERSION = '1.10.0'
LICENSE = 'CC0; the anatomy derives from the ICBM 152 template, whose notice is in README.md'
CBF_UNIT = 'mL/100 g/min'
TRUTH_SPACE = 'On the grid of the ASL series, head where it was for the M0 volume.'


@dataclass(frozen=True)
class TrueMap:
    """How a true map is called and described; a unit of '' stands for none."""

    name: str
    description: str
    unit: str = ''


#: The files of the truth, by their fields in `Truth`.
TRUE_MAPS = {
    'cbf': TrueMap('desc-truth_cbf', 'True cerebral blood flow.', CBF_UNIT),
    'att': TrueMap('desc-truth_att', 'True arterial transit time; NaN outside the brain.', 's'),
    'm0': TrueMap('desc-truth_M0map', 'True equilibrium magnetisation of tissue.', 'arbitrary'),
    't1': TrueMap('desc-truth_T1map', 'True T1 of static tissue; NaN outside the brain.', 's'),
    'gray_matter': TrueMap('label-GM_probseg', 'Fraction of grey matter.'),
    'white_matter': TrueMap('label-WM_probseg', 'Fraction of white matter.'),
    'csf': TrueMap('label-CSF_probseg', 'Fraction of cerebrospinal fluid.'),
    'brain': TrueMap('desc-brain_mask', 'Voxels of which at least half is brain.'),
}
#: Names that BIDS lacks, for the official validator.
IGNORED_BY_VALIDATOR = ('*_cbf*', '*_att*', '*map.*', '*_probseg*', '*_mask*', '*_timeseries*')
MOTION_COLUMNS = {
    **{f'trans_{axis}': {'Units': 'mm', 'Description': f'Shift along {axis}.'} for axis in 'xyz'},
    **{f'rot_{axis}': {'Units': 'rad', 'Description': f'Turn about {axis}.'} for axis in 'xyz'},
    **{
        f'matrix_{row}{column}': {
            'Units': 'mm' if column == 3 else '1',
            'Description': f'Row {row}, column {column} of the same motion as a matrix.',
        }
        for row in range(3)
        for column in range(4)
    },
}


def asl_sidecar(protocol: ScanProtocol) -> dict[str, Any]:
    """Describe an ASL series: every field BIDS requires, per volume where it may vary."""
    series = protocol.series
    return {
        **_scanner_fields(protocol),
        'RepetitionTimePreparation': _shared([v.repetition_time for v in series]),
        'ArterialSpinLabelingType': LabelingType.PCASL,
        'PCASLType': 'balanced',
        'PostLabelingDelay': _shared([v.pld for v in series]),
        'LabelingDuration': _shared([v.labeling_duration for v in series]),
        'LabelingEfficiency': LABELING_EFFICIENCY[LabelingType.PCASL].value,
        'BackgroundSuppression': True,
        'BackgroundSuppressionNumberPulses': protocol.n_suppression_pulses,
        'VascularCrushing': False,
        'LookLocker': False,
        'M0Type': protocol.m0_type,
        'TotalAcquiredPairs': len(protocol.pld) * protocol.n_pairs,
    }


def m0_sidecar(protocol: ScanProtocol, subject: str) -> dict[str, Any]:
    """Describe a separate M0 volume."""
    return {
        **_scanner_fields(protocol),
        'RepetitionTimePreparation': protocol.m0_repetition_time,
        'IntendedFor': f'bids::sub-{subject}/perf/sub-{subject}_asl.nii.gz',
    }


def truth_sidecar(true_map: TrueMap, protocol: ScanProtocol, subject: str) -> dict[str, Any]:
    """Describe a true map, with the constants that turn it into signal."""
    constants = protocol.acquisition_of(protocol.series[-1])
    fields: dict[str, Any] = {
        'Description': f'{true_map.description} {TRUTH_SPACE}',
        'Sources': [f'bids:raw:sub-{subject}/perf/sub-{subject}_asl.nii.gz'],
        'LabelingEfficiency': round(constants.labeling_efficiency, 6),
        'T1Blood': constants.t1_blood,
        'T1Tissue': constants.t1_tissue,
        'PartitionCoefficient': constants.partition_coefficient,
    }
    if true_map.unit:
        fields['Units'] = true_map.unit
    if true_map.name.endswith('mask'):
        fields['Type'] = 'Brain'
    return fields


def motion_sidecar() -> dict[str, Any]:
    """Describe the table of head positions."""
    return {
        'Description': 'Where the head was in each volume of the ASL series. A point p at the '
        'time of the M0 volume is found at Rz Ry Rx p + t, RAS axes through the origin of the '
        'world: sample a volume there to undo the motion.',
        **MOTION_COLUMNS,
    }


def raw_description(name: str, how: str) -> dict[str, Any]:
    """Describe the dataset as if it came from a scanner."""
    return {
        'Name': name,
        'BIDSVersion': BIDS_VERSION,
        'DatasetType': 'raw',
        'License': LICENSE,
        'GeneratedBy': [_generator(how)],
    }


def truth_description(name: str, how: str) -> dict[str, Any]:
    """Describe the truth as a derivative of the dataset it lies in."""
    return {
        'Name': f'{name}: the truth',
        'BIDSVersion': BIDS_VERSION,
        'DatasetType': 'derivative',
        'License': LICENSE,
        'GeneratedBy': [_generator(how)],
        'DatasetLinks': {'raw': '../..'},
    }


def context_rows(series: Sequence[Volume]) -> list[str]:
    """List what each volume shows: the rows of ``aslcontext.tsv``."""
    return ['volume_type', *(volume.kind.value for volume in series)]


def _scanner_fields(protocol: ScanProtocol) -> dict[str, Any]:
    in_slices = bool(protocol.slice_times)
    fields: dict[str, Any] = {
        'Manufacturer': 'aslprep_nn',
        'ManufacturersModelName': 'digital phantom',
        'MagneticFieldStrength': FIELD_STRENGTH,
        'MRAcquisitionType': '2D' if in_slices else '3D',
        'PulseSequenceType': 'EPI' if in_slices else '3D GRASE',
        'AcquisitionVoxelSize': list(protocol.grid.voxel_size),
        'EchoTime': 0.014,
        'FlipAngle': 90,
    }
    if in_slices:
        fields['SliceTiming'] = list(protocol.slice_times)
        fields['SliceEncodingDirection'] = 'k'
    return fields


def _shared(values: Sequence[float]) -> float | list[float]:
    """Write one number where all are the same, else one per volume."""
    return values[0] if len(set(values)) == 1 else list(values)


def _generator(how: str) -> dict[str, str]:
    return {'Name': 'aslprep_nn-tools simulate', 'Version': __version__, 'Description': how}
