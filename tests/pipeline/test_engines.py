"""The same steps, whoever carries them out."""

import os
import signal
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import nipype
import pytest
from nipype.interfaces.utility import Function
from nipype.pipeline import engine
from nipype.pipeline.plugins import LinearPlugin, MultiProcPlugin

from aslprep_nn.errors import UsageError
from aslprep_nn.pipeline.engines import open_engine
from aslprep_nn.settings import Plugin, PluginOptions, Settings

#: A queue that carries a job out while it is submitted, or never once it is closed.
SBATCH = """#!/bin/bash
echo "$@" >> "$QUEUE/submitted"
for script; do :; done
[ -e "$QUEUE/closed" ] || bash "$script"
echo "Submitted batch job $(wc -l < "$QUEUE/submitted")"
"""
SQUEUE = """#!/bin/bash
echo "JOBID PARTITION NAME"
[ -e "$QUEUE/closed" ] && echo "$2" && kill -INT "$APP"
true
"""
SCANCEL = '#!/bin/bash\necho "$@" >> "$QUEUE/cancelled"\n'


def settings(plugin: Plugin, n_processes: int = 1, **arguments: str | int) -> Settings:
    options = PluginOptions(plugin, tuple(arguments.items()))
    return Settings(Path(), Path(), Path(), plugin=options, n_processes=n_processes)


def double(number: int) -> int:
    if number > 2:
        raise ValueError(f'{number} is more than 2')
    return 2 * number


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stand in for SLURM; interrupts arrive also where tests were started in the background."""
    folder = tmp_path / 'queue'
    folder.mkdir()
    for name, text in (('sbatch', SBATCH), ('squeue', SQUEUE), ('scancel', SCANCEL)):
        (folder / name).write_text(text, encoding='utf-8')
        (folder / name).chmod(0o755)
    monkeypatch.setenv('PATH', f'{folder}:{os.environ["PATH"]}')
    monkeypatch.setenv('QUEUE', str(folder))
    monkeypatch.setenv('LOGNAME', 'tester')
    monkeypatch.setenv('APP', str(os.getpid()))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield folder
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def workflow(tmp_path: Path) -> Iterator[engine.Workflow]:
    """Double 1 and double the result; nothing is left in Nipype's settings."""
    before = nipype.config.get('execution', 'crashdump_dir')
    nipype.config.set('execution', 'crashdump_dir', str(tmp_path))
    first, second = (engine.Node(Function(function=double), name=name) for name in ('a', 'b'))
    first.inputs.number = 1
    whole = engine.Workflow('whole', base_dir=str(tmp_path / 'work'))
    whole.connect(first, 'out', second, 'number')
    yield whole
    if before is None:
        nipype.config._sections.remove_option('execution', 'crashdump_dir')
    else:
        nipype.config.set('execution', 'crashdump_dir', before)


def carry_out(workflow: engine.Workflow, chosen: Settings) -> list[tuple[str, str]]:
    """Run a workflow and return what was told of its steps."""
    told: list[tuple[str, str]] = []
    with open_engine(1, chosen, lambda node, status: told.append((node.name, status))) as plugin:
        workflow.run(plugin=plugin)
    return told


ALL_WELL = [('a', 'start'), ('a', 'end'), ('b', 'start'), ('b', 'end')]


@pytest.mark.parametrize(
    ('plugin', 'n_processes', 'expected'),
    [
        (Plugin.MULTIPROC, 4, MultiProcPlugin),
        (Plugin.MULTIPROC, 1, LinearPlugin),
        (Plugin.LINEAR, 4, LinearPlugin),
    ],
)
def test_workers_start_only_where_there_is_something_to_share(plugin, n_processes, expected):
    with open_engine(2, settings(plugin, n_processes), print) as engine_here:
        assert type(engine_here) is expected


def test_every_step_is_a_job_and_leaves_no_script(workflow, queue):
    chosen = settings(Plugin.SLURM, poll=0, sbatch_args='--mem=4G')
    assert carry_out(workflow, chosen) == ALL_WELL
    submitted = (queue / 'submitted').read_text(encoding='utf-8').splitlines()
    assert [line.startswith('--mem=4G ') for line in submitted] == [True, True]
    assert not (Path(workflow.base_dir) / 'whole' / 'batch').exists()
    assert not (queue / 'cancelled').exists()


def test_a_job_that_fails_keeps_its_script_and_tells_why(workflow, queue):
    workflow.get_node('a').inputs.number = 3
    with pytest.raises(RuntimeError, match='3 is more than 2'):
        carry_out(workflow, settings(Plugin.SLURM, poll=0))
    assert list((Path(workflow.base_dir) / 'whole' / 'batch').glob('batchscript*_a.sh'))


# Nipype leaves open the pipe to the squeue that it was interrupted in.
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
def test_jobs_are_cancelled_when_the_app_is_interrupted(workflow, queue):
    (queue / 'closed').touch()
    with pytest.raises(KeyboardInterrupt):
        carry_out(workflow, settings(Plugin.SLURM, poll=0))
    assert (queue / 'cancelled').read_text(encoding='utf-8').split() == ['1']


needs_dask = pytest.mark.skipif(
    find_spec('distributed') is None, reason='Dask is not installed; make cluster-test has it'
)


@needs_dask
def test_dask_workers_that_start_here_carry_steps_out(workflow):
    assert carry_out(workflow, settings(Plugin.DASK)) == ALL_WELL


@needs_dask
def test_dask_workers_in_which_steps_would_share_a_folder_are_refused():
    from distributed import LocalCluster  # noqa: PLC0415

    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
        ) as c,
        pytest.raises(UsageError, match='2 threads in a worker; expected one thread in each'),
        open_engine(1, settings(Plugin.DASK, scheduler=c.scheduler_address), print),
    ):
        pass


@needs_dask
def test_a_dask_scheduler_that_does_not_come_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr('aslprep_nn.pipeline.engines.SCHEDULER_SECONDS', 0.1)
    chosen = settings(Plugin.DASK, scheduler_file=str(tmp_path / 'scheduler.json'))
    with (
        pytest.raises(UsageError, match=r'scheduler.json is absent after 0.1 s'),
        open_engine(1, chosen, print),
    ):
        pass


@needs_dask
@pytest.mark.parametrize('chosen_by', ['nobody', 'argument', 'configuration'])
def test_logs_of_queued_workers_lie_beside_the_steps_or_where_the_user_says(
    tmp_path, queue, chosen_by
):
    import dask  # noqa: PLC0415
    import dask_jobqueue  # noqa: F401, PLC0415  (brings its configuration)

    (queue / 'closed').touch()  # no job has to run
    mine = tmp_path / 'mine'
    told = {'log_directory': str(mine)} if chosen_by == 'argument' else {}
    configured = str(mine) if chosen_by == 'configuration' else None
    asked = {'cluster': 'SLURM', 'memory': '1GB'} | told
    options = PluginOptions(Plugin.DASK, tuple(asked.items()))
    chosen = Settings(Path(), Path(), tmp_path / 'work', plugin=options)
    with (
        dask.config.set({'jobqueue.slurm.log-directory': configured}),
        open_engine(1, chosen, print),
    ):
        logs = (tmp_path / 'work' / 'aslprep_nn_wf' / 'batch').exists()
    assert (logs, mine.exists()) == (chosen_by == 'nobody', chosen_by != 'nobody')
