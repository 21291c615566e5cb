"""Each file step loads, computes and saves what its name says."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch

from aslprep_nn.acquisition import Acquisition, LabelingType, VolumeType
from aslprep_nn.errors import ImageError
from aslprep_nn.maps import FitStatus
from aslprep_nn.pipeline import steps
from aslprep_nn.settings import Macrovascular
from aslprep_nn.signal.kinetics import pcasl_delta_m
from aslprep_nn.signal.protocol import Protocol

C, L, M, D = VolumeType.CONTROL, VolumeType.LABEL, VolumeType.M0SCAN, VolumeType.DELTAM
AFFINE = np.diag([4.0, 4.0, 5.0, 1.0])
GRID = (6, 6, 4)
T1 = 1.2
ACQUISITION = Acquisition(LabelingType.PCASL, (1.8,), (1.8,), 0.85, t1_tissue=T1)


def save(path: Path, data: np.ndarray) -> Path:
    nib.save(nib.Nifti1Image(np.asarray(data, dtype=np.float32), AFFINE), path)
    return path


def load(path: Path) -> np.ndarray:
    return nib.load(path).get_fdata()


@pytest.mark.parametrize(
    ('types', 'expected', 'shows_tissue'),
    [((M, C, L), 1.0, True), ((C, L, C), 4.0, True), ((D, D, D), np.sqrt(14 / 3), False)],
    ids=['m0', 'brightest control', 'power of differences'],
)
def test_the_reference_is_m0_else_controls_else_differences(
    tmp_path, types, expected, shows_tissue
):
    values = (1.0, 2.0, 3.0) if types[0] is not C else (2.0, 9.0, 4.0)
    series = save(tmp_path / 's.nii.gz', np.ones((*GRID, 3)) * values)
    chosen = steps.choose_reference(series=series, volume_types=types, folder=tmp_path)
    np.testing.assert_allclose(load(chosen.image), expected, rtol=1e-6)
    assert chosen.shows_tissue is shows_tissue


def test_a_reference_that_is_no_m0_becomes_the_mean_of_the_still_controls(tmp_path):
    series = save(tmp_path / 's.nii.gz', np.ones((*GRID, 3)) * (2.0, 9.0, 4.0))
    settled = steps.settle_reference(
        reference=series, series=series, volume_types=(C, L, C), folder=tmp_path
    )
    np.testing.assert_allclose(load(settled.image), 3.0, rtol=1e-6)


def test_differences_have_no_control_to_average(tmp_path):
    series = save(tmp_path / 's.nii.gz', np.ones((*GRID, 3)))
    settled = steps.settle_reference(
        reference=series, series=series, volume_types=(D, D, D), folder=tmp_path
    )
    assert settled.image == series


@pytest.fixture
def head(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    return save(tmp_path / 'head.nii.gz', 1 + rng.random(GRID))


def masked_by(supplied: Path, head: Path) -> np.ndarray:
    done = steps.mask_brain(
        reference=head,
        shows_tissue=True,
        series=head,
        fov_mask=save(head.parent / 'fov.nii.gz', np.ones(GRID)),
        folder=head.parent,
        supplied=supplied,
    )
    return load(done.mask)


def test_a_supplied_mask_is_used_as_it_is(tmp_path, head):
    own = np.zeros(GRID)
    own[1:4, 2:5, 1:3] = 1
    np.testing.assert_array_equal(masked_by(save(tmp_path / 'own.nii.gz', own), head), own)


@pytest.mark.parametrize(('shape', 'affine', 'words'), [
    ((6, 6, 5), AFFINE, 'own.nii.gz: shape is 6 x 6 x 5; expected 6 x 6 x 4'),
    (GRID, AFFINE + np.eye(4, k=3), 'own.nii.gz: affine is up to 1 mm off'),
])  # fmt: skip
def test_a_mask_on_another_grid_is_refused_by_name(tmp_path, head, shape, affine, words):
    nib.save(nib.Nifti1Image(np.ones(shape, dtype=np.uint8), affine), tmp_path / 'own.nii.gz')
    with pytest.raises(ImageError, match=words):
        masked_by(tmp_path / 'own.nii.gz', head)


def test_a_mask_that_is_absent_or_empty_is_refused(tmp_path, head):
    with pytest.raises(ImageError, match='absent; expected a brain mask'):
        masked_by(tmp_path / 'nowhere.nii.gz', head)
    with pytest.raises(ImageError, match='mask is empty'):
        masked_by(save(tmp_path / 'own.nii.gz', np.zeros(GRID)), head)


def test_voxels_that_left_the_field_of_view_are_not_brain(tmp_path):
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (24, 24, 12)), indexing='ij')
    head = 100.0 * (x**2 + y**2 + z**2 < 0.7) + 2 + np.random.default_rng(0).random(x.shape)
    seen = np.ones(head.shape)
    seen[:, :, 7:] = 0
    reference = save(tmp_path / 'reference.nii.gz', head)
    done = steps.mask_brain(
        reference=reference,
        shows_tissue=True,
        series=reference,
        fov_mask=save(tmp_path / 'fov.nii.gz', seen),
        folder=tmp_path,
    )
    mask = load(done.mask)
    assert mask[:, :, :7].any()
    assert not mask[:, :, 7:].any()


def test_att_that_the_protocol_cannot_tell_is_nan_and_cbf_is_not(tmp_path):
    early = Acquisition(LabelingType.PCASL, (2.5, 3.0), (1.8, 1.8), 0.85)
    decay = np.exp(-np.array([2.5, 3.0]) / 0.9)  # all blood arrived before the first delay
    done = steps.fit_voxels(
        relative_delta_m=save(tmp_path / 'r.nii.gz', np.ones((*GRID, 2)) * 0.05 * decay),
        mask=save(tmp_path / 'mask.nii.gz', np.ones(GRID)),
        acquisition=early,
        device='cpu',
        n_threads=1,
        folder=tmp_path,
    )
    maps = {path.name.split('.')[0]: load(path) for path in done.maps}
    assert set(maps['fitstatus'].ravel()) == {FitStatus.ATT_NOT_IDENTIFIABLE}
    assert np.isnan(maps['att']).all()
    assert np.isnan(maps['std_att']).all()
    assert np.isfinite(maps['cbf']).all()


def test_arterial_blood_is_found_where_there_is_some_and_only_if_asked_for(tmp_path):
    plds = (0.2, 0.5, 0.8, 1.1, 1.4, 1.8, 2.2) * 4
    early = Acquisition(LabelingType.PCASL, plds, (1.4,) * len(plds), 0.85)
    protocol = Protocol.of(early)
    tissue = pcasl_delta_m(torch.tensor(60.0), torch.tensor(1.2), protocol).numpy()
    arrival, volume = 0.5, 0.03
    passing = (arrival > protocol.pld) & (arrival < protocol.pld + 1.4)
    artery = 2 * 0.85 / 0.9 * volume * np.exp(-arrival / 1.65) * passing.numpy()
    noise = np.random.default_rng(0).normal(0, 2e-4, (*GRID, len(plds)))
    maps = {}
    for choice in Macrovascular:
        folder = tmp_path / choice
        folder.mkdir()
        done = steps.fit_voxels(
            relative_delta_m=save(folder / 'r.nii.gz', tissue + artery + noise),
            mask=save(folder / 'mask.nii.gz', np.ones(GRID)),
            acquisition=early,
            macrovascular=choice,
            device='cpu',
            n_threads=1,
            folder=folder,
        )
        maps[choice] = {path.name.split('.')[0]: load(path) for path in done.maps}
    assert 'arterial_blood_volume' not in maps[Macrovascular.OFF]
    for choice in (Macrovascular.AUTO, Macrovascular.ON):
        found = np.median(maps[choice]['arterial_blood_volume'])
        assert found == pytest.approx(volume, rel=0.1)
        assert np.median(maps[choice]['cbf']) == pytest.approx(60, rel=0.03)
    assert abs(np.median(maps[Macrovascular.OFF]['cbf']) - 60) > 6


def test_voxels_outside_the_mask_are_nan_with_status_outside(tmp_path):
    mask = np.zeros(GRID)
    mask[2:4, 2:4, 1:3] = 1
    done = steps.fit_voxels(
        relative_delta_m=save(tmp_path / 'r.nii.gz', np.full((*GRID, 1), 0.006)),
        mask=save(tmp_path / 'mask.nii.gz', mask),
        acquisition=ACQUISITION,
        device='cpu',
        n_threads=1,
        folder=tmp_path,
    )
    maps = {path.name.split('.')[0]: load(path) for path in done.maps}
    np.testing.assert_array_equal(np.isfinite(maps['cbf']), mask > 0)
    assert set(maps['fitstatus'][mask == 0]) == {FitStatus.OUTSIDE}
    assert 'att' not in maps


def test_slice_timing_lengthens_the_delay_of_later_slices(tmp_path):
    timed = Acquisition(LabelingType.PCASL, (1.8,), (1.8,), 0.85, slice_times=(0.0, 0.2, 0.4, 0.6))
    done = steps.fit_voxels(
        relative_delta_m=save(tmp_path / 'r.nii.gz', np.full((*GRID, 1), 0.006)),
        mask=save(tmp_path / 'mask.nii.gz', np.ones(GRID)),
        acquisition=timed,
        device='cpu',
        n_threads=1,
        folder=tmp_path,
    )
    cbf = load(next(path for path in done.maps if path.name == 'cbf.nii.gz'))
    np.testing.assert_allclose(
        cbf[0, 0] / cbf[0, 0, 0], np.exp(np.arange(4) * 0.2 / 1.65), rtol=1e-4
    )


def test_motion_that_cannot_be_estimated_is_unknown_and_not_zero(tmp_path):
    found = steps.estimate_motion(
        series=save(tmp_path / 'series.nii.gz', np.ones((*GRID, 4))),
        reference=save(tmp_path / 'reference.nii.gz', np.ones(GRID)),
        volume_types=(C, L, C, L),
        timings=((1.8, 1.8),) * 4,
        seed=1,
        folder=tmp_path,
    )
    np.testing.assert_array_equal(np.load(found.transforms), np.tile(np.eye(4), (4, 1, 1)))
    table = pd.read_csv(found.confounds, sep='\t', na_values='n/a')
    assert table.drop(columns='volume_type').isna().all(axis=None)
