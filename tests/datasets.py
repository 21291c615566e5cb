"""A tiny BIDS dataset that tests bend as they need."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

AFFINE = np.diag([6.0, 6.0, 8.0, 1.0])
PLDS = (0.5, 1.0, 1.5)
N_REPETITIONS = 2
CONTEXT = ['control', 'label'] * (len(PLDS) * N_REPETITIONS)


def perf_sidecar() -> dict[str, Any]:
    return {
        'ArterialSpinLabelingType': 'PCASL',
        'PostLabelingDelay': [pld for _ in range(N_REPETITIONS) for pld in PLDS for _ in (0, 1)],
        'LabelingDuration': 1.5,
        'M0Type': 'Separate',
        'BackgroundSuppression': False,
        'MagneticFieldStrength': 3,
        'MRAcquisitionType': '2D',
        'SliceTiming': [0.0, 0.1, 0.2, 0.3],
        'RepetitionTimePreparation': 4.0,
    }


@dataclass
class Subject:
    """What is written for one subject; change it before `Dataset.write`."""

    label: str = '01'
    sidecar: dict[str, Any] = field(default_factory=perf_sidecar)
    context: Sequence[str] | None = tuple(CONTEXT)
    series: np.ndarray | None = None
    m0: np.ndarray | None = None
    m0_affine: np.ndarray = field(default_factory=AFFINE.copy)
    m0_sidecar: dict[str, Any] | None = field(
        default_factory=lambda: {'RepetitionTimePreparation': 6.0}
    )

    def __post_init__(self) -> None:
        x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (10, 10, 4)), indexing='ij')
        head = 100.0 * (x**2 + y**2 + 0.5 * z**2 < 0.8) + 5
        self.m0 = head
        changes = [1.0 if kind == 'control' else 0.99 for kind in CONTEXT]
        self.series = head[..., None] * np.array(changes)

    def write(self, root: Path) -> None:
        folder = root / f'sub-{self.label}' / 'perf'
        folder.mkdir(parents=True)
        stem = folder / f'sub-{self.label}'
        if self.series is not None:
            nib.save(nib.Nifti1Image(self.series.astype(np.float32), AFFINE), f'{stem}_asl.nii.gz')
        Path(f'{stem}_asl.json').write_text(json.dumps(self.sidecar), encoding='utf-8')
        if self.context is not None:
            rows = '\n'.join(['volume_type', *self.context, ''])
            Path(f'{stem}_aslcontext.tsv').write_text(rows, encoding='utf-8')
        if self.m0 is not None:
            m0 = nib.Nifti1Image(self.m0.astype(np.float32), self.m0_affine)
            nib.save(m0, f'{stem}_m0scan.nii.gz')
        if self.m0_sidecar is not None:
            text = json.dumps(self.m0_sidecar)
            Path(f'{stem}_m0scan.json').write_text(text, encoding='utf-8')


def write_dataset(root: Path, *subjects: Subject) -> Path:
    """Write a dataset of the subjects given and return its root."""
    root.mkdir()
    description = {'Name': 'test', 'BIDSVersion': '1.10.0'}
    (root / 'dataset_description.json').write_text(json.dumps(description), encoding='utf-8')
    for subject in subjects:
        subject.write(root)
    return root
