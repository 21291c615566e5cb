"""Names, sidecars and places of what the app writes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.bids.kinds import KINDS, LEVELS, SCANNER_UNIT
from aslprep_nn.run import ASLRun, GivenRun
from aslprep_nn.settings import Settings
from aslprep_nn.version import __version__
from aslprep_nn.writing import write_atomically

BIDS_VERSION = '1.10.0'
RAW = 'raw'
APPTAINER_MARK = Path('/.singularity.d')

#: What BIDS has no name for yet. Folders stand without a trailing slash: with one, the
#: official validator does not match them.
IGNORED_BY_VALIDATOR = (
    '*.html',
    'logs',
    'group_*',
    '*_cbf*',
    '*_att*',
    '*_abv*',
    '*_misspec*',
    '*_aslref*',
    '*_mask*',
    '*_dseg*',
    '*_xfm*',
    '*_timeseries*',
    '*_desc-deltam_asl*',
    '*_m0scan*',
    '**/figures',
    '.work',
)


def perf_dir(settings: Settings, run: ASLRun | GivenRun) -> Path:
    """Return the folder of a run's maps."""
    return _entity_dir(settings, run) / 'perf'


def figures_dir(settings: Settings, run: ASLRun | GivenRun) -> Path:
    """Return the folder of a run's figures."""
    return _entity_dir(settings, run) / 'figures'


def derivative_path(settings: Settings, run: ASLRun | GivenRun, name: str) -> Path:
    """Return where a derivative image goes."""
    return perf_dir(settings, run) / f'{run.name}{KINDS[name].suffix}.nii.gz'


def sidecar(settings: Settings, run: ASLRun, name: str, facts: Mapping[str, Any]) -> bytes:
    """Write down what an image is, what it was made of, and every constant used.

    Parameters
    ----------
    settings, run
        What was asked for, and of what.
    name
        A key of `KINDS`.
    facts
        More fields, which win over the general ones.
    """
    kind = KINDS[name]
    acquisition = run.acquisition
    timings = _volume_timings(run) if name == 'still' else _measurement_timings(run)
    fields: dict[str, Any] = {
        'Description': kind.description,
        'Sources': [bids_uri(path, settings) for path in run.sources],
        'ArterialSpinLabelingType': acquisition.labeling.value,
        'PostLabelingDelay': [pld for pld, _ in timings],
        'LabelingDuration': [duration for _, duration in timings],
        'LabelingEfficiency': acquisition.labeling_efficiency,
        'T1Blood': acquisition.t1_blood,
        'T1Tissue': acquisition.t1_tissue,
        'PartitionCoefficient': acquisition.partition_coefficient,
        **_m0_fields(settings, run),
        **_readout_fields(run),
        'M0Scale': settings.physics.m0.scale,
        'ConstantSources': {
            row.name: {'Value': row.value, 'Source': row.source} for row in run.plan
        },
        'Seed': settings.seed,
        'AslprepNNVersion': __version__,
    }
    if kind.unit:
        fields['Units'] = kind.unit
    if kind.unit == SCANNER_UNIT:
        fields['SkullStripped'] = False
    if name.endswith('mask'):
        fields['Type'] = 'Brain' if name == 'mask' else 'ROI'
    if name in LEVELS:
        fields['Levels'] = {str(int(code)): text for code, text in LEVELS[name].items()}
    return as_json(fields | dict(facts))


def bids_uri(path: Path, settings: Settings) -> str:
    """Name an input file in a way that survives moving the dataset."""
    return f'bids:{RAW}:{path.relative_to(settings.bids_dir).as_posix()}'


def write_dataset_description(settings: Settings, citation: str) -> None:
    """Write the files that make the output folder a BIDS derivative dataset.

    Parameters
    ----------
    settings
        Names the raw dataset and the output.
    citation
        Markdown on how to cite what was used.
    """
    container = _container()
    generator: dict[str, Any] = {'Name': 'aslprep_nn', 'Version': __version__}
    if container:
        generator['Container'] = {'Type': container}
    description = {
        'Name': 'aslprep_nn: CBF and ATT from arterial spin labelling',
        'BIDSVersion': BIDS_VERSION,
        'DatasetType': 'derivative',
        'GeneratedBy': [generator],
        'SourceDatasets': [{'URL': settings.bids_dir.as_uri()}],
        'DatasetLinks': {RAW: settings.bids_dir.as_uri()},
    }
    root = settings.output_dir
    write_atomically(root / 'dataset_description.json', as_json(description))
    write_atomically(root / '.bidsignore', _lines(IGNORED_BY_VALIDATOR))
    write_atomically(root / 'README.md', _README.encode())
    write_atomically(root / 'logs' / 'CITATION.md', citation.encode())


def transforms_as_itk(transforms: Iterable[Iterable[Iterable[float]]]) -> bytes:
    """Write rigid transforms as an ITK text file, one per volume.

    Parameters
    ----------
    transforms
        ``(volume, 4, 4)``, reference to volume, LPS [mm].
    """
    lines = ['#Insight Transform File V1.0']
    for index, matrix in enumerate(transforms):
        rows = [list(row) for row in matrix]
        numbers = [row[column] for row in rows[:3] for column in range(3)]
        numbers += [row[3] for row in rows[:3]]
        lines += [
            f'#Transform {index}',
            'Transform: MatrixOffsetTransformBase_double_3_3',
            'Parameters: ' + ' '.join(f'{number:.10g}' for number in numbers),
            'FixedParameters: 0 0 0',
            '',
        ]
    return _lines(lines)


def as_json(content: Mapping[str, Any]) -> bytes:
    """Format a JSON file."""
    return (json.dumps(content, indent=2, ensure_ascii=False) + '\n').encode()


def _m0_fields(settings: Settings, run: ASLRun) -> dict[str, Any]:
    """Return where M0 came from and what its correction needs."""
    fields: dict[str, Any] = {'M0Source': run.m0.route.value}
    if run.m0.path is not None:
        fields['M0File'] = bids_uri(run.m0.path, settings)
    if run.m0.repetition_times:
        fields['M0RepetitionTime'] = run.m0.repetition_times
    if run.m0.estimate is not None:
        fields['M0Estimate'] = run.m0.estimate
    if run.m0.echo_correction != 1:
        fields['M0EchoTimeCorrection'] = run.m0.echo_correction
    if run.m0.scale_correction != 1:
        fields['M0ScaleCorrection'] = run.m0.scale_correction
    if run.m0.is_measured:
        fields['M0Method'] = settings.physics.m0.method.value
        fields['M0Smoothing'] = settings.physics.m0.smoothing
    return fields


def _readout_fields(run: ASLRun) -> dict[str, Any]:
    """Return slice times, in the order of their axis, and background suppression."""
    acquisition = run.acquisition
    fields: dict[str, Any] = {}
    if acquisition.slice_times:
        fields['SliceTiming'] = acquisition.slice_times
        fields['SliceEncodingDirection'] = 'ijk'[acquisition.slice_axis]
    if run.is_suppressed is not None:
        fields['BackgroundSuppression'] = run.is_suppressed
    if run.is_suppressed and run.n_suppression_pulses is not None:
        fields['BackgroundSuppressionNumberPulses'] = run.n_suppression_pulses
    return fields


def _volume_timings(run: ASLRun) -> list[tuple[float, float]]:
    """Return delay and duration of every raw volume, 0 for M0 as BIDS asks."""
    return [
        (0.0, 0.0) if kind is VolumeType.M0SCAN else timing
        for kind, timing in zip(run.volume_types, run.timings, strict=True)
    ]


def _measurement_timings(run: ASLRun) -> list[tuple[float, float]]:
    acquisition = run.acquisition
    return list(zip(acquisition.pld, acquisition.labeling_duration, strict=True))


def _entity_dir(settings: Settings, run: ASLRun | GivenRun) -> Path:
    subject = settings.output_dir / f'sub-{run.subject}'
    return subject / f'ses-{run.session}' if run.session else subject


def _container() -> str | None:
    """Return the container this app was delivered in, which it may not be though it runs in one.

    Apptainer marks its images, and runs those of Docker with their environment.
    """
    if APPTAINER_MARK.exists():
        return 'apptainer'
    return os.environ.get('ASLPREP_NN_CONTAINER') or None


def _lines(lines: Iterable[str]) -> bytes:
    return ('\n'.join(lines) + '\n').encode()


_README = """# Derivatives of aslprep_nn

Open `sub-<label>.html` for the report of a subject and `group.html` for all.

- `perf/*_cbf.nii.gz`: cerebral blood flow; `perf/*_att.nii.gz`: arterial transit time.
- `perf/*_desc-std_*`: their standard deviations; `perf/*_desc-fitstatus_dseg`: how each fit ended.
- `logs/status.json`: how each run ended and why.

NaN means that there is no estimate. Every image has a JSON sidecar with units and constants.
"""
