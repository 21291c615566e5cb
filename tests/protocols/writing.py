"""Write the protocols of the table as a dataset of tiny images without noise."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from protocols.physics import delta_m
from protocols.table import Protocol

SHAPE = (10, 10, 4)
AFFINE = np.diag([6.0, 6.0, 8.0, 1.0])
M0, REPETITION_TIME, M0_REPETITION_TIME = 1000.0, 5.0, 6.0
SUPPRESSION, DIMMED = 0.3, 0.3


class Truth(NamedTuple):
    """What the app should find, ``(x, y, z)``."""

    head: np.ndarray
    cbf: np.ndarray
    att: np.ndarray
    m0: np.ndarray


def truth(protocol: Protocol) -> Truth:
    """Lay three flows along x and three arrival times along y."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing='ij')
    head = x**2 + y**2 + 0.5 * z**2 < 0.9
    cbf = np.array(protocol.cbf)[np.digitize(x, (-0.35, 0.35))]
    att = np.array(protocol.att)[np.digitize(y, (-0.35, 0.35))]
    near_coil = np.where((x > 0) & protocol.dim, DIMMED * M0, M0)
    return Truth(head, cbf, att, np.where(head, near_coil, 0.01 * M0))


def write_protocols(root: Path, protocols: Sequence[Protocol]) -> Path:
    """Write one subject for each protocol."""
    root.mkdir()
    description = {'Name': 'protocols', 'BIDSVersion': '1.10.0'}
    (root / 'dataset_description.json').write_text(json.dumps(description), encoding='utf-8')
    known = {column for protocol in protocols for column in protocol.participant}
    rows = [['participant_id', *sorted(known)]]
    for protocol in protocols:
        cells = [protocol.participant.get(column, 'n/a') for column in rows[0][1:]]
        rows.append([f'sub-{protocol.name}', *cells])
        _write(root, protocol)
    table = ''.join('\t'.join(row) + '\n' for row in rows)
    (root / 'participants.tsv').write_text(table, encoding='utf-8')
    return root


def sidecar(protocol: Protocol) -> dict[str, Any]:
    """Say in the words of BIDS what the shots are."""
    labeling = protocol.physics.labeling
    fields: dict[str, Any] = {
        'ArterialSpinLabelingType': labeling,
        'MagneticFieldStrength': 3,
        'MRAcquisitionType': '2D' if protocol.slice_times else '3D',
        'RepetitionTimePreparation': [
            M0_REPETITION_TIME if shot.kind == 'm0scan' else REPETITION_TIME
            for shot in protocol.shots
        ],
        'PostLabelingDelay': [shot.pld for shot in protocol.shots],
        'BackgroundSuppression': False,
        'M0Type': 'Separate',
    }
    durations = [shot.duration for shot in protocol.shots]
    if labeling in ('PCASL', 'CASL'):
        fields['LabelingDuration'] = durations
    elif labeling == 'PASL':
        fields['BolusCutOffDelayTime'] = max(durations)
    fields |= protocol.sidecar
    return {name: value for name, value in fields.items() if value is not None}


def _write(root: Path, protocol: Protocol) -> None:
    folder = root / f'sub-{protocol.name}' / 'perf'
    folder.mkdir(parents=True)
    stem = folder / f'sub-{protocol.name}'
    true = truth(protocol)
    volumes = [_volume(protocol, index, true) for index in range(len(protocol.shots))]
    series = protocol.series_unit * np.stack(volumes, axis=-1)
    _write_image(Path(f'{stem}_asl.nii.gz'), series, protocol.slope[0])
    Path(f'{stem}_asl.json').write_text(json.dumps(sidecar(protocol)), encoding='utf-8')
    rows = '\n'.join(['volume_type', *(shot.kind for shot in protocol.shots), ''])
    Path(f'{stem}_aslcontext.tsv').write_text(rows, encoding='utf-8')
    if protocol.m0_sidecar is not None:
        m0 = protocol.m0_unit * _m0(protocol, true)
        _write_image(Path(f'{stem}_m0scan.nii.gz'), m0, protocol.slope[1])
        text = json.dumps(protocol.m0_sidecar)
        Path(f'{stem}_m0scan.json').write_text(text, encoding='utf-8')


def _m0(protocol: Protocol, true: Truth) -> np.ndarray:
    return true.m0 * (1 - np.exp(-M0_REPETITION_TIME / protocol.physics.t1_static))


def _volume(protocol: Protocol, index: int, true: Truth) -> np.ndarray:
    """Image one shot."""
    shot = protocol.shots[index]
    if shot.kind in ('n/a', 'noRF'):
        return np.full(SHAPE, 7.0)
    if shot.kind == 'm0scan':
        return _m0(protocol, true)
    static = true.m0 * (1 - np.exp(-REPETITION_TIME / protocol.physics.t1_static))
    if sidecar(protocol)['BackgroundSuppression']:
        static = SUPPRESSION * static
    if shot.kind == 'control':
        return static
    seen = [shot[1:]]
    if protocol.labelled:
        n_before = sum(other.kind in ('control', 'label') for other in protocol.shots[:index])
        states = protocol.labelled[n_before % len(protocol.labelled)]
        seen = [
            timing for timing, is_made in zip(protocol.sub_boluses, states, strict=True) if is_made
        ]
    relative = sum(_relative(protocol, *timing, true) for timing in seen)
    rounding = 1e-9 * true.m0
    difference = rounding + true.m0 * np.where(true.head, relative, 0)
    return difference if shot.kind == 'deltam' else static - difference


def _relative(protocol: Protocol, pld: float, duration: float, true: Truth) -> np.ndarray:
    """Predict delta M / M0 everywhere, computing equal voxels once."""
    late = np.zeros(SHAPE)
    if protocol.slice_times:
        along = [1, 1, 1]
        along[protocol.slice_axis] = -1
        late = np.broadcast_to(np.array(protocol.slice_times).reshape(along), SHAPE)
    voxels = np.stack([true.cbf, true.att, late], axis=-1).reshape(-1, 3)
    distinct, place = np.unique(voxels, axis=0, return_inverse=True)
    signal = [
        delta_m(cbf, att, protocol.physics, pld=pld, duration=duration, late=late_by)
        for cbf, att, late_by in distinct
    ]
    return np.array(signal)[place.ravel()].reshape(SHAPE)


def _write_image(path: Path, data: np.ndarray, slope: float) -> None:
    image = nib.Nifti1Image(data.astype(np.float32), AFFINE)
    if slope:  # nibabel stores what it is given, and the slope beside it
        image = nib.Nifti1Image(np.rint(data / slope).astype(np.int32), AFFINE)
        image.header.set_slope_inter(slope, 0)
    nib.save(image, path)
