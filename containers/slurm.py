"""A real SLURM of one node, all of whose files lie in one folder, for as long as it is needed."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ('munged', 'slurmctld', 'slurmd', 'sbatch', 'squeue')

#: No accounting, no control groups: what one node without systemd can do.
CONFIGURATION = """ClusterName=test
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=bf_interval=1,sched_interval=2
ReturnToService=2
MpiDefault=none
MinJobAge=60
NodeName={host} NodeAddr=127.0.0.1 CPUs={n_cores} RealMemory={memory} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def absent_programs() -> list[str]:
    """Name what is not installed; Debian has it all in slurm-wlm and munge."""
    path = f'{os.environ["PATH"]}:/usr/sbin:/sbin'
    return [program for program in PROGRAMS if shutil.which(program, path=path) is None]


@contextmanager
def single_node(folder: Path) -> Iterator[Mapping[str, str]]:
    """Start SLURM, yield the environment in which its commands find it, and end it.

    Parameters
    ----------
    folder
        For configuration, state and logs.
    """
    folder.chmod(0o755)
    for name in ('state', 'spool'):
        (folder / name).mkdir()
    key = folder / 'munge.key'
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') // 2**20
    facts = {'host': socket.gethostname(), 'n_cores': os.cpu_count(), 'memory': memory}
    configuration = folder / 'slurm.conf'
    configuration.write_text(CONFIGURATION.format(folder=folder, **facts), encoding='utf-8')
    environment = os.environ | {
        'SLURM_CONF': str(configuration),
        'PATH': f'{os.environ["PATH"]}:/usr/sbin:/sbin',
    }
    files = [f'--{name}-file={folder}/munge.{name}' for name in ('pid', 'log', 'seed')]
    with ExitStack() as daemons:
        for command in (
            [
                'munged',
                '--foreground',
                f'--key-file={key}',
                f'--socket={folder}/munge.socket',
                *files,
            ],
            ['slurmctld', '-D', '-i'],
            ['slurmd', '-D'],
        ):
            daemons.enter_context(_daemon(command, environment, folder))
        _wait_for_node(environment)
        yield environment


@contextmanager
def _daemon(
    command: list[str], environment: Mapping[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in the background, and end it."""
    with (folder / f'{command[0]}.said').open('wb') as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        time.sleep(1)
        if process.poll() is not None:
            words = (folder / f'{command[0]}.said').read_text(encoding='utf-8')
            raise RuntimeError(f'{command[0]} ended at once: {words}')
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait_for_node(environment: Mapping[str, str], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    state = ''
    while time.monotonic() < until:
        asked = subprocess.run(
            ['sinfo', '--noheader', '--format=%T'],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        state = asked.stdout.strip() or asked.stderr.strip()
        if state == 'idle':
            return
        time.sleep(0.5)
    raise TimeoutError(f'the node of SLURM is {state} after {seconds:g} s')
