"""The T1w of a series is that of its session, else of its subject; a broken one is named."""

import logging
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from aslprep_nn.bids.anatomy import choose_t1w
from aslprep_nn.bids.query import open_dataset
from aslprep_nn.bids.reader import read_run
from aslprep_nn.pipeline.execution import fingerprint
from aslprep_nn.pipeline.reading import say_what_is_left_out
from aslprep_nn.run import Anatomy, ASLRun
from aslprep_nn.settings import Organ, PhysicsOptions, Settings


@pytest.fixture
def sessions(make_dataset, subject) -> Path:
    """Return a subject whose series is of session b."""
    root = make_dataset(subject())
    perf = root / 'sub-01' / 'perf'
    visit = root / 'sub-01' / 'ses-b'
    visit.mkdir()
    perf.rename(visit / 'perf')
    for path in list((visit / 'perf').iterdir()):
        path.rename(path.with_name(path.name.replace('sub-01_', 'sub-01_ses-b_')))
    return root


def add(root: Path, name: str, shape: tuple[int, ...] = (4, 4, 4)) -> Path:
    session = [part for part in name.split('_') if part.startswith('ses-')]
    target = root.joinpath('sub-01', *session, 'anat', name)
    target.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.ones(shape, dtype=np.float32), np.eye(4)), target)
    return target


def chosen(root: Path) -> Anatomy:
    dataset = open_dataset(root)
    return choose_t1w(dataset, dataset.series[0])


def read(root: Path, **physics: object) -> ASLRun:
    dataset = open_dataset(root)
    settings = Settings(root, root, root, physics=PhysicsOptions(**physics))
    run = read_run(dataset, dataset.series[0], settings)
    assert isinstance(run, ASLRun)
    return run


def test_the_session_of_the_series_comes_first_then_the_subject_then_the_others(sessions):
    nearest_last = [
        'sub-01_ses-c_T1w.nii.gz',
        'sub-01_ses-a_T1w.nii.gz',
        'sub-01_T1w.nii.gz',
        'sub-01_ses-b_run-2_T1w.nii.gz',
        'sub-01_ses-b_run-1_T1w.nii',
    ]
    assert chosen(sessions) == Anatomy()
    for name in nearest_last:
        path = add(sessions, name)
        assert chosen(sessions) == Anatomy(path)


def test_other_images_of_the_head_are_none(sessions):
    for name in ('sub-01_T2w.nii.gz', '._sub-01_T1w.nii.gz', 'sub-01_T1w.nii.gz.part'):
        add(sessions, 'sub-01_T2w.nii.gz').rename(sessions / 'sub-01' / 'anat' / name)
    assert chosen(sessions) == Anatomy()


def test_one_that_cannot_be_read_is_named_and_the_next_is_taken(sessions):
    other = add(sessions, 'sub-01_T1w.nii.gz')
    broken = add(sessions, 'sub-01_ses-b_T1w.nii.gz', (30, 30, 30))
    broken.write_bytes(broken.read_bytes()[:50])
    found = chosen(sessions)
    assert found.t1w == other
    assert [problem.file for problem in found.problems] == [
        'sub-01/ses-b/anat/sub-01_ses-b_T1w.nii.gz'
    ]


def test_a_sidecar_without_its_image_is_named(sessions):
    image = add(sessions, 'sub-01_ses-b_T1w.nii.gz')
    image.with_name('sub-01_ses-b_T1w.json').write_text('{}', encoding='utf-8')
    assert chosen(sessions).problems == ()
    image.unlink()
    found = chosen(sessions)
    assert found.t1w is None
    assert 'sub-01_ses-b_T1w.json is alone' in str(found.problems[0])


def test_a_folder_that_may_not_be_read_is_named(sessions, close):
    image = add(sessions, 'sub-01_ses-b_T1w.nii.gz')
    close(image.parent)
    found = chosen(sessions)
    assert found.t1w is None
    assert 'sub-01/ses-b/anat is not readable' in str(found.problems[0])


def test_the_plan_names_the_image_and_the_maps_are_not_made_from_it(sessions):
    without = read(sessions)
    assert not [row for row in without.plan if row.name == 'T1w']
    image = add(sessions, 'sub-01_T1w.nii.gz')
    run = read(sessions)
    assert [row.value for row in run.plan if row.name == 'T1w'] == ['sub-01_T1w.nii.gz']
    assert run.sources == without.sources
    assert run.inputs == (*run.sources, image)


def test_another_t1w_makes_a_run_anew(sessions):
    settings = Settings(sessions, sessions, sessions)
    prints = [fingerprint(read(sessions), settings)]
    for shape in ((4, 4, 4), (5, 5, 5)):
        add(sessions, 'sub-01_T1w.nii.gz', shape)
        prints.append(fingerprint(read(sessions), settings))
    assert len(set(prints)) == 3


def test_a_broken_image_is_a_note_and_a_warning_but_no_refusal(sessions, caplog):
    add(sessions, 'sub-01_T1w.nii.gz').write_bytes(b'no image')
    run = read(sessions)
    (note,) = run.anatomy.notes
    assert note in run.notes
    assert note.startswith('sub-01/anat/sub-01_T1w.nii.gz is not readable')
    assert note.endswith('The run goes on without it.')
    with caplog.at_level(logging.WARNING):
        say_what_is_left_out([run])
    assert note in caplog.text


def test_a_kidney_has_no_use_for_an_image_of_a_head(sessions):
    add(sessions, 'sub-01_T1w.nii.gz')
    assert read(sessions, organ=Organ.KIDNEY).anatomy == Anatomy()


def test_differences_alone_show_nothing_to_register(make_dataset, subject):
    one = subject()
    one.sidecar |= {'M0Type': 'Absent', 'PostLabelingDelay': [0.5, 1.0, 1.5] * 4}
    one.context = ['deltam'] * 12
    one.m0 = one.m0_sidecar = None
    root = make_dataset(one)
    add(root, 'sub-01_T1w.nii.gz')
    assert read(root).anatomy == Anatomy()


def test_a_t1w_of_another_subject_is_named_and_not_taken(sessions):
    add(sessions, 'sub-01_T1w.nii.gz').rename(sessions / 'sub-01' / 'anat' / 'sub-02_T1w.nii.gz')
    found = chosen(sessions)
    assert found.t1w is None
    (problem,) = found.problems
    assert problem.file == 'sub-01/anat/sub-02_T1w.nii.gz'
    assert problem.found == 'named after another subject'
