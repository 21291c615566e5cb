"""The M0 image of a series is the one that says so, or the one whose name fits best."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from aslprep_nn.bids.m0scans import choose_m0scan
from aslprep_nn.bids.query import find_series, open_dataset
from aslprep_nn.bids.reader import read_run
from aslprep_nn.run import ASLRun, RefusedRun
from aslprep_nn.settings import M0Method, M0Options, PhysicsOptions, ReferenceTissue, Settings


@pytest.fixture
def perf(make_dataset, subject) -> Path:
    """Return a folder with the series sub-01_run-1_asl and nothing else of M0."""
    folder = make_dataset(subject()) / 'sub-01' / 'perf'
    for path in list(folder.iterdir()):
        path.rename(folder / path.name.replace('sub-01_', 'sub-01_run-1_'))
    for path in list(folder.glob('*_m0scan.*')):
        path.rename(folder.parents[1] / path.name.replace('sub-01_run-1_m0scan', 'spare'))
    return folder


def add(perf: Path, entities: str, intended_for: object = None, folder: str = 'perf') -> None:
    target = perf.parent / folder / f'sub-01_{entities}m0scan'
    target.parent.mkdir(exist_ok=True)
    shutil.copy(perf.parents[1] / 'spare.nii.gz', f'{target}.nii.gz')
    fields = {'RepetitionTimePreparation': 6.0, 'IntendedFor': intended_for}
    Path(f'{target}.json').write_text(json.dumps(fields), encoding='utf-8')


def chosen(perf: Path) -> tuple[str, ...]:
    """Return the labels between subject and suffix of the image taken and of its rivals."""
    layout = open_dataset(perf.parents[1])
    choice = choose_m0scan(layout, find_series(layout)[0])
    if choice is None:
        return ()
    names = (path.name for path in (choice.path, *choice.rivals))
    return tuple(name.removeprefix('sub-01_').removesuffix('m0scan.nii.gz') for name in names)


def change(path: Path, **fields: object) -> None:
    content = json.loads(path.read_text(encoding='utf-8'))
    path.write_text(json.dumps(content | fields), encoding='utf-8')


def read(perf: Path, **calibration: object) -> ASLRun | RefusedRun:
    root = perf.parents[1]
    layout = open_dataset(root)
    physics = PhysicsOptions(m0=M0Options(**calibration))
    settings = Settings(root, root, root, physics=physics)
    return read_run(layout, find_series(layout)[0], settings)


def rescale(path: Path, factor: float) -> None:
    """Give an image voxels of another size."""
    image = nib.load(path)
    affine = image.affine @ np.diag([factor, factor, factor, 1])
    nib.Nifti1Image(np.asarray(image.dataobj), affine).to_filename(path)


@pytest.mark.parametrize(
    'intended_for',
    [
        'perf/sub-01_run-1_asl.nii.gz',
        'bids::sub-01/perf/sub-01_run-1_asl.nii.gz',
        ['perf/sub-01_run-2_asl.nii.gz', 'perf/sub-01_run-1_asl.nii.gz'],
    ],
)
def test_the_image_that_names_the_series_wins_over_its_name(perf, intended_for):
    add(perf, 'run-1_')
    add(perf, 'run-9_', intended_for)
    assert chosen(perf) == ('run-9_',)


def test_the_session_is_part_of_a_path_in_intended_for(perf):
    add(perf, 'run-9_', 'ses-a/perf/sub-01_ses-a_run-1_asl.nii.gz')
    session = perf.parent / 'ses-a'
    session.mkdir()
    perf.rename(session / 'perf')
    for path in list((session / 'perf').iterdir()):
        path.rename(path.with_name(path.name.replace('sub-01_', 'sub-01_ses-a_')))
    layout = open_dataset(session.parents[1])
    choice = choose_m0scan(layout, find_series(layout)[0])
    assert choice.path.name == 'sub-01_ses-a_run-9_m0scan.nii.gz'


def test_an_image_intended_for_other_files_only_is_not_taken(perf):
    add(perf, 'run-1_', 'perf/sub-01_run-2_asl.nii.gz')
    assert chosen(perf) == ()
    assert any(p.field == 'M0Type' and 'IntendedFor' in p.remedy for p in read(perf).problems)


def test_an_image_of_another_run_is_not_taken(perf):
    add(perf, 'run-2_')
    assert chosen(perf) == ()


@pytest.mark.parametrize('nothing', ['', [], 7, [None]])
def test_an_intended_for_that_names_nothing_leaves_it_to_the_entities(perf, nothing):
    add(perf, 'run-1_', nothing)
    assert chosen(perf) == ('run-1_',)


def test_more_shared_entities_win(perf):
    add(perf, '')
    add(perf, 'run-1_')
    assert chosen(perf) == ('run-1_',)


def test_an_image_for_distortion_correction_is_not_taken(perf):
    add(perf, 'run-1_', 'perf/sub-01_run-1_asl.nii.gz', folder='fmap')
    add(perf, 'dir-pa_run-1_', 'perf/sub-01_run-1_m0scan.nii.gz')
    assert chosen(perf) == ()


def test_among_equals_the_plainest_name_is_taken_and_the_plan_says_so(perf):
    add(perf, 'acq-high_run-1_')
    add(perf, 'run-1_')
    assert chosen(perf) == ('run-1_', 'acq-high_run-1_')
    run = read(perf)
    assert any(
        'sub-01_run-1_m0scan.nii.gz was taken, not sub-01_acq-high_run-1_m0scan.nii.gz' in note
        for note in run.notes
    )
    assert next(r.value for r in run.plan if r.name == 'M0') == (
        'separate m0scan sub-01_run-1_m0scan.nii.gz'
    )


def test_one_image_that_fits_needs_no_note(perf):
    add(perf, 'run-1_')
    assert not any('More than one M0' in note for note in read(perf).notes)


@pytest.mark.parametrize(
    ('of_series', 'of_m0', 'diagonal'), [(0.68, 0.68, None), (0.75, 0.68, 8.7), (0.68, 0.75, 8.7)]
)
def test_fluid_as_the_reference_is_refused_before_anything_runs_where_voxels_are_large(
    perf, of_series, of_m0, diagonal
):
    add(perf, 'run-1_')
    rescale(perf / 'sub-01_run-1_asl.nii.gz', of_series)
    rescale(perf / 'sub-01_run-1_m0scan.nii.gz', of_m0)
    for tissue in ReferenceTissue:
        reading = read(perf, method=M0Method.REFERENCE, reference=tissue)
        if tissue is ReferenceTissue.WHITE_MATTER or diagonal is None:
            assert isinstance(reading, ASLRun)
            continue
        (problem,) = reading.problems
        assert problem.file == 'sub-01/perf/sub-01_run-1_m0scan.nii.gz'
        assert problem.found == f'{diagonal} mm from corner to corner, M0 repeated every 6 s'
        assert '--m0-method voxelwise' in problem.remedy


@pytest.mark.parametrize('of', ['asl', 'm0scan'])
def test_voxels_are_as_large_as_they_were_measured_not_as_they_were_interpolated(perf, of):
    add(perf, 'run-1_')
    for image in ('asl', 'm0scan'):
        rescale(perf / f'sub-01_run-1_{image}.nii.gz', 0.5)
    fluid = {'method': M0Method.REFERENCE, 'reference': ReferenceTissue.FLUID}
    assert isinstance(read(perf, **fluid), ASLRun)
    change(perf / f'sub-01_run-1_{of}.json', AcquisitionVoxelSize=[6, 6, 7.0])
    (problem,) = read(perf, **fluid).problems
    assert problem.found.startswith('11.0 mm from corner to corner')
    change(perf / f'sub-01_run-1_{of}.json', AcquisitionVoxelSize='6 x 6 x 7')
    assert isinstance(read(perf, **fluid), ASLRun)


def test_a_broken_sidecar_is_refused_once_its_image_is_taken(perf):
    add(perf, 'run-1_')
    (perf / 'sub-01_run-1_m0scan.json').write_text('{', encoding='utf-8')
    assert any(
        p.file.endswith('run-1_m0scan.json') and 'JSON' in p.found for p in read(perf).problems
    )


@pytest.mark.parametrize(
    ('own', 'correction'), [(0.03, np.exp(0.016 / 0.066)), (0.014, 1), (None, 1)]
)
def test_an_m0_of_another_echo_time_is_corrected_and_the_plan_says_so(perf, own, correction):
    add(perf, 'run-1_')
    change(perf / 'sub-01_run-1_asl.json', EchoTime=0.014)
    change(perf / 'sub-01_run-1_m0scan.json', EchoTime=own)
    run = read(perf)
    assert run.m0.echo_correction == pytest.approx(correction)
    assert any(row.name == 'M0 echo time' for row in run.plan) == (correction != 1)


def test_an_echo_time_in_milliseconds_is_refused(perf):
    add(perf, 'run-1_')
    change(perf / 'sub-01_run-1_m0scan.json', EchoTime=14)
    assert any(p.field == 'EchoTime' and 'seconds' in p.remedy for p in read(perf).problems)


def test_an_m0_that_is_not_taken_is_corrected_for_its_own_echo_and_unit(perf):
    for name in ('run-1_', 'acq-b_run-1_'):
        add(perf, name)
    slopes = {'PhilipsRescaleSlope': 2.0, 'UsePhilipsFloatNotDisplayScaling': 1}
    change(perf / 'sub-01_run-1_asl.json', EchoTime=0.014, PhilipsScaleSlope=1.0, **slopes)
    slopes['UsePhilipsFloatNotDisplayScaling'] = 0
    other = perf / 'sub-01_acq-b_run-1_m0scan.json'
    change(other, EchoTime=0.03, PhilipsScaleSlope=0.25, **slopes)
    (rival,) = read(perf).m0.rivals
    assert rival.correction == pytest.approx(np.exp(0.016 / 0.066) / 0.5)


def test_several_echo_times_are_left_uncorrected(perf):
    add(perf, 'run-1_')
    change(perf / 'sub-01_run-1_asl.json', EchoTime=0.01)
    change(perf / 'sub-01_run-1_m0scan.json', EchoTime=[0.01, 0.03])
    assert read(perf).m0.echo_correction == 1


def test_a_short_repetition_time_of_m0_is_remarked_on(perf):
    add(perf, 'run-1_')
    assert not any('repetition time of M0' in note for note in read(perf).notes)
    change(perf / 'sub-01_run-1_m0scan.json', RepetitionTimePreparation=2)
    assert any('repetition time of M0 is 2 s' in note for note in read(perf).notes)
