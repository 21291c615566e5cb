"""The demo, from data/demo to its maps, against the truth it was simulated from."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from aslprep_nn.bids.kinds import TRUST_MAPS

DEMO = Path(__file__).parents[1] / 'data' / 'demo'
TRUTH = DEMO / 'derivatives' / 'truth'
PURE_GREY_MATTER = 0.8


@pytest.fixture(scope='module')
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run both levels of the app on the demo."""
    folder = tmp_path_factory.mktemp('demo') / 'out'
    for level in ('participant', 'group'):
        command = [sys.executable, '-m', 'aslprep_nn', str(DEMO), str(folder), level]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
    return folder


def load(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj, dtype=float)


def estimate(output: Path, subject: str, name: str) -> np.ndarray:
    return load(output / subject / 'perf' / f'{subject}_{name}.nii.gz')


def truth(subject: str, name: str) -> np.ndarray:
    return load(TRUTH / subject / 'perf' / f'{subject}_{name}.nii.gz')


def grey_matter(output: Path, subject: str) -> np.ndarray:
    pure = truth(subject, 'label-GM_probseg') > PURE_GREY_MATTER
    inside = pure & (estimate(output, subject, 'desc-brain_mask') > 0)
    assert inside.sum() > 0.9 * pure.sum() > 300
    return inside


def test_multi_delay_cbf_is_within_3_ml_of_the_truth(output):
    inside = grey_matter(output, 'sub-01')
    error = estimate(output, 'sub-01', 'cbf') - truth('sub-01', 'desc-truth_cbf')
    assert np.median(np.abs(error[inside])) <= 3


def test_the_network_meets_what_is_asked_of_least_squares(output):
    inside = grey_matter(output, 'sub-01')
    for name, most in (('cbf', 3), ('att', 0.05)):
        error = estimate(output, 'sub-01', f'desc-nn_{name}') - truth(
            'sub-01', f'desc-truth_{name}'
        )
        assert np.median(np.abs(error[inside])) <= most


def test_multi_delay_att_is_within_50_ms_of_the_truth(output):
    inside = grey_matter(output, 'sub-01')
    error = (estimate(output, 'sub-01', 'att') - truth('sub-01', 'desc-truth_att'))[inside]
    told = np.isfinite(error)
    assert told.mean() > 0.99
    assert np.median(np.abs(error[told])) <= 0.05


def test_single_delay_cbf_is_unbiased_to_4_percent(output):
    inside = grey_matter(output, 'sub-02')
    expected = truth('sub-02', 'desc-truth_cbf')[inside]
    error = estimate(output, 'sub-02', 'cbf')[inside] - expected
    assert abs(np.median(error / expected)) <= 0.04


def test_the_standard_deviation_of_cbf_covers_its_error(output):
    inside = grey_matter(output, 'sub-01')
    error = estimate(output, 'sub-01', 'cbf') - truth('sub-01', 'desc-truth_cbf')
    z = error[inside] / estimate(output, 'sub-01', 'desc-std_cbf')[inside]
    assert 0.7 < np.median(np.abs(z)) / 0.6745 < 1.6


def test_the_itk_transforms_are_where_the_head_really_was(output):
    text = (
        output / 'sub-01' / 'perf' / 'sub-01_from-orig_to-aslref_mode-image_xfm.txt'
    ).read_text()
    lines = [line.split()[1:] for line in text.splitlines() if line.startswith('Parameters')]
    numbers = np.array(lines, dtype=float)
    flip = np.array([-1.0, -1.0, 1.0])  # ITK counts left and posterior, NIfTI right and anterior
    found = np.tile(np.eye(4), (len(numbers), 1, 1))
    found[:, :3, :3] = numbers[:, :9].reshape(-1, 3, 3) * flip * flip[:, None]
    found[:, :3, 3] = numbers[:, 9:] * flip
    table = TRUTH / 'sub-01' / 'perf' / 'sub-01_desc-motion_timeseries.tsv'
    motion = pd.read_csv(table, sep='\t')
    names = [f'matrix_{row}{column}' for row in range(3) for column in range(4)]
    true = np.tile(np.eye(4), (len(motion), 1, 1))
    true[:, :3] = motion[names].to_numpy().reshape(-1, 3, 4)
    point = np.array([30.0, -40.0, 20.0, 1.0])
    error = np.linalg.norm(((found - true) @ point)[:, :3], axis=1)
    assert np.median(error) < 0.5
    assert np.median(np.linalg.norm(((np.eye(4) - true) @ point)[:, :3], axis=1)) > 0.9


def test_every_run_is_recorded_as_done(output):
    status = json.loads((output / 'logs' / 'status.json').read_text(encoding='utf-8'))
    assert {run['run']: run['state'] for run in status['runs']} == {
        'sub-01': 'done',
        'sub-02': 'done',
    }


def test_every_image_has_a_sidecar_with_sources_that_exist(output):
    images = sorted(output.glob('sub-*/perf/*.nii.gz'))
    # twenty of both runs; of the multi-delay one what the tests of noise and model found, and
    # CBF, ATT, their standard deviations, status and difference of the network
    assert len(images) == 20 + len(TRUST_MAPS) + 6
    for image in images:
        text = image.with_name(image.name.replace('.nii.gz', '.json')).read_text(encoding='utf-8')
        sidecar = json.loads(text)
        assert sidecar['Description']
        for uri in sidecar['Sources']:
            assert (DEMO / uri.removeprefix('bids:raw:')).exists()


@pytest.mark.parametrize('dataset', ['input', 'output'])
def test_the_official_validator_finds_no_error(output, dataset):
    validator = shutil.which('bids-validator-deno', path=str(Path(sys.executable).parent))
    assert validator, 'bids-validator-deno is among the development dependencies'
    folder = DEMO if dataset == 'input' else output
    ended = subprocess.run(
        [validator, str(folder), '--json'], capture_output=True, text=True, check=False
    )
    issues = json.loads(ended.stdout)['issues']['issues']
    assert [issue for issue in issues if issue.get('severity') == 'error'] == []


@pytest.mark.parametrize('page', ['sub-01.html', 'sub-02.html', 'group.html'])
def test_the_pages_are_there_and_small_enough_to_send(output, page):
    assert 20_000 < (output / page).stat().st_size < 8 * 2**20
