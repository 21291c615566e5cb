"""Corrupted pairs leave the data and enter the confounds with a reason."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.pipeline.screen import pair_notes, screen_pairs

C, L, M, D = VolumeType.CONTROL, VolumeType.LABEL, VolumeType.M0SCAN, VolumeType.DELTAM
GRID = (8, 8, 4)


def save(path: Path, data: np.ndarray) -> Path:
    nib.save(nib.Nifti1Image(np.asarray(data, dtype=np.float32), np.eye(4)), path)
    return path


@pytest.fixture
def corrupted(tmp_path) -> dict[str, Path]:
    """Return six pairs, the fourth spoilt, and a mask."""
    rng = np.random.default_rng(0)
    delta_m = 5 + rng.normal(0, 1, (*GRID, 6))
    delta_m[..., 3] += rng.normal(0, 20, GRID)
    mask = save(tmp_path / 'mask.nii.gz', np.ones(GRID))
    return {'delta_m': save(tmp_path / 'dm.nii.gz', delta_m), 'mask': mask, 'folder': tmp_path}


def confounds(folder: Path, displacement: list[float]) -> Path:
    table = pd.DataFrame({'volume_type': ['m0scan', *['control', 'label'] * 6]})
    table['framewise_displacement'] = displacement
    table.to_csv(folder / 'motion.tsv', sep='\t', na_rep='n/a', index=False)
    return folder / 'motion.tsv'


def test_both_volumes_of_a_corrupted_pair_are_named_and_its_difference_is_missing(corrupted):
    displacement = [np.nan, np.nan, np.nan, *[0.1] * 5, 4.0, *[0.1] * 4]
    done = screen_pairs(
        **corrupted,
        volume_types=(M, *(C, L) * 6),
        timings=((0, 0), *((1.8, 1.8),) * 12),
        confounds=confounds(corrupted['folder'], displacement),
    )
    missing = np.isnan(nib.load(done.delta_m).get_fdata())
    assert missing[..., 3].all()
    assert not missing[..., [0, 1, 2, 4, 5]].any()
    table = pd.read_csv(done.confounds, sep='\t', na_values='n/a', keep_default_na=False)
    np.testing.assert_array_equal(table['pair_weight'], [np.nan, *[1] * 6, 0, 0, *[1] * 4])
    assert table['pair_outlier'].tolist()[1:] == [*['none'] * 6, 'jump', 'jump', *['none'] * 4]
    assert pair_notes(table) == ('1 of 6 pairs were left out: 4 (jump).',)


@pytest.mark.parametrize(('slice_axis', 'left_out'), [(0, 'slice'), (2, 'none')])
def test_slices_are_those_of_the_acquisition(tmp_path, slice_axis, left_out):
    delta_m = 5 + np.random.default_rng(0).normal(0, 1, (*GRID, 6))
    delta_m[4, ..., 3] = -40
    done = screen_pairs(
        delta_m=save(tmp_path / 'dm.nii.gz', delta_m),
        mask=save(tmp_path / 'mask.nii.gz', np.ones(GRID)),
        volume_types=(C, L) * 6,
        timings=((1.8, 1.8),) * 12,
        folder=tmp_path,
        slice_axis=slice_axis,
    )
    table = pd.read_csv(done.confounds, sep='\t', na_values='n/a', keep_default_na=False)
    assert table['pair_outlier'].tolist() == [*['none'] * 6, *[left_out] * 2, *['none'] * 4]


def test_dvars_of_a_pair_is_the_change_since_the_repetition_before(corrupted):
    done = screen_pairs(
        **corrupted, volume_types=(*(C, L) * 6, M), timings=(*((1.8, 1.8),) * 12, (0, 0))
    )
    table = pd.read_csv(done.confounds, sep='\t', na_values='n/a')
    data = nib.load(corrupted['delta_m']).get_fdata()
    change = np.sqrt((np.diff(data) ** 2).mean((0, 1, 2)))
    np.testing.assert_allclose(table['dvars'][2:12], np.repeat(change, 2), rtol=1e-5)
    assert table['dvars'][[0, 1, 12]].isna().all()


def test_differences_of_the_scanner_are_screened_without_knowing_the_motion(corrupted):
    done = screen_pairs(**corrupted, volume_types=(D,) * 6, timings=((1.8, 1.8),) * 6)
    table = pd.read_csv(done.confounds, sep='\t', na_values='n/a', keep_default_na=False)
    assert table['pair_outlier'].tolist() == [*['none'] * 3, 'spike', *['none'] * 2]
    assert table['pair_weight'].tolist() == [1, 1, 1, 0, 1, 1]
