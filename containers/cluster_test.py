"""Take a cohort through every way of docs/hpc.md on a real SLURM and a real Dask, and compare.

Needs root, SLURM and munge for all but plain Dask; `make cluster-test` calls it. The scripts are
those of the page. Names of scripts choose some of them. Prints a table, ends with 1 where a row
does not hold.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from build import ROOT
from compare import differences, outputs
from scripts import write_scripts
from slurm import absent_programs, single_node
from table import Table

#: Script of the page, and what it is; the first is what the others are compared with.
WAYS = {
    'local': 'one process, for comparison',
    'submit.sh': 'array: one task per participant',
    'plugin.sh': "Nipype's SLURM plugin: one job per step",
    'dask.sh': 'Dask, workers on this machine',
    'dask-jobqueue.sh': 'dask-jobqueue: workers in SLURM jobs',
    'dask.sbatch': 'Dask in an allocation',
}
WITHOUT_SLURM = ('local', 'dask.sh')
#: What the scripts of the page may be told; one node has one interface.
SETTINGS = {'POLL': '1', 'JOBS': '2', 'DASK_JOBQUEUE__SLURM__INTERFACE': 'lo'}
EXPECTED = {'sub-01': 'done', 'sub-02': 'done', 'sub-03': 'failed'}


@dataclass(frozen=True)
class Cohort:
    """Where a cohort lies and how it is processed.

    Parameters
    ----------
    folder
        For the dataset, the scripts and the outputs.
    environment
        In which the scripts find SLURM and the app.
    """

    folder: Path
    environment: Mapping[str, str]

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command and return how it ended."""
        return subprocess.run(
            [*map(str, command)],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )


def main(wanted: Sequence[str]) -> int:
    """Take the cohort through the ways wanted, and return the exit code."""
    table = Table('way')
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix='aslprep_nn-')))
        folder.chmod(0o755)  # munge trusts no socket in a folder that others cannot enter
        environment = os.environ | SETTINGS
        environment['PATH'] = f'{Path(sys.executable).parent}:{environment["PATH"]}'
        absent = absent_programs()
        if not absent:
            (folder / 'slurm').mkdir()
            found = opened.enter_context(single_node(folder / 'slurm'))
            environment |= {'SLURM_CONF': found['SLURM_CONF']}
        cohort = Cohort(folder, environment)
        write_cohort(folder / 'bids')
        write_scripts(folder / 'scripts')
        for way in ['local', *(wanted or list(WAYS)[1:])]:
            if absent and way not in WITHOUT_SLURM:
                table.skip(WAYS[way], f'{", ".join(absent)} not installed')
                continue
            began = time.monotonic()
            ended = carry_out(cohort, way)
            seconds = time.monotonic() - began
            judge(cohort, way, ended, seconds=seconds, table=table)
    return table.close()


def write_cohort(root: Path) -> None:
    """Write the two subjects of the demo, and one that cannot be processed."""
    demo = ROOT / 'data' / 'demo'
    root.mkdir()
    shutil.copy(demo / 'dataset_description.json', root)
    for subject in ('sub-01', 'sub-02'):
        shutil.copytree(demo / subject, root / subject)
    for path in (demo / 'sub-02').rglob('*.*'):
        copy = root / str(path.relative_to(demo)).replace('sub-02', 'sub-03')
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    series = next((root / 'sub-03').rglob('*_asl.nii.gz'))
    image = nib.load(series)
    flat = np.full(image.shape, 100, dtype='float32')  # read without complaint, but shows no head
    nib.save(nib.Nifti1Image(flat, image.affine, image.header), series)


def carry_out(cohort: Cohort, way: str) -> subprocess.CompletedProcess[str]:
    """Take the cohort through one way, until all that was started is over."""
    bids, output = cohort.folder / 'bids', cohort.folder / way
    output.mkdir()
    if way == 'local':
        return cohort.run('aslprep_nn', bids, output, 'participant', '--nipype-plugin', 'Linear')
    script = cohort.folder / 'scripts' / way
    if way.endswith('.sbatch'):
        return cohort.run('sbatch', '--wait', f'--output={output}.out', script, bids, output)
    ended = cohort.run('bash', script, bids, output)
    while way == 'submit.sh' and cohort.run('squeue', '--noheader').stdout.strip():
        time.sleep(1)
    return ended


def judge(
    cohort: Cohort,
    way: str,
    ended: subprocess.CompletedProcess[str],
    *,
    seconds: float,
    table: Table,
) -> None:
    """Say how a way ended, and whether its results are those of one process."""
    output = cohort.folder / way
    cohort.run('aslprep_nn', cohort.folder / 'bids', output, 'group')
    records = read_status(output)
    states = {record['run']: record['state'] for record in records}
    reasons = [record for record in records if record['problems'] or record['error']]
    n_files, differ = len(outputs(output)), differences(output, cohort.folder / 'local')
    found = (
        f'code {ended.returncode}; {", ".join(map(str, states.values()))}, {len(reasons)} with a '
        f'reason; {n_files} images and tables, {len(differ)} differ; {seconds:.0f} s'
    )
    code = 0 if way == 'submit.sh' else 1  # submitting succeeds; the code of a task is its own
    is_as_expected = ended.returncode == code and states == EXPECTED and len(reasons) == 1
    holds = is_as_expected and n_files > 40 and not differ
    table.add(WAYS[way], found, holds=holds)
    if not holds:
        said = [ended.stdout, ended.stderr, *differ, json.dumps(records, indent=1)]
        sys.stderr.write('\n'.join([*said, '']))


def read_status(output: Path) -> list[dict[str, object]]:
    """Read how the runs ended."""
    path = output / 'logs' / 'status.json'
    runs: list[dict[str, object]] = json.loads(path.read_text(encoding='utf-8'))['runs']
    return runs


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
