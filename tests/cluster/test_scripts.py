"""The scripts of docs/hpc.md do what the page says, with a queue that only takes notes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / 'containers'))

from cluster_test import WAYS
from scripts import PAGE, scripts, write_scripts

from aslprep_nn.cli.parser import parse

#: A file for each call: those of a script's background would mix with others in one.
NOTE = """#!/bin/bash
printf '%s\\n' "$(basename "$0")" "$@" > "$NOTES/$(date +%s%N)-$$"
echo 17
"""


class Site:
    """A place where the scripts lie, and commands that write down how they are called."""

    def __init__(self, folder: Path) -> None:
        self.notes, self.scripts = folder / 'notes', folder / 'scripts'
        self.bids, self.output = folder / 'bids', folder / 'out'
        self.participants = folder / 'participants.txt'
        self.notes.mkdir()
        write_scripts(self.scripts)
        for name in ('aslprep_nn', 'apptainer', 'sbatch', 'srun', 'dask'):
            (folder / 'bin').mkdir(exist_ok=True)
            (folder / 'bin' / name).write_text(NOTE, encoding='utf-8')
            (folder / 'bin' / name).chmod(0o755)
        for label in ('10', '02', 'a'):
            (self.bids / f'sub-{label}').mkdir(parents=True)
        self.participants.write_text('sub-02\nsub-10\nsub-a\n', encoding='utf-8')
        path = f'{folder / "bin"}:{os.environ["PATH"]}'
        self.environment = os.environ | {'PATH': path, 'NOTES': str(self.notes)}

    def calls(self, script: str, *arguments: object, **variables: str) -> list[list[str]]:
        """Run a script and return the commands it called, with their arguments."""
        command = ['bash', str(self.scripts / script), *map(str, arguments)]
        subprocess.run(command, env=self.environment | variables, check=True, capture_output=True)
        notes = [path.read_text(encoding='utf-8') for path in sorted(self.notes.iterdir())]
        return [note.splitlines() for note in notes if note]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_every_script_of_the_page_is_found_and_none_is_left_out_of_the_cluster_test():
    called = {'array.sbatch', 'group.sbatch', 'apptainer.sbatch'}  # by submit.sh, or by its reader
    assert set(scripts()) == called | (set(WAYS) - {'local'})
    assert PAGE.read_text(encoding='utf-8').count('#!/bin/bash') == len(scripts())


@pytest.mark.parametrize('name', sorted(scripts()))
def test_every_script_is_sound(site, name):
    subprocess.run(['bash', '-n', str(site.scripts / name)], check=True)
    if shutil.which('shellcheck'):
        subprocess.run(['shellcheck', str(site.scripts / name)], check=True)


def test_an_array_has_a_task_per_participant_and_the_group_comes_after(site):
    array, group = site.calls('submit.sh', site.bids, site.output)
    assert array[1:3] == ['--parsable', '--array=1-3%50']
    listed = Path(array[-1]).read_text(encoding='utf-8').split()
    assert listed == ['sub-02', 'sub-10', 'sub-a']
    assert '--dependency=afterany:17' in group
    assert [Path(call[n]).name for call, n in ((array, 4), (group, 4))] == [
        'array.sbatch',
        'group.sbatch',
    ]


@pytest.mark.parametrize('script', ['array.sbatch', 'apptainer.sbatch'])
def test_a_task_processes_the_participant_on_its_line(site, script):
    variables = {'SLURM_ARRAY_TASK_ID': '2', 'SLURM_CPUS_PER_TASK': '3'}
    (call,) = site.calls(script, site.bids, site.output, site.participants, **variables)
    if script == 'apptainer.sbatch':
        assert call[:2] == ['apptainer', 'run']
        assert f'{site.bids}:/bids:ro' in call
        call = call[call.index('aslprep_nn.sif') :]
    options = parse(call[1:])
    assert options.participant_label == ['sub-10']
    assert (options.nprocs, options.omp_nthreads) == (1, 3)


@pytest.mark.parametrize(
    ('script', 'plugin'),
    [
        ('group.sbatch', 'Local'),
        ('plugin.sh', 'SLURM'),
        ('dask.sh', 'Dask'),
        ('dask-jobqueue.sh', 'Dask'),
        ('dask.sbatch', 'Dask'),
    ],
)
def test_the_app_understands_how_it_is_called(site, script, plugin):
    calls = site.calls(script, site.bids, site.output)
    (call,) = [call for call in calls if call[0] == 'aslprep_nn']
    options = parse(call[1:])
    assert (options.bids_dir, options.output_dir) == (site.bids, site.output)
    assert options.nipype_plugin[0] == plugin
    assert all('=' in word for word in options.nipype_plugin[1:])
