"""The estimators that look at neighbours, from files to files."""

import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import torch
from tiny_weights import write_weights

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.maps import FitStatus
from aslprep_nn.pipeline import steps
from aslprep_nn.pipeline.neighbours import estimate_hybrid, estimate_network
from aslprep_nn.signal.kinetics import pcasl_delta_m
from aslprep_nn.signal.protocol import Protocol
from aslprep_nn.simulation.dice import Interval

AFFINE = np.diag([3.5, 3.5, 5.0, 1.0])
GRID = (14, 12, 4)
PLDS = (0.25, 0.75, 1.25, 1.75, 2.25)
ACQUISITION = Acquisition(
    LabelingType.PCASL, PLDS * 4, (1.8,) * 20, 0.85, slice_times=(0.0, 0.1, 0.2, 0.3)
)
NOISE = 2e-4
ESTIMATES = {'hybrid': estimate_hybrid, 'network': estimate_network}


def save(path, data):
    path.parent.mkdir(exist_ok=True)
    nib.save(nib.Nifti1Image(np.asarray(data, dtype=np.float32), AFFINE), path)
    return path


def load(done):
    return {p.name.removesuffix('.nii.gz'): nib.load(p).get_fdata() for p in done.maps}


def truth():
    """Let every slice have its own flow, so that one in the wrong place is seen."""
    cbf = np.broadcast_to(40.0 + 10 * np.arange(GRID[2]), GRID)
    return cbf.copy(), np.full(GRID, 1.2)


def brain():
    inside = np.zeros(GRID, dtype=bool)
    inside[2:-1, 1:-2] = True
    inside[2, 1, :2] = False
    return inside


def measured(noise=NOISE, acquisition=ACQUISITION):
    cbf, att = map(torch.from_numpy, truth())
    delay = torch.tensor(ACQUISITION.slice_times, dtype=torch.float64).expand(GRID)
    clean = pcasl_delta_m(cbf, att, Protocol.of(acquisition, slice_delay=delay)).numpy()
    return clean + noise * np.random.default_rng(0).standard_normal(clean.shape)


def run(name, folder, data, *, acquisition=ACQUISITION, axis=2, weights=None, dial=1.0):
    """Store the slices along an axis, fit, and estimate."""
    common = {
        'relative_delta_m': save(folder / 'r.nii.gz', np.moveaxis(data, 2, axis)),
        'mask': save(folder / 'm.nii.gz', np.moveaxis(brain(), 2, axis)),
        'acquisition': replace(acquisition, slice_axis=axis),
        'device': 'cpu',
        'n_threads': 1,
    }
    fitted = steps.fit_voxels(**common, folder=folder)
    own = folder / name
    own.mkdir(exist_ok=True)
    more = {'weights': weights or write_weights(folder), 'dial': dial}
    more = more if name == 'network' else {}
    return ESTIMATES[name](**common, **more, fit=fitted.fit, folder=own)


def problems(done):
    return [problem['field'] for problem in json.loads(done.problems.read_text())]


@pytest.mark.parametrize('name', ESTIMATES)
@pytest.mark.parametrize('axis', [0, 1, 2])
def test_every_voxel_gets_the_estimate_of_its_own_slice_whichever_axis_slices_run_along(
    tmp_path, name, axis
):
    maps = load(run(name, tmp_path, measured(), axis=axis))
    assert set(maps) == {'cbf', 'att', 'std_cbf', 'std_att', 'fitstatus'}
    for quantity, expected, tolerance in zip(('cbf', 'att'), truth(), (6.0, 0.12), strict=True):
        found = np.moveaxis(maps[quantity], axis, 2)
        assert np.array_equal(np.isfinite(found), brain())
        assert np.abs(found - expected)[brain()].max() < tolerance
    status = np.moveaxis(maps['fitstatus'], axis, 2)
    assert set(status[~brain()]) == {FitStatus.OUTSIDE}
    assert (status[brain()] == FitStatus.CONVERGED).mean() > 0.7


@pytest.mark.parametrize('name', ESTIMATES)
def test_the_same_input_gives_the_same_bits(tmp_path, name):
    once, again = (load(run(name, tmp_path / part, measured())) for part in 'ab')
    for quantity, values in once.items():
        np.testing.assert_array_equal(values, again[quantity])


def test_the_standard_deviation_grows_with_the_noise(tmp_path):
    for name in ESTIMATES:
        quiet, loud = (
            load(run(name, tmp_path / f'{name}{noise}', measured(noise)))['std_cbf']
            for noise in (NOISE, 4 * NOISE)
        )
        assert np.nanmedian(loud / quiet) == pytest.approx(4, rel=0.25)


@pytest.mark.parametrize('name', ESTIMATES)
def test_neighbours_are_not_weighed_by_a_noise_that_nobody_knows(tmp_path, name):
    pair = replace(ACQUISITION, pld=(0.5, 1.5), labeling_duration=(1.8, 1.8))
    done = run(name, tmp_path, measured(acquisition=pair), acquisition=pair)
    assert done.maps == ()
    assert problems(done) == ['Noise']


def test_a_signal_to_noise_ratio_the_network_never_saw_is_refused_by_name(tmp_path):
    weights = write_weights(tmp_path, snr=Interval(1.0, 50.0))
    assert problems(run('network', tmp_path / 'a', measured(), weights=weights)) == [
        'Signal-to-noise ratio'
    ]
    loud = run('network', tmp_path / 'b', measured(10 * NOISE), weights=weights)
    assert problems(loud) == []
    assert loud.maps


def test_the_dial_reaches_the_network(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(
        'aslprep_nn.pipeline.neighbours.estimate',
        lambda network, series, dial: given.append(dial) or _stop(),
    )
    with pytest.raises(StopIteration):
        run('network', tmp_path, measured(), dial=8.0)
    assert given == [8.0]


def _stop():
    raise StopIteration
