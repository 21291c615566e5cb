"""Who carries out the steps: this process, the cores of this machine, SLURM or Dask.

All are Nipype's own engines but Dask's, which Nipype lacks: it is Nipype's loop over ready steps
with `dask.distributed` behind it. Its libraries are imported where they are used, because only
a cluster needs them.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from traceback import format_exception
from typing import TYPE_CHECKING, Any

from nipype.pipeline import engine
from nipype.pipeline.plugins import LinearPlugin, MultiProcPlugin, SLURMPlugin
from nipype.pipeline.plugins.base import DistributedPluginBase, PluginBase
from nipype.pipeline.plugins.multiproc import run_node

from aslprep_nn.errors import Problem, UsageError
from aslprep_nn.pipeline.bookkeeping import WORKFLOW
from aslprep_nn.settings import Plugin, Settings

if TYPE_CHECKING:
    from dask_jobqueue.core import JobQueueCluster
    from distributed import Client, Future
    from networkx import DiGraph

Watch = Callable[[engine.Node, str], None]

#: Between two looks at the queue [s]: each is a call of squeue for every job.
QUEUE_SECONDS = 5.0
#: That a Dask scheduler said to run, or its first worker, may take to appear [s].
SCHEDULER_SECONDS = 600.0


@contextmanager
def open_engine(n_runs: int, settings: Settings, watch: Watch) -> Iterator[PluginBase]:
    """Yield the engine of a call, and close what it opened.

    Parameters
    ----------
    n_runs
        Runs to process; no more workers than that are started here.
    settings
        Names the engine and what it is told.
    watch
        Called with every node that starts, ends or fails.
    """
    told = {'status_callback': watch}
    n_workers = min(settings.n_processes, n_runs)
    with ExitStack() as opened:
        match settings.plugin.name:
            case Plugin.SLURM:
                yield _SlurmPlugin(plugin_args=told | dict(settings.plugin.arguments))
            case Plugin.DASK:
                logs = settings.work_dir / WORKFLOW / 'batch'  # where Nipype's SLURM engine has its
                client = _connect(opened, dict(settings.plugin.arguments), n_workers, logs)
                yield _DaskPlugin(client, told)
            case Plugin.MULTIPROC if n_workers > 1:
                # Forking hangs once torch has used threads: workers start afresh.
                fresh = {'n_procs': n_workers, 'mp_context': 'forkserver'}
                yield MultiProcPlugin(plugin_args=told | fresh)
            case _:
                yield LinearPlugin(plugin_args=told)


class _SlurmPlugin(SLURMPlugin):  # type: ignore[misc]
    """Nipype's engine, which asks the queue less often and leaves neither jobs nor scripts."""

    def __init__(self, plugin_args: dict[str, Any]) -> None:
        super().__init__(plugin_args=plugin_args)
        self._scripts: list[Path] = []

    def run(self, graph: DiGraph, config: dict[str, Any], updatehash: bool = False) -> None:
        """Submit a job per step; cancel those still queued or running when interrupted."""
        seconds = self.plugin_args.get('poll', QUEUE_SECONDS)
        config['execution']['poll_sleep_duration'] = str(seconds)
        try:
            super().run(graph, config, updatehash=updatehash)
        finally:
            if self._pending:
                subprocess.run(['scancel', *map(str, self._pending)], check=False)  # noqa: S603, S607
        self._remove_scripts()  # only now: where a step failed, they tell more

    def _submit_batchtask(self, scriptfile: str, node: engine.Node) -> int:
        job: int = super()._submit_batchtask(scriptfile, node)
        script = Path(scriptfile)
        step = script.stem.removeprefix('batchscript_pyscript_')
        names = f'node_{step}.pklz', f'pyscript_{step}.py', f'slurm-{job}.out', script.name
        self._scripts += [script.with_name(name) for name in names]
        return job

    def _remove_scripts(self) -> None:
        for path in self._scripts:
            path.unlink(missing_ok=True)
        for folder in {path.parent for path in self._scripts}:
            with suppress(OSError):  # another call has scripts there
                folder.rmdir()


class _DaskPlugin(DistributedPluginBase):  # type: ignore[misc]
    """Nipype's loop over ready steps, each of them a Dask task.

    Parameters
    ----------
    client
        Connected to a scheduler whose workers have one thread each: Nipype changes the
        current folder, which threads share.
    plugin_args
        As Nipype's engines take.
    """

    def __init__(self, client: Client, plugin_args: dict[str, Any]) -> None:
        super().__init__(plugin_args=plugin_args)
        self._client = client
        self._futures: dict[int, Future] = {}
        self._n_tasks = 0

    def _submit_job(self, node: engine.Node, updatehash: bool = False) -> int:
        self._n_tasks += 1
        future = self._client.submit(run_node, node, updatehash, self._n_tasks, pure=False)
        self._futures[self._n_tasks] = future
        return self._n_tasks

    def _get_result(self, taskid: int) -> dict[str, Any] | None:
        future = self._futures[taskid]
        if not future.done():
            return None
        error = future.exception()
        if error is None:
            return dict(future.result())
        lost = f'RuntimeError: the Dask worker that carried out this step was lost: {error}'
        return {'result': None, 'traceback': [*format_exception(error), lost]}

    def _clear_task(self, taskid: int) -> None:
        del self._futures[taskid]


def _connect(
    opened: ExitStack, arguments: dict[str, str | int], n_workers: int, logs: Path
) -> Client:
    """Connect to a Dask scheduler that runs, or start one with its workers.

    Parameters
    ----------
    opened
        Closes what was started here.
    arguments
        ``scheduler`` or ``scheduler_file`` of one that runs; or ``cluster``, a queueing system
        known to dask-jobqueue, with ``jobs`` and what its class takes; else workers start here.
    n_workers
        To start here.
    logs
        Folder for what jobs print.
    """
    from distributed import Client, LocalCluster  # noqa: PLC0415

    if 'scheduler_file' in arguments or 'scheduler' in arguments:
        file = arguments.get('scheduler_file')
        if file is not None:
            _await_file(Path(str(file)))
        client = opened.enter_context(Client(arguments.get('scheduler'), scheduler_file=file))
        _require_single_threads(client)
        return client
    if 'cluster' in arguments:
        cluster = opened.enter_context(_queued_cluster(arguments, logs))
    else:
        cluster = opened.enter_context(
            LocalCluster(
                n_workers=n_workers,
                threads_per_worker=1,
                memory_limit=None,
                dashboard_address=None,
                host='127.0.0.1',
            )
        )
    return opened.enter_context(Client(cluster))


def _queued_cluster(arguments: dict[str, str | int], logs: Path) -> JobQueueCluster:
    """Ask a queueing system for jobs in which workers run, one of a single thread in each.

    What jobs print goes to the folder of logs, if the user has not chosen another: the default
    of queueing systems is the current folder, which may be the one with the data.
    """
    import dask  # noqa: PLC0415
    import dask_jobqueue  # noqa: PLC0415

    queue = str(arguments['cluster'])
    asked = {key: value for key, value in arguments.items() if key not in ('cluster', 'jobs')}
    defaults: dict[str, str | int] = {'cores': 1, 'processes': 1, 'memory': '4GB'}
    if not dask.config.get(f'jobqueue.{queue.lower()}.log-directory', None):
        defaults['log_directory'] = str(logs)
    cluster = getattr(dask_jobqueue, f'{queue}Cluster')(**(defaults | asked))
    cluster.scale(jobs=arguments.get('jobs', 1))
    return cluster


def _await_file(path: Path) -> None:
    """Wait for the file of a scheduler that is starting, but not for ever, as Dask would."""
    until = time.monotonic() + SCHEDULER_SECONDS
    while not path.exists():
        if time.monotonic() > until:
            found = f'absent after {SCHEDULER_SECONDS:g} s'
            remedy = 'Start one with `dask scheduler --scheduler-file`.'
            expected = 'the file of a scheduler that runs'
            raise UsageError(Problem('--nipype-plugin', str(path), found, expected, remedy))
        time.sleep(0.2)


def _require_single_threads(client: Client) -> None:
    """Refuse workers in which two steps would share one current folder, and having none."""
    try:
        client.wait_for_workers(1, timeout=SCHEDULER_SECONDS)
    except TimeoutError as error:
        found = f'without a worker for {SCHEDULER_SECONDS:g} s'
        remedy = 'Start workers with `dask worker --nthreads 1`.'
        expected = 'a scheduler with workers'
        raise UsageError(Problem('--nipype-plugin', 'Dask', found, expected, remedy)) from error
    threads = [facts['nthreads'] for facts in client.scheduler_info()['workers'].values()]
    if max(threads, default=1) > 1:
        found = f'{max(threads)} threads in a worker'
        remedy = 'Start workers with `dask worker --nthreads 1 --nworkers N`.'
        raise UsageError(Problem('--nipype-plugin', 'Dask', found, 'one thread in each', remedy))
