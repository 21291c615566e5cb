"""Which test moves when a processed run is analysed wrongly on purpose.

    python benchmarks/perturbed_run.py OUTPUT_DIR sub-01

reads the derivatives of a finished multi-delay run and tests its voxels again: as they are,
without slice times, with one repetition shifted by 3 mm, with a longer labelling duration and
with a shorter T1 of blood. It prints the share of voxels with p < .05 and what is claimed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.calibration.slice_timing import slice_delay
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.misspecification.assessment import assess
from aslprep_nn.misspecification.multiplicity import VoxelClass

SHIFT_MM = 3.0
LONGER_LABELING, SHORTER_T1_BLOOD = 1.8, 1.3
P_NAMES = (
    'pnoise', 'ptrace', 'pmodel', 'pdecay', 'ptau', 'pdispersion', 'parterial', 'phausman',
)  # fmt: skip
Image = NDArray[np.float32]


def main() -> None:
    """Print one line per analysis."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('output_dir', type=Path)
    parser.add_argument('run', help='its name, as in the file names: sub-01_run-1')
    options = parser.parse_args()
    prefix = next(options.output_dir.rglob(f'{options.run}_cbf.nii.gz')).parent / options.run
    print('| analysed | ' + ' | '.join(P_NAMES) + ' | claimed |')
    for name, delta_m, acquisition in _analyses(prefix):
        print(f'| {name} | ' + ' | '.join(_row(prefix, delta_m, acquisition)) + ' |', flush=True)


def _analyses(prefix: Path) -> Iterator[tuple[str, Image, Acquisition]]:
    delta_m, right = _load(prefix, 'desc-deltam_asl'), _acquisition(prefix)
    longer = (LONGER_LABELING,) * right.n_measurements
    yield 'as acquired', delta_m, right
    yield 'slice times ignored', delta_m, replace(right, slice_times=())
    yield f'one repetition shifted by {SHIFT_MM:g} mm', _shifted(prefix, delta_m, right), right
    yield (
        f'labelling given as {LONGER_LABELING:g} s',
        delta_m,
        replace(right, labeling_duration=longer),
    )
    yield (
        f'T1 of blood given as {SHORTER_T1_BLOOD:g} s',
        delta_m,
        replace(right, t1_blood=SHORTER_T1_BLOOD),
    )


def _row(prefix: Path, delta_m: Image, acquisition: Acquisition) -> list[str]:
    brain = _load(prefix, 'desc-brain_mask') > 0
    m0 = _load(prefix, 'desc-preproc_m0scan')[..., None]
    signal = torch.from_numpy((delta_m / np.where(m0 > 0, m0, np.nan))[brain])
    delay = torch.from_numpy(slice_delay(acquisition, brain.shape)[brain].copy())
    fit = fit_cbf_att(signal, acquisition, slice_delay=delay)
    found = assess(signal, acquisition, fit, slice_delay=delay)
    shares = []
    for name in P_NAMES:
        p = found.statistics[name]
        tested = torch.isfinite(p)
        shares.append(f'{(p[tested] < 0.05).double().mean():.2f}' if bool(tested.any()) else '–')
    classes = [found.classes == label for label in VoxelClass]
    claims = [
        f'{label.name.lower().replace("_", " ")} {100 * here.double().mean():.1f} %'
        for label, here in zip(VoxelClass, classes, strict=True)
        if label is not VoxelClass.CONSISTENT and here.double().mean() >= 5e-4
    ]
    return [*shares, ', '.join(claims) or 'none']


def _shifted(prefix: Path, delta_m: Image, acquisition: Acquisition) -> Image:
    """Shift the first repetition of every delay along the first axis."""
    affine = nib.load(f'{prefix}_desc-deltam_asl.nii.gz').affine
    voxels = SHIFT_MM / np.linalg.norm(affine[:3, 0])
    timing = Repetitions.of([acquisition]).timing.numpy()
    moved = delta_m.copy()
    for volume in np.unique(timing, return_index=True)[1]:
        moved[..., volume] = ndimage.shift(delta_m[..., volume], (voxels, 0, 0), order=1)
    return moved


def _acquisition(prefix: Path) -> Acquisition:
    facts = json.loads(Path(f'{prefix}_cbf.json').read_text(encoding='utf-8'))
    return Acquisition(
        LabelingType(facts['ArterialSpinLabelingType']),
        tuple(facts['PostLabelingDelay']),
        tuple(facts['LabelingDuration']),
        facts['LabelingEfficiency'],
        t1_blood=facts['T1Blood'],
        t1_tissue=facts['T1Tissue'],
        partition_coefficient=facts['PartitionCoefficient'],
        slice_times=tuple(facts.get('SliceTiming', ())),
        slice_axis='ijk'.index(facts.get('SliceEncodingDirection', 'k')),
    )


def _load(prefix: Path, name: str) -> Image:
    return np.asarray(nib.load(f'{prefix}_{name}.nii.gz').dataobj, dtype=np.float32)


if __name__ == '__main__':
    main()
