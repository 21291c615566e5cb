import gzip
import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from aslprep_nn.acquisition import M0Type, VolumeType
from aslprep_nn.errors import UsageError
from aslprep_nn.simulation import dataset
from aslprep_nn.simulation.dataset import Study, write_raw, write_study, write_truth
from aslprep_nn.simulation.motion import MotionLevel
from aslprep_nn.simulation.protocols import PROTOCOLS, Preset
from aslprep_nn.simulation.scanner import scan


def acquired(phantom, protocol):
    rng = np.random.default_rng(0)
    return scan(phantom, protocol, motion_level=MotionLevel.MILD, rng=rng)


@pytest.fixture(scope='module')
def multi(coarse_phantom, multi_delay):
    return acquired(coarse_phantom, multi_delay)


@pytest.fixture(scope='module')
def single(coarse_phantom, single_delay):
    return acquired(coarse_phantom, single_delay)


@pytest.fixture
def raw(tmp_path, multi, single):
    write_raw(tmp_path, '01', multi)
    write_raw(tmp_path, '02', single)
    return tmp_path


def sidecar(root, subject, suffix):
    return json.loads((root / f'sub-{subject}/perf/sub-{subject}_{suffix}.json').read_text())


def image(root, subject, suffix):
    return nib.load(root / f'sub-{subject}/perf/sub-{subject}_{suffix}.nii.gz')


def context(root, subject):
    path = root / f'sub-{subject}/perf/sub-{subject}_aslcontext.tsv'
    return list(pd.read_csv(path, sep='\t')['volume_type'])


def test_there_is_one_context_row_and_one_delay_per_volume(raw):
    for subject, n_volumes in (('01', 96), ('02', 25)):
        fields = sidecar(raw, subject, 'asl')
        assert image(raw, subject, 'asl').shape[3] == n_volumes
        assert len(context(raw, subject)) == n_volumes
        assert len(fields['PostLabelingDelay']) == n_volumes
    assert context(raw, '01')[:2] == ['label', 'control']
    assert context(raw, '02')[:3] == ['m0scan', 'control', 'label']


def test_an_included_m0_has_no_delay_and_its_own_repetition_time(raw):
    fields = sidecar(raw, '02', 'asl')
    assert fields['M0Type'] == M0Type.INCLUDED
    assert fields['PostLabelingDelay'] == [0.0] + [1.8] * 24
    assert fields['LabelingDuration'] == [0.0] + [1.8] * 24
    assert fields['RepetitionTimePreparation'] == [7.0] + [4.4] * 24
    assert not (raw / 'sub-02/perf/sub-02_m0scan.nii.gz').exists()


def test_a_separate_m0_says_which_series_it_belongs_to(raw):
    fields = sidecar(raw, '01', 'm0scan')
    assert sidecar(raw, '01', 'asl')['M0Type'] == M0Type.SEPARATE
    assert fields['IntendedFor'] == 'bids::sub-01/perf/sub-01_asl.nii.gz'
    assert (raw / fields['IntendedFor'].removeprefix('bids::')).exists()
    assert image(raw, '01', 'm0scan').shape == image(raw, '01', 'asl').shape[:3]


def test_only_a_readout_in_slices_has_slice_times(raw, multi):
    assert sidecar(raw, '01', 'asl')['SliceTiming'] == list(multi.protocol.slice_times)
    assert sidecar(raw, '01', 'asl')['MRAcquisitionType'] == '2D'
    assert 'SliceTiming' not in sidecar(raw, '02', 'asl')


def test_constants_of_the_truth_follow_from_the_sidecar(tmp_path, raw, multi):
    write_truth(tmp_path / 'truth', '01', multi)
    told = sidecar(raw, '01', 'asl')
    used = sidecar(tmp_path / 'truth', '01', 'desc-truth_cbf')
    pulses = told['BackgroundSuppressionNumberPulses']
    assert used['LabelingEfficiency'] == pytest.approx(
        told['LabelingEfficiency'] * 0.95**pulses, abs=1e-6
    )


def test_noisy_volumes_are_whole_scanner_units(raw, multi):
    stored = image(raw, '01', 'asl')
    assert stored.get_data_dtype() == np.int16
    np.testing.assert_allclose(stored.get_fdata(), multi.series, atol=0.5)
    np.testing.assert_allclose(stored.affine, multi.protocol.grid.affine)


def test_noise_free_volumes_are_not_rounded(tmp_path, coarse_phantom, single_delay):
    run = acquired(coarse_phantom, replace(single_delay, snr=np.inf))
    write_raw(tmp_path, '01', run)
    np.testing.assert_allclose(image(tmp_path, '01', 'asl').get_fdata(), run.series, rtol=1e-6)


def test_a_series_of_differences_says_so(tmp_path, coarse_phantom, single_delay):
    run = acquired(coarse_phantom, replace(single_delay, subtracted=True))
    write_raw(tmp_path, '01', run)
    assert context(tmp_path, '01') == ['m0scan'] + ['deltam'] * 12
    assert image(tmp_path, '01', 'asl').shape[3] == 13


def test_every_true_map_is_on_the_grid_of_the_series_with_its_unit(tmp_path, multi):
    write_truth(tmp_path, '01', multi)
    for name, unit in (('desc-truth_cbf', 'mL/100 g/min'), ('desc-truth_att', 's')):
        assert sidecar(tmp_path, '01', name)['Units'] == unit
    for path in tmp_path.rglob('*.nii.gz'):
        stored = nib.load(path)
        assert stored.shape == multi.protocol.grid.shape
        np.testing.assert_allclose(stored.affine, multi.protocol.grid.affine)
        assert json.loads(path.with_name(path.name.replace('.nii.gz', '.json')).read_text())
    np.testing.assert_allclose(
        image(tmp_path, '01', 'desc-truth_cbf').get_fdata(), multi.truth.cbf, rtol=1e-6
    )


def test_the_table_of_motion_holds_the_matrices_it_describes(tmp_path, multi):
    write_truth(tmp_path, '01', multi)
    table = pd.read_csv(tmp_path / 'sub-01/perf/sub-01_desc-motion_timeseries.tsv', sep='\t')
    columns = sidecar(tmp_path, '01', 'desc-motion_timeseries')
    assert set(table.columns) < set(columns)
    np.testing.assert_allclose(table.iloc[:, :6], multi.motion.parameters, atol=1e-9)
    matrices = table.iloc[:, 6:].to_numpy().reshape(-1, 3, 4)
    np.testing.assert_allclose(matrices, multi.motion.matrices[:, :3], atol=1e-9)


def test_the_same_data_give_the_same_bytes_with_no_time_stamp(tmp_path, single):
    for copy in ('first', 'second'):
        write_raw(tmp_path / copy, '01', single)
    first, second = (
        (tmp_path / copy / 'sub-01/perf/sub-01_asl.nii.gz').read_bytes()
        for copy in ('first', 'second')
    )
    assert first == second
    assert first[4:8] == bytes(4)
    assert gzip.decompress(first)


@pytest.fixture
def quick_study(monkeypatch, coarse_phantom, single_delay):
    """A study whose subjects differ in noise and motion only."""
    monkeypatch.setattr(dataset, 'draw_phantom', lambda rng: coarse_phantom)
    monkeypatch.setitem(PROTOCOLS, Preset.SINGLE_DELAY, (single_delay,))
    return Study(Preset.SINGLE_DELAY, n_subjects=2, seed=3)


def files(root):
    return {p.relative_to(root): p.read_bytes() for p in sorted(root.rglob('*')) if p.is_file()}


def test_the_same_study_gives_the_same_bytes_and_another_seed_does_not(tmp_path, quick_study):
    for name, seed in (('first', 3), ('again', 3), ('other', 4)):
        write_study(tmp_path / name, replace(quick_study, seed=seed))
    assert files(tmp_path / 'first') == files(tmp_path / 'again')
    first, other = (image(tmp_path / name, '01', 'asl').get_fdata() for name in ('first', 'other'))
    assert (first != other).any()


def test_more_subjects_do_not_change_the_first_and_differ_from_each_other(tmp_path, quick_study):
    write_study(tmp_path / 'two', quick_study)
    write_study(tmp_path / 'one', replace(quick_study, n_subjects=1))
    first, second, alone = (
        image(tmp_path / name, subject, 'asl').get_fdata()
        for name, subject in (('two', '01'), ('two', '02'), ('one', '01'))
    )
    np.testing.assert_array_equal(first, alone)
    assert (first != second).any()
    participants = pd.read_csv(tmp_path / 'two/participants.tsv', sep='\t')
    assert list(participants['participant_id']) == ['sub-01', 'sub-02']


def test_subjects_take_turns_with_the_protocols_of_a_preset():
    protocols = Study(Preset.DEMO, n_subjects=5).protocols
    assert [len(protocol.pld) for protocol in protocols] == [6, 1, 6, 1, 6]
    assert {v.kind for v in Study(Preset.DEMO, subtracted=True).protocols[0].series} == {
        VolumeType.DELTAM
    }
    assert [p.snr for p in Study(Preset.DEMO, snr=77.0).protocols] == [77.0, 77.0]


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path):
    (tmp_path / 'precious.txt').write_text('mine')
    with pytest.raises(UsageError, match='is not empty; expected a new or empty folder'):
        write_study(tmp_path, Study(Preset.DEMO))
    assert [path.name for path in tmp_path.iterdir()] == ['precious.txt']
