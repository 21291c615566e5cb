"""Run a command in an image with `runc`, as strictly as a site may: nothing may be written but
the output and /tmp, no network, no user known to the image, no privileges.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from build import run

#: Not in the user database of the image.
USER = 1234


@dataclass(frozen=True)
class Image:
    """An image whose files are mounted here.

    Parameters
    ----------
    root
        Where they lie.
    config
        What the image says: entry point, environment, user, labels, health check.
    size
        Of all files [bytes].
    bundles
        Folder for what runc is told of each container.
    """

    root: Path
    config: Mapping[str, Any]
    size: int
    bundles: Path


@contextmanager
def mounted(name: str) -> Iterator[Image]:
    """Mount an image, and clean up behind it."""
    inspected = json.loads(run('buildah', 'inspect', '--type=image', name))
    container = run('buildah', 'from', '--pull=never', name)
    try:
        root = Path(run('buildah', 'mount', container))
        size = int(run('du', '--summarize', '--bytes', root).split()[0])
        with tempfile.TemporaryDirectory(prefix='aslprep_nn-bundles-') as bundles:
            yield Image(root, inspected['Docker']['config'], size, Path(bundles))
    finally:
        run('buildah', 'rm', container)


def start(
    image: Image,
    *arguments: str,
    mounts: Sequence[tuple[Path, str, str]] = (),
    entry_point: Sequence[str] | None = None,
    shares_processes: bool = False,
) -> subprocess.Popen[str]:
    """Start a container.

    Parameters
    ----------
    image
        What to start.
    *arguments
        For the entry point.
    mounts
        Folder here, folder there, and 'ro' or 'rw'.
    entry_point
        Instead of that of the image.
    shares_processes
        True to see the processes of the host, as Apptainer does; else the app is process 1.

    Returns
    -------
    ``runc``, which passes signals on and ends as the app ends.
    """
    name = f'aslprep_nn-{uuid4().hex[:8]}'
    bundle = image.bundles / name
    bundle.mkdir()
    command = [*(entry_point or image.config['Entrypoint']), *arguments]
    namespaces = ['mount', 'ipc', 'uts', 'network', *([] if shares_processes else ['pid'])]
    config = {
        'ociVersion': '1.0.2',
        'root': {'path': str(image.root), 'readonly': True},
        'process': {
            'user': {'uid': USER, 'gid': USER},
            'args': command,
            'env': image.config['Env'],
            'cwd': image.config['WorkingDir'],
            'noNewPrivileges': True,
        },
        'mounts': [*_system_mounts(), *(_bind(*mount) for mount in mounts)],
        'linux': {'namespaces': [{'type': kind} for kind in namespaces]},
    }
    (bundle / 'config.json').write_text(json.dumps(config), encoding='utf-8')
    return subprocess.Popen(
        ['runc', 'run', '--bundle', str(bundle), name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def processes_of_user() -> list[int]:
    """List the processes that run as the user of the containers."""
    mine = []
    for status in Path('/proc').glob('[0-9]*/status'):
        try:
            lines = status.read_text(encoding='utf-8').splitlines()
        except OSError:  # it ended meanwhile
            continue
        if any(line.split()[:2] == ['Uid:', str(USER)] for line in lines):
            mine.append(int(status.parent.name))
    return mine


def _bind(source: Path, target: str, mode: str) -> dict[str, Any]:
    options = ['rbind', mode]
    return {'destination': target, 'type': 'bind', 'source': str(source), 'options': options}


def _system_mounts() -> list[dict[str, Any]]:
    secure = ['nosuid', 'noexec', 'nodev']
    known = {
        '/proc': ('proc', []),
        '/dev': ('tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
        '/dev/shm': ('tmpfs', [*secure, 'mode=1777', 'size=64m']),
        '/tmp': ('tmpfs', ['nosuid', 'nodev', 'mode=1777']),
    }
    return [
        {'destination': target, 'type': kind, 'source': kind, 'options': options}
        for target, (kind, options) in known.items()
    ]
