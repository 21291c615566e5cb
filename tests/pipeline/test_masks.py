"""The mask that a user supplies is found for each run."""

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from aslprep_nn.acquisition import Acquisition, LabelingType, VolumeType
from aslprep_nn.pipeline.masks import mask_of, with_usable_mask
from aslprep_nn.run import ASLRun, M0Plan, M0Route, RefusedRun
from aslprep_nn.settings import Settings


def run_of(session: str) -> ASLRun:
    return ASLRun(
        name='_'.join(['sub-01', *([f'ses-{session}'] if session else []), 'run-2']),
        subject='01',
        session=session,
        series=Path('s.nii.gz'),
        volume_types=(VolumeType.DELTAM,),
        timings=((1.8, 1.8),),
        acquisition=Acquisition(LabelingType.PCASL, (1.8,), (1.8,), 0.85),
        m0=M0Plan(M0Route.NONE),
    )


def masked_with(mask: Path | None) -> Settings:
    return Settings(Path('/bids'), Path('/out'), Path('/work'), mask=mask)


def test_without_a_mask_none_is_supplied():
    assert mask_of(run_of(''), masked_with(None)) is None


def test_one_file_is_the_mask_of_every_run(tmp_path):
    file = tmp_path / 'mask.nii.gz'
    assert mask_of(run_of('a'), masked_with(file)) == file


@pytest.mark.parametrize(('session', 'expected'), [
    ('', 'sub-01/perf/sub-01_run-2_desc-brain_mask.nii.gz'),
    ('a', 'sub-01/ses-a/perf/sub-01_ses-a_run-2_desc-brain_mask.nii.gz'),
])  # fmt: skip
def test_a_folder_holds_a_mask_for_each_run_as_this_app_names_its_own(tmp_path, session, expected):
    assert mask_of(run_of(session), masked_with(tmp_path)) == tmp_path / expected


@pytest.mark.parametrize(('shape', 'words'), [(None, 'absent'), ((4, 4, 3), '4 x 4 x 2')])
def test_a_run_whose_mask_cannot_be_used_is_refused_while_planning(tmp_path, shape, words):
    series, mask = tmp_path / 's.nii.gz', tmp_path / 'mask.nii.gz'
    nib.save(nib.Nifti1Image(np.ones((4, 4, 2, 6), np.float32), np.eye(4)), series)
    run = replace(run_of(''), series=series)
    if shape is not None:
        nib.save(nib.Nifti1Image(np.ones(shape, np.uint8), np.eye(4)), mask)
    refused = with_usable_mask(run, masked_with(mask))
    assert isinstance(refused, RefusedRun)
    (problem,) = refused.problems
    assert problem.file == str(mask)
    assert words in f'{problem.found} {problem.expected}'
    mask.write_bytes(b'no image')
    assert 'readable' in with_usable_mask(run, masked_with(mask)).problems[0].found
    noise = np.random.default_rng(0).integers(0, 255, (4, 4, 2)).astype(np.uint8)
    nib.save(nib.Nifti1Image(noise, np.eye(4)), mask)
    mask.write_bytes(mask.read_bytes()[:-20])
    assert 'readable' in with_usable_mask(run, masked_with(mask)).problems[0].found
    nib.save(nib.Nifti1Image(np.ones((4, 4, 2), np.uint8), np.eye(4)), mask)
    planned = with_usable_mask(run, masked_with(mask)).plan[len(run.plan) :]
    assert [(row.name, row.value, row.source) for row in planned] == [
        ('Mask', 'supplied', 'mask.nii.gz')
    ]
    assert with_usable_mask(run, masked_with(None)) is run
