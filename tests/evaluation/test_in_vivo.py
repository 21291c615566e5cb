"""Real runs are read from the app's derivatives, halved and compared."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.errors import UsageError
from aslprep_nn.evaluation.estimators import Family
from aslprep_nn.evaluation.figures import joint_figure
from aslprep_nn.evaluation.halving import simulated_halves, simulated_table
from aslprep_nn.evaluation.in_vivo import read_scans, stability
from aslprep_nn.evaluation.phantoms import with_fine_structure
from aslprep_nn.evaluation.texture import texture_row
from aslprep_nn.signal.kinetics import delta_m
from aslprep_nn.signal.protocol import Protocol

DELAYS, N_REPETITIONS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0), 4
SHAPE, M0, NOISE = (16, 15, 3), 800.0, 1.5e-3
SLICE_TIMES = (0.0, 0.05, 0.1)


def write(folder, *, direction='k', n_repetitions=N_REPETITIONS, with_m0=True):
    """Write a uniform brain as the app would leave it."""
    pld = DELAYS * n_repetitions
    duration = (1.8,) * len(pld)
    acquisition = Acquisition(LabelingType.PCASL, pld, duration, 0.85, slice_times=SLICE_TIMES)
    delay = torch.tensor(SLICE_TIMES).double().expand(SHAPE)
    full = torch.full(SHAPE, 1.0).double()
    clean = delta_m(60 * full, 1.2 * full, Protocol.of(acquisition, slice_delay=delay))
    generator = torch.Generator().manual_seed(0)
    noise = NOISE * torch.randn(clean.shape, generator=generator)
    mask = np.zeros(SHAPE, np.uint8)
    mask[2:-2, 2:-2] = 1
    perf = folder / 'sub-01' / 'perf'
    perf.mkdir(parents=True)
    images = {'deltam_asl': M0 * (clean + noise).numpy(), 'brain_mask': mask}
    if with_m0:
        images['preproc_m0scan'] = np.full(SHAPE, M0)
    for name, data in images.items():
        image = nib.Nifti1Image(data.astype(np.float32), np.eye(4))
        nib.save(image, perf / f'sub-01_desc-{name}.nii.gz')
    sidecar = {
        'ArterialSpinLabelingType': 'PCASL', 'PostLabelingDelay': pld,
        'LabelingDuration': duration, 'LabelingEfficiency': 0.85, 'T1Blood': 1.65,
        'T1Tissue': 1.2, 'PartitionCoefficient': 0.9, 'SliceTiming': SLICE_TIMES,
        'SliceEncodingDirection': direction,
    }  # fmt: skip
    (perf / 'sub-01_desc-deltam_asl.json').write_text(json.dumps(sidecar))
    return acquisition


def test_a_run_is_read_with_its_timing_and_its_noise(tmp_path):
    acquisition = write(tmp_path)
    (scan,) = read_scans(tmp_path)
    assert scan.name == 'sub-01'
    assert scan.series.acquisitions == (acquisition,)
    assert scan.series.slice_delay.tolist() == pytest.approx(SLICE_TIMES)
    assert scan.series.noise.item() == pytest.approx(NOISE, rel=0.05)
    assert int(scan.series.mask.sum()) == 12 * 11 * 3


def test_in_a_uniform_brain_smoothing_half_the_data_beats_fitting_it(tmp_path, a_network):
    write(tmp_path)
    (scan,) = read_scans(tmp_path)
    found = stability(scan, a_network())
    rows = {row['from half of the data']: row for row in found.table.rows}
    assert {'least squares', 'LSQ σ 0.5', 'LSQ σ 3', 'network, dial 1'} <= set(rows)
    column = 'CBF to LSQ of the other half [mL/100 g/min]'
    plain, smooth = (float(rows[name][column]) for name in ('least squares', 'LSQ σ 3'))
    assert smooth < 0.8 * plain
    shared = float(rows['least squares']['CBF to LSQ of all [mL/100 g/min]'])
    assert shared < 0.7 * plain
    figure = joint_figure(found)
    assert figure is not None
    assert figure.data.startswith(b'\x89PNG')


def test_without_a_network_the_others_are_compared_and_nothing_is_drawn(tmp_path):
    write(tmp_path)
    found = stability(read_scans(tmp_path)[0], None)
    assert set(found.everything) == {Family.LEAST_SQUARES}
    assert joint_figure(found) is None


@pytest.mark.parametrize('why', [{'with_m0': False}, {'n_repetitions': 2}])
def test_runs_that_cannot_be_halved_are_left_out_by_name(tmp_path, why):
    write(tmp_path, **why)
    with pytest.raises(UsageError, match='without a run to halve'):
        read_scans(tmp_path)


def test_slices_along_another_axis_are_refused_by_name(tmp_path):
    write(tmp_path, direction='j')
    with pytest.raises(UsageError, match='slices along j'):
        read_scans(tmp_path)


def test_the_truth_is_put_to_the_same_test(brains, a_network):
    scans = list(simulated_halves(brains, 10.0, 3))
    table = simulated_table('simulated', scans, a_network())
    rows = {row['from half of the data']: row for row in table.rows}
    to_truth, to_half = (
        f'CBF to {name} [mL/100 g/min]' for name in ('the truth', 'LSQ of the other half')
    )
    assert float(rows['the truth'][to_truth]) == 0
    assert rows['the truth'][to_half] == rows['least squares'][to_truth]
    shared = {name: float(row['CBF to LSQ of all [mL/100 g/min]']) for name, row in rows.items()}
    assert 0 < shared['the truth'] < float(rows['the truth'][to_half])
    assert len({tuple(row) for row in table.rows}) == 1


def test_both_halves_together_are_all_of_the_data(brains):
    scan, truth = next(iter(simulated_halves(brains, 5.0, 3)))
    one, two = scan.halves
    mean = (one.relative_delta_m + two.relative_delta_m) / 2
    torch.testing.assert_close(scan.whole.relative_delta_m, mean)
    assert (scan.whole.weights == 2 * one.weights).all()
    noise = scan.whole.noise / one.noise
    torch.testing.assert_close(noise, torch.ones_like(noise), atol=0.1, rtol=0)
    assert truth.shape == (2, int(scan.whole.mask.sum()))


def test_texture_is_what_both_halves_reproduce(brains):
    rough = with_fine_structure(brains, 1)
    rows = [
        texture_row(name, [scan for scan, _ in simulated_halves(phantoms, 20.0, 3)])
        for name, phantoms in (('smooth', brains), ('rough', rough))
    ]
    smooth, rough_row = ({k: float(v) for k, v in row.items() if k != 'brain'} for row in rows)
    assert rough_row['CBF, sd [mL/100 g/min]'] > 1.05 * smooth['CBF, sd [mL/100 g/min]']
    assert rough_row['CBF, 1 apart'] < smooth['CBF, 1 apart'] - 0.1
    assert rough_row['ATT, 1 apart'] < smooth['ATT, 1 apart'] - 0.1
    # the noise is not part of it
    noisier = texture_row('noisier', [scan for scan, _ in simulated_halves(rough, 10.0, 3)])
    assert float(noisier['CBF, sd [mL/100 g/min]']) == pytest.approx(
        rough_row['CBF, sd [mL/100 g/min]'], rel=0.15
    )
