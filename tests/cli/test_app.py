"""The app as a user meets it: exit codes, messages, files."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Subject, write_dataset
from tiny_weights import write_weights

from aslprep_nn.cli.run import main
from aslprep_nn.simulation.dice import Interval

APP = (sys.executable, '-W', 'default', '-m', 'aslprep_nn')


def run_app(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*APP, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300
    )


def status(output: Path) -> dict[str, dict]:
    content = json.loads((output / 'logs' / 'status.json').read_text(encoding='utf-8'))
    return {record['run']: record for record in content['runs']}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / 'out'


@pytest.fixture(scope='module')
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Run the app once on a read-only dataset; return input and output."""
    root = tmp_path_factory.mktemp('finished') / 'bids'
    write_dataset(root, Subject())
    for path in [*root.rglob('*'), root]:
        path.chmod(path.stat().st_mode & 0o555)
    output = root.parent / 'out'
    ended = run_app(root, output, 'participant')
    assert ended.returncode == 0, ended.stderr
    return root, output


def test_the_version_is_printed():
    assert run_app('--version').stdout.startswith('aslprep_nn ')


def test_a_bad_run_is_reported_and_the_healthy_one_beside_it_completes(
    make_dataset, subject, output
):
    healthy, broken = subject('01'), subject('02')
    broken.context = None
    del broken.sidecar['M0Type']
    ended = run_app(make_dataset(healthy, broken), output, 'participant', '--nprocs', 2)
    assert ended.returncode == 1, ended.stderr
    assert 'sub-02_aslcontext.tsv is absent' in ended.stderr
    assert 'M0Type is absent' in ended.stderr
    assert {run: record['state'] for run, record in status(output).items()} == {
        'sub-01': 'done',
        'sub-02': 'refused',
    }
    assert (output / 'sub-01' / 'perf' / 'sub-01_cbf.nii.gz').exists()
    assert 'aslcontext' in (output / 'sub-02.html').read_text(encoding='utf-8')


def test_a_t1w_that_is_broken_or_of_no_use_is_named_and_the_run_goes_on(
    make_dataset, subject, output
):
    root = make_dataset(subject('01'), subject('02'))
    for label, content in (('01', np.ones((9, 9, 9), dtype=np.float32)), ('02', None)):
        path = root / f'sub-{label}' / 'anat' / f'sub-{label}_T1w.nii.gz'
        path.parent.mkdir()
        if content is None:
            path.write_bytes(b'no image')
        else:
            nib.save(nib.Nifti1Image(content, np.eye(4)), path)
    ended = run_app(root, output, 'participant', '--nprocs', 2)
    assert ended.returncode == 0, ended.stderr
    assert 'WARNING sub-02: sub-02/anat/sub-02_T1w.nii.gz is not readable' in ended.stderr
    assert 'sub-01: comparing the mask with a template' in ended.stderr
    assert 'sub-02: comparing the mask with a template' not in ended.stderr
    pages = {n: (output / f'sub-{n}.html').read_text(encoding='utf-8') for n in ('01', '02')}
    assert 'through sub-01_T1w.nii.gz: the series has too few slices' in pages['01']
    assert 'sub-02_T1w.nii.gz is not readable' in pages['02']
    for label in pages:
        table = output / f'sub-{label}' / 'perf' / f'sub-{label}_desc-qualitycontrol_cbf.tsv'
        row = pd.read_csv(table, sep='\t', keep_default_na=False).iloc[0]
        assert row['mask_template_dice'] == 'n/a'


def test_half_the_labeling_efficiency_doubles_cbf(make_dataset, subject, tmp_path):
    root = make_dataset(subject())
    maps = []
    for alpha in (0.8, 0.4):
        folder = tmp_path / f'alpha{alpha}'
        assert run_app(root, folder, 'participant', '--labeling-efficiency', alpha).returncode == 0
        maps.append(nib.load(folder / 'sub-01' / 'perf' / 'sub-01_cbf.nii.gz').get_fdata())
    inside = np.isfinite(maps[0]) & (maps[0] > 1)
    assert inside.sum() > 20
    assert np.median(maps[1][inside] / maps[0][inside]) == pytest.approx(2, rel=0.06)


def test_every_voxel_without_an_estimate_is_nan(finished):
    _, output = finished
    folder = output / 'sub-01' / 'perf'
    cbf = nib.load(folder / 'sub-01_cbf.nii.gz').get_fdata()
    outcome = nib.load(folder / 'sub-01_desc-fitstatus_dseg.nii.gz').get_fdata()
    assert np.isnan(cbf[outcome == 0]).all()
    assert np.isfinite(cbf[outcome == 1]).all()


def noisy(seed=0) -> Subject:
    one = Subject()
    one.series = one.series + np.random.default_rng(seed).normal(0, 0.1, one.series.shape)
    return one


def test_every_estimator_asked_for_leaves_maps_a_sidecar_and_its_name(make_dataset, output):
    weights = write_weights(output.parent / 'weights')
    given = ('--estimator', 'lsq', 'hyb', 'nn', '--weights', weights)
    ended = run_app(make_dataset(noisy()), output, 'participant', *given)
    assert ended.returncode == 0, ended.stderr
    folder = output / 'sub-01' / 'perf'
    maps = {
        name: nib.load(folder / f'sub-01{suffix}.nii.gz').get_fdata()
        for name, suffix in (
            ('lsq', '_cbf'), ('hyb', '_desc-hyb_cbf'), ('nn', '_desc-nn_cbf'),
            ('difference', '_desc-difference_cbf'),
        )
    }  # fmt: skip
    assert np.isfinite(maps['nn']).sum() > 20
    np.testing.assert_allclose(maps['difference'], maps['nn'] - maps['lsq'], atol=1e-3)
    assert np.nanmax(np.abs(maps['hyb'] - maps['lsq'])) > 0.1
    sidecar = json.loads((folder / 'sub-01_desc-nn_cbf.json').read_text(encoding='utf-8'))
    card = json.loads(weights.with_suffix('.json').read_text(encoding='utf-8'))
    assert sidecar['Weights'] == {'Name': 'tiny', 'SHA256': card['sha256']}
    assert sidecar['BiasVarianceDial'] == 1
    assert status(output)['sub-01']['estimators'] == ['lsq', 'hyb', 'nn']
    page = (output / 'sub-01.html').read_text(encoding='utf-8')
    assert 'Estimators side by side' in page


def test_a_primary_network_that_cannot_serve_leaves_the_place_to_least_squares_and_says_so(
    make_dataset, output
):
    weights = write_weights(output.parent / 'weights', snr=Interval(1e6, 1e7))
    given = ('--primary', 'nn', '--weights', weights)
    ended = run_app(make_dataset(noisy()), output, 'participant', *given)
    assert ended.returncode == 0, ended.stderr
    assert 'The primary estimate is that of lsq, not of nn as asked.' in ended.stderr
    folder = output / 'sub-01' / 'perf'
    sidecar = json.loads((folder / 'sub-01_cbf.json').read_text(encoding='utf-8'))
    assert sidecar['Estimator'] == 'least squares'
    assert 'Signal-to-noise ratio is' in sidecar['EstimatorsNotOffered']['nn']
    assert not list(folder.glob('*_desc-nn*'))
    record = status(output)['sub-01']
    assert record['estimators'] == ['lsq']
    assert 'Signal-to-noise ratio' in record['not_offered'][1]
    assert 'not of nn as asked' in (output / 'sub-01.html').read_text(encoding='utf-8')


def test_differences_without_m0_give_cbf_relative_to_its_median(make_dataset, output):
    one = Subject()
    rng = np.random.default_rng(0)
    one.series = 40 * (one.m0 > 50)[..., None] + rng.normal(0, 4, (*one.m0.shape, 6))
    one.context = ['deltam'] * 6
    one.sidecar |= {'M0Type': 'Absent', 'PostLabelingDelay': [0.5, 1.0, 1.5] * 2}
    ended = run_app(make_dataset(one), output, 'participant')
    assert ended.returncode == 0, ended.stderr
    folder = output / 'sub-01' / 'perf'
    assert np.nanmedian(nib.load(folder / 'sub-01_cbf.nii.gz').get_fdata()) == pytest.approx(1)
    sidecar = json.loads((folder / 'sub-01_cbf.json').read_text(encoding='utf-8'))
    assert sidecar['Units'] == '1'
    assert 'no M0' in sidecar['Description']


def test_input_is_never_written_to(finished):
    root, _ = finished
    assert {path.name for path in root.rglob('*') if path.is_file()} == {
        'dataset_description.json', 'sub-01_asl.nii.gz', 'sub-01_asl.json',
        'sub-01_aslcontext.tsv', 'sub-01_m0scan.nii.gz', 'sub-01_m0scan.json',
    }  # fmt: skip
    assert all(path.stat().st_mode & 0o222 == 0 for path in [root, *root.rglob('*')])


def test_nothing_temporary_is_left_in_the_output(finished):
    _, output = finished
    left = [path for path in output.rglob('.*') if path.name != '.bidsignore']
    assert left == []


def test_a_second_identical_run_does_nothing_and_says_so(finished):
    root, output = finished
    before = {path: path.stat().st_mtime_ns for path in (output / 'sub-01').rglob('*')}
    again = run_app(root, output, 'participant')
    assert again.returncode == 0
    assert 'nothing to do' in again.stderr
    assert {path: path.stat().st_mtime_ns for path in (output / 'sub-01').rglob('*')} == before


def test_another_option_is_not_the_same_run(finished, tmp_path):
    root, output = finished
    copy = tmp_path / 'copy'
    shutil.copytree(output, copy)
    changed = run_app(root, copy, 'participant', '--t1-blood', 1.7)
    assert changed.returncode == 0
    assert 'nothing to do' not in changed.stderr


def test_the_dry_run_shows_the_plan_and_every_problem_and_makes_no_maps(
    make_dataset, subject, output
):
    healthy, broken = subject('01'), subject('02')
    broken.sidecar.pop('PostLabelingDelay')
    broken.m0_sidecar = {'RepetitionTimePreparation': 0}
    ended = run_app(make_dataset(healthy, broken), output, 'participant', '--dry-run')
    assert ended.returncode == 1
    plan = json.loads((output / 'logs' / 'plan.json').read_text(encoding='utf-8'))
    assert plan['runs'][0]['run'] == 'sub-01'
    fields = {problem['field'] for problem in plan['refused'][0]['problems']}
    assert fields == {'PostLabelingDelay', 'RepetitionTimePreparation'}
    assert not (output / 'sub-01').exists()


def test_a_folder_that_may_not_be_read_is_a_failure_and_the_other_runs_go_on(
    make_dataset, subject, output, close
):
    root = make_dataset(subject('01'), subject('02'))
    close(root / 'sub-02')
    assert main([str(root), str(output), 'participant', '--dry-run']) == 1
    plan = json.loads((output / 'logs' / 'plan.json').read_text(encoding='utf-8'))
    assert [run['run'] for run in plan['runs']] == ['sub-01']
    assert [problem['file'] for problem in plan['problems']] == ['sub-02']


@pytest.mark.parametrize(
    ('spoil', 'code', 'message'),
    [
        (lambda root: (root / 'dataset_description.json').unlink(), 65, 'dataset_description'),
        (lambda root: (root / 'sub-01').rename(root / 'nothing'), 3, 'ASL series'),
        (lambda root: next(root.rglob('*_asl.json')).write_text('[]'), 65, 'JSON'),
    ],
    ids=['no description', 'no series', 'only broken runs'],
)
def test_the_exit_code_tells_what_kind_of_failure_it_was(
    make_dataset, output, spoil, code, message
):
    root = make_dataset(Subject())
    spoil(root)
    ended = run_app(root, output, 'participant')
    assert ended.returncode == code
    assert message in ended.stderr
    assert 'Traceback' not in ended.stderr


def test_a_run_that_fails_after_it_was_done_is_failed_and_keeps_no_old_maps(
    make_dataset, output, tmp_path
):
    root, work = make_dataset(Subject()), tmp_path / 'work'
    assert run_app(root, output, 'participant', '-w', work).returncode == 0
    series = next(root.rglob('*_asl.nii.gz'))
    image = nib.load(series)
    nib.save(nib.Nifti1Image(np.ones(image.shape, np.float32), image.affine), series)
    m0scan = next(root.rglob('*_m0scan.nii.gz'))
    nib.save(nib.Nifti1Image(np.ones(image.shape[:3], np.float32), image.affine), m0scan)
    ended = run_app(root, output, 'participant', '-w', work)
    assert ended.returncode == 1
    assert 'brain mask is empty' in ended.stderr
    record = status(output)['sub-01']
    assert record['state'] == 'failed'
    assert 'brain mask' in record['problems'][0]['field']
    assert (output / record['crash_file']).exists()
    assert list(output.rglob('*_cbf.nii.gz')) == []


def test_maps_that_no_longer_apply_go_when_the_input_changes(make_dataset, output):
    root = make_dataset(Subject())
    assert run_app(root, output, 'participant').returncode == 0
    assert list(output.rglob('*_att.nii.gz'))
    sidecar = next(root.rglob('*_asl.json'))
    content = json.loads(sidecar.read_text(encoding='utf-8'))
    sidecar.write_text(json.dumps(content | {'PostLabelingDelay': 1.8}), encoding='utf-8')
    assert run_app(root, output, 'participant').returncode == 0
    assert list(output.rglob('*_att.nii.gz')) == []
    report = next(output.rglob('*_desc-report_asl.json')).read_text(encoding='utf-8')
    assert 'att_median' not in json.loads(report)['key_numbers']


def test_a_run_that_another_process_works_on_is_left_alone(make_dataset, output):
    root = make_dataset(Subject('01'), Subject('02'))
    lock = output / 'logs' / 'runs' / '.sub-01.lock'
    lock.parent.mkdir(parents=True)
    with lock.open('w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        ended = run_app(root, output, 'participant')
    assert ended.returncode == 1
    assert 'sub-01: another process is working on it' in ended.stderr
    assert [path.name for path in output.rglob('sub-??_cbf.nii.gz')] == ['sub-02_cbf.nii.gz']


@pytest.mark.skipif(torch.cuda.is_available(), reason='this machine has the device')
def test_a_device_that_is_not_there_is_a_usage_error(make_dataset, output):
    ended = run_app(make_dataset(Subject()), output, 'participant', '--device', 'cuda')
    assert ended.returncode == 2
    assert '--device: cuda' in ended.stderr


def test_the_group_level_needs_runs_first(make_dataset, subject, output):
    ended = run_app(make_dataset(subject()), output, 'group')
    assert ended.returncode == 3
    assert 'participant level first' in ended.stderr


def test_a_terminated_run_leaves_no_process_and_goes_on_where_it_stopped(
    make_dataset, subject, output, tmp_path
):
    root = make_dataset(subject('01'), subject('02'))
    work = tmp_path / 'work'
    command = [*APP, str(root), str(output), 'participant', '--nprocs', '2', '-w', str(work)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(work.rglob('result_estimate_motion.pklz')) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 130, message
    assert 'go on where it stopped' in message
    last = time.monotonic() + 10  # Python's resource tracker ends a moment after its parent
    while processes_of_group(process.pid) and time.monotonic() < last:
        time.sleep(0.05)
    assert not processes_of_group(process.pid)
    finished = {path: path.stat().st_mtime_ns for path in results_of_finished_steps(work)}
    assert finished
    assert run_app(*command[len(APP) :]).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in finished} == finished


def results_of_finished_steps(work: Path) -> list[Path]:
    """Return the results of steps that nipype marked as done; it does so after the result."""
    marks = [path for path in work.rglob('_0x*.json') if 'unfinished' not in path.name]
    return [result for mark in marks for result in mark.parent.glob('result_*.pklz')]


def processes_of_group(group: int) -> list[str]:
    """Return what still runs in a process group."""
    found = []
    for path in Path('/proc').glob('[0-9]*/stat'):
        try:
            fields = path.read_text().rsplit(')', 1)[1].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != 'Z':
            found.append(path.parent.name)
    return found


@pytest.mark.parametrize('home', [{}, {'HOME': '/nonexistent'}], ids=['unset', 'missing'])
def test_it_runs_without_a_home_a_user_name_or_a_writable_current_folder(
    make_dataset, subject, output, home
):
    environment = {'PATH': os.environ['PATH']} | home
    ended = subprocess.run(
        [*APP, str(make_dataset(subject())), str(output), 'participant'],
        capture_output=True, text=True, check=False, timeout=300, cwd='/proc', env=environment,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
