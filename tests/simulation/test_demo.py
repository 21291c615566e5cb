"""The committed demo dataset: valid, reproducible, and solvable."""

import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch

from aslprep_nn.cli.tools import main
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.single_delay import single_delay_cbf
from aslprep_nn.preprocessing.resample import resample_series
from aslprep_nn.simulation.protocols import PROTOCOLS, Preset

DEMO = Path(__file__).parents[2] / 'data' / 'demo'
TRUTH = DEMO / 'derivatives' / 'truth'


def paths(root):
    return sorted(path.relative_to(root) for path in root.rglob('*') if path.is_file())


def without_version(path):
    content = json.loads(path.read_text())
    for generator in content.get('GeneratedBy', []):
        del generator['Version']
    return content


def test_the_demo_is_small_enough_to_travel_with_the_code():
    assert sum((DEMO / path).stat().st_size for path in paths(DEMO)) <= 4_000_000


def test_the_demo_is_what_the_command_writes_today(tmp_path):
    assert main(['simulate', str(tmp_path), '--preset', 'demo']) == 0
    assert paths(tmp_path) == paths(DEMO)
    for path in paths(DEMO):
        new, old = tmp_path / path, DEMO / path
        if path.name.endswith('.nii.gz'):
            new_image, old_image = nib.load(new), nib.load(old)
            assert new_image.get_data_dtype() == old_image.get_data_dtype()
            np.testing.assert_array_equal(new_image.affine, old_image.affine)
            # Another processor may round a half the other way.
            whole = old_image.get_data_dtype().kind in 'iu'
            tolerance = {'atol': 1} if whole else {'rtol': 1e-4, 'atol': 1e-3}
            np.testing.assert_allclose(new_image.get_fdata(), old_image.get_fdata(), **tolerance)
        elif path.suffix == '.json':
            assert without_version(new) == without_version(old)
        else:
            assert new.read_text() == old.read_text()


@pytest.mark.parametrize('root', [DEMO, TRUTH], ids=['raw', 'truth'])
def test_the_official_validator_finds_no_error(root):
    validator = Path(sys.executable).with_name('bids-validator-deno')
    done = subprocess.run([validator, root, '--json'], capture_output=True, text=True, check=False)
    issues = json.loads(done.stdout)['issues']['issues']
    assert [issue for issue in issues if issue['severity'] == 'error'] == []
    assert done.returncode == 0


def still_signal(subject, protocol):
    """Undo the true motion, subtract and calibrate: what a perfect pipeline hands on."""
    raw, truth = (root / f'sub-{subject}/perf/sub-{subject}' for root in (DEMO, TRUTH))
    image = nib.load(f'{raw}_asl.nii.gz')
    series = image.get_fdata()
    motion = pd.read_csv(f'{truth}_desc-motion_timeseries.tsv', sep='\t')
    transforms = np.tile(np.eye(4), (len(motion), 1, 1))
    transforms[:, :3] = motion.iloc[:, 6:].to_numpy().reshape(-1, 3, 4)
    still, in_view = resample_series(series, image.affine, transforms)
    m0_path = Path(f'{raw}_m0scan.nii.gz')
    m0 = nib.load(m0_path).get_fdata() if m0_path.exists() else series[..., 0]
    m0 = m0 / (1 - np.exp(-protocol.m0_repetition_time / 1.2))
    types = pd.read_csv(f'{raw}_aslcontext.tsv', sep='\t')['volume_type'].to_numpy()
    gray = nib.load(f'{truth}_label-GM_probseg.nii.gz').get_fdata()
    pure = (gray > 0.8) & in_view
    delta_m = still[..., types == 'control'] - still[..., types == 'label']
    maps = {
        name: nib.load(f'{truth}_desc-truth_{name}.nii.gz').get_fdata()[pure]
        for name in ('cbf', 'att')
    }
    return torch.from_numpy(delta_m[pure] / m0[pure, None]), maps, np.nonzero(pure)[2]


def test_six_delays_show_the_true_cbf_and_att_of_gray_matter_despite_the_noise():
    protocol = PROTOCOLS[Preset.DEMO][0]
    signal, truth, slices = still_signal('01', protocol)
    delay = torch.tensor(protocol.slice_times)[slices]
    fit = fit_cbf_att(signal, protocol.acquisition, slice_delay=delay)
    error = {name: fit.parameters[name].numpy() - truth[name] for name in truth}
    assert np.median(abs(error['cbf'])) <= 2.0
    assert np.median(abs(error['att'])) <= 0.035


def test_the_consensus_formula_shows_the_true_cbf_of_gray_matter_without_bias():
    protocol = PROTOCOLS[Preset.DEMO][1]
    signal, truth, _ = still_signal('02', protocol)
    fit = single_delay_cbf(signal, protocol.acquisition)
    ratio = np.median(fit.parameters['cbf'].numpy()) / np.median(truth['cbf'])
    assert ratio == pytest.approx(1, abs=0.025)
