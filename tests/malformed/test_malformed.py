"""Whatever is wrong with a dataset is listed at once, and its healthy runs go on."""

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from datasets import Subject, write_dataset
from malformed.files import FILES, HARMLESS
from malformed.metadata import METADATA

from aslprep_nn.bids.query import find_series, open_dataset
from aslprep_nn.bids.reader import read_runs
from aslprep_nn.cli.exit_code import ExitCode
from aslprep_nn.cli.levels import dry_run
from aslprep_nn.cli.parser import build_settings, parse
from aslprep_nn.cli.run import main
from aslprep_nn.errors import UsageError
from aslprep_nn.run import ASLRun, RefusedRun
from aslprep_nn.settings import Settings

TABLE = METADATA | FILES
LABELS = {name: f'{n:03d}' for n, name in enumerate([*TABLE, *HARMLESS])}
NOBODY = 65534


def subject_of(name: str) -> Subject:
    one = Subject(LABELS[name])
    if name in METADATA:
        METADATA[name].spoil(one)
    return one


def damage(root: Path, name: str) -> None:
    wrong = (FILES | HARMLESS).get(name)
    if wrong:
        stem = f'sub-{LABELS[name]}'
        wrong.damage(root / stem / 'perf' / f'{stem}_{wrong.file}')


def dataset_of(root: Path, *names: str) -> Path:
    write_dataset(root, Subject('healthy'), *(subject_of(name) for name in names))
    for name in names:
        damage(root, name)
    return root


def plan(output: Path) -> dict:
    return json.loads((output / 'logs' / 'plan.json').read_text(encoding='utf-8'))


def problems_of(content: dict, name: str) -> list[dict]:
    return next(
        refused['problems']
        for refused in content['refused']
        if refused['problems'][0]['file'].startswith(f'sub-{LABELS[name]}/')
    )


@pytest.fixture(scope='module')
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[ExitCode, dict]:
    """Plan one dataset with every malformed subject in it and a healthy one."""
    folder = tmp_path_factory.mktemp('malformed')
    root, output = dataset_of(folder / 'bids', *TABLE, *HARMLESS), folder / 'out'
    code = dry_run(Settings(root, output, output / '.work'))
    return code, plan(output)


def test_there_are_more_than_eighty_kinds_of_malformed_datasets():
    assert len(TABLE) > 80


@pytest.mark.parametrize('name', TABLE)
def test_what_is_malformed_is_refused_by_file_field_value_expectation_and_remedy(everything, name):
    wrong = TABLE[name]
    file = getattr(wrong, 'blamed', '') or wrong.file
    found = problems_of(everything[1], name)
    right = [p for p in found if p['field'] == wrong.field and wrong.found in p['found']]
    assert right, found
    if name not in ('one run in two files', 'a file of another subject',
                    'a file of no subject', 'a label that is none'):  # fmt: skip
        assert right[0]['file'] == f'sub-{LABELS[name]}/perf/sub-{LABELS[name]}_{file}'
    assert all(p['expected'] and p['remedy'] for p in found)


def test_the_healthy_and_the_harmless_beside_them_are_planned(everything):
    code, content = everything
    assert code is ExitCode.SOME_FAILED
    harmless = {f'sub-{LABELS[name]}' for name in HARMLESS}
    assert {run['run'] for run in content['runs']} == {'sub-healthy', *harmless}


def test_without_a_healthy_run_the_dataset_cannot_be_processed(tmp_path):
    names = ('delay NaN', 'series cut off')
    root = dataset_of(tmp_path / 'bids', *names)
    only = tuple(LABELS[name] for name in names)
    settings = Settings(root, tmp_path, tmp_path / 'work', participants=only)
    assert dry_run(settings) is ExitCode.DATASET_UNUSABLE


def test_the_app_lists_every_problem_in_its_status_and_completes_the_healthy_run(tmp_path):
    names = ('delays nested', 'capital letters', 'series cut off', 'a slope that overflows',
             'M0 that was not fetched', 'one run in two files', 'a sidecar nested without end',
             'an affine of NaN', 'pulses without suppression')  # fmt: skip
    root, output = dataset_of(tmp_path / 'bids', *names), tmp_path / 'out'
    app = [sys.executable, '-W', 'default', '-m', 'aslprep_nn', str(root), str(output)]
    ended = subprocess.run([*app, 'participant'], capture_output=True, text=True, check=False)
    assert ended.returncode == ExitCode.SOME_FAILED, ended.stderr
    assert 'Traceback' not in ended.stderr
    status = json.loads((output / 'logs' / 'status.json').read_text(encoding='utf-8'))
    runs = {record['run']: record for record in status['runs']}
    assert runs.pop('sub-healthy')['state'] == 'done'
    assert (output / 'sub-healthy' / 'perf' / 'sub-healthy_cbf.nii.gz').exists()
    assert {record['state'] for record in runs.values()} == {'refused'}
    found = {problem['field'] for record in runs.values() for problem in record['problems']}
    assert found >= {TABLE[name].field for name in names}
    assert all(p['file'] in ended.stderr for r in runs.values() for p in r['problems'])


@pytest.mark.parametrize(
    ('text', 'field', 'found'),
    [
        (None, '', 'absent'),
        (b'{', '', 'not readable as JSON'),
        (b'[]', '', 'a JSON list'),
        (b'{"Name": "caf\xe9"}', '', 'not readable as UTF-8'),
        (b'{"Name": "x"}', 'BIDSVersion', 'absent'),
    ],
    ids=['absent', 'cut off', 'an array', 'Latin-1', 'incomplete'],
)
def test_a_bad_description_is_listed_beside_the_problems_of_the_runs(tmp_path, text, field, found):
    root = dataset_of(tmp_path / 'bids', 'delay NaN')
    path = root / 'dataset_description.json'
    path.write_bytes(text) if text else path.unlink()
    code = dry_run(Settings(root, tmp_path / 'out', tmp_path / 'work'))
    assert code is ExitCode.DATASET_UNUSABLE
    content = plan(tmp_path / 'out')
    assert content['problems'][0]['file'] == path.name
    assert content['problems'][0]['field'] == field
    assert found in content['problems'][0]['found']
    assert problems_of(content, 'delay NaN')[0]['field'] == 'PostLabelingDelay'


def read(root: Path) -> list[ASLRun | RefusedRun]:
    layout = open_dataset(root)
    return read_runs(layout, find_series(layout), Settings(root, root, root))


def test_a_sidecar_above_all_runs_that_cannot_be_read_stops_them_all_by_name(tmp_path):
    root = dataset_of(tmp_path / 'bids')
    (root / 'asl.json').write_text('{', encoding='utf-8')
    assert [run.problems[0].file for run in read(root)] == ['asl.json']


def test_blanks_and_umlauts_in_the_path_and_linked_files_do_no_harm(tmp_path):
    root = dataset_of(tmp_path / 'Café der Ärzte [2]')
    store = tmp_path / 'elsewhere'
    store.mkdir()
    for path in list((root / 'sub-healthy' / 'perf').iterdir()):
        path.rename(store / path.name)
        path.symlink_to(store / path.name)
    assert isinstance(read(root)[0], ASLRun)


@pytest.mark.parametrize('file', ['asl.nii.gz', 'asl.json', 'aslcontext.tsv', 'm0scan.json'])
def test_a_file_that_one_may_not_read_is_named(file):
    folder = Path(tempfile.mkdtemp())
    try:
        root = dataset_of(folder / 'bids')
        folder.chmod(0o755)
        next(root.rglob(f'*_{file}')).chmod(0)
        text = as_nobody(lambda: '\n'.join(map(str, getattr(read(root)[0], 'problems', ()))))
    finally:
        shutil.rmtree(folder)
    assert f'sub-healthy_{file}' in text
    assert 'ermission denied' in text


def as_nobody(work: Callable[[], str]) -> str:
    """Call a function without the rights of root, where we have them.

    With them first, because what it imports may lie where only root may read.
    """
    if os.geteuid() != 0:
        return work()
    work()
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setuid(NOBODY)
            os.write(theirs, work().encode())
        finally:
            os._exit(0)
    os.close(theirs)
    os.waitpid(child, 0)
    with os.fdopen(ours, 'rb') as pipe:
        return pipe.read().decode()


def test_output_that_cannot_be_written_to_is_refused_before_anything_is_read(tmp_path):
    root = dataset_of(tmp_path / 'bids')
    arguments = [str(root), '/proc/out', 'participant']
    with pytest.raises(UsageError, match='not writable'):
        build_settings(parse(arguments), arguments)


def test_a_disk_that_is_full_is_named_with_what_to_do(tmp_path, monkeypatch, capfd):
    root = dataset_of(tmp_path / 'bids')

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr('aslprep_nn.writing.tempfile.mkstemp', full)
    code = main([str(root), str(tmp_path / 'out'), 'participant', '--dry-run'])
    assert code == ExitCode.SOME_FAILED
    message = capfd.readouterr().err
    assert 'plan.json is not writable (No space left on device)' in message
    assert 'Make room' in message
