"""Real vendors' metadata: the sidecars of the BIDS examples, under synthetic images.

The files are read where they lie, beside the project; what is checked in are the plans that they
should lead to. ``PYTHONPATH=tests python -m protocols.examples`` writes those anew.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np

from aslprep_nn.bids.query import find_series, open_dataset
from aslprep_nn.bids.reader import read_run
from aslprep_nn.run import ASLRun, RefusedRun
from aslprep_nn.settings import Estimator, Settings

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[2] / 'shared' / 'data' / 'bids-examples-sidecars'
PLANS = HERE / 'plans'
NAMES = ('2d_mb_pcasl', 'asl001', 'asl002', 'asl003', 'asl004', 'asl005')
#: Voxels so large that motion is not looked for: there is none, and looking takes minutes.
AFFINE = np.diag([12.0, 12.0, 8.0, 1.0])
N_SLICES_3D = 6
#: What label takes away of the signal.
LABELLED = 0.01


def write_example(name: str, root: Path) -> Path:
    """Copy the metadata of an example to a folder, and give them images."""
    shutil.copytree(EXAMPLES / name, root)
    for sidecar in root.rglob('perf/*_asl.json'):
        fields = json.loads(sidecar.read_text(encoding='utf-8'))
        context = sidecar.with_name(sidecar.name.replace('_asl.json', '_aslcontext.tsv'))
        kinds = context.read_text(encoding='utf-8').split()[1:]
        head = _head(len(fields.get('SliceTiming', range(N_SLICES_3D))))
        factors = {'label': 1 - LABELLED, 'deltam': LABELLED, 'noRF': 0.0}
        series = head[..., None] * np.array([factors.get(kind, 1.0) for kind in kinds])
        _save(sidecar, series)
        m0 = sidecar.with_name(sidecar.name.replace('_asl.json', '_m0scan.json'))
        if m0.exists():
            _save(m0, head)
    return root


def read_example(root: Path, output: Path) -> tuple[ASLRun | RefusedRun, Settings]:
    """Read the one run of an example."""
    settings = Settings(
        root, output, output / 'work', estimators=(Estimator.LEAST_SQUARES,), device='cpu'
    )
    layout = open_dataset(root)
    (series,) = find_series(layout)
    return read_run(layout, series, settings), settings


def plan_of(reading: ASLRun | RefusedRun) -> str:
    """Write down what would be done, or why nothing can be."""
    return '\n'.join(_lines(reading)) + '\n'


def _lines(reading: ASLRun | RefusedRun) -> Iterator[str]:
    if isinstance(reading, RefusedRun):
        yield from (f'refused\t{problem}' for problem in reading.problems)
        return
    yield from (f'{row.name}\t{row.value}\t{row.source}' for row in reading.plan)
    yield from (f'note\t{note}' for note in reading.notes)


def _head(n_slices: int) -> np.ndarray:
    axes = (np.linspace(-1, 1, n) for n in (12, 12, n_slices))
    x, y, z = np.meshgrid(*axes, indexing='ij')
    return np.where(x**2 + y**2 + 0.3 * z**2 < 0.9, 100.0, 1.0)


def _save(sidecar: Path, data: np.ndarray) -> None:
    image = nib.Nifti1Image(data.astype(np.float32), AFFINE)
    nib.save(image, sidecar.with_suffix('.nii.gz'))


if __name__ == '__main__':
    for example in NAMES:
        with tempfile.TemporaryDirectory() as folder:
            reading, _ = read_example(write_example(example, Path(folder) / 'bids'), Path(folder))
            (PLANS / f'{example}.tsv').write_text(plan_of(reading), encoding='utf-8')
