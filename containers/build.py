"""Build the image of the Dockerfile without a container engine: buildah in a chroot.

The base image is taken from local storage. Where it is not there and no registry can be
reached, one of the same name is made of Debian's packages.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
BASE = 'docker.io/library/python:3.11-slim-bookworm'
IMAGE = 'localhost/aslprep_nn:test'
DEBIAN = 'python3,python3-pip,python3-venv,ca-certificates'


def run(*command: str | Path) -> str:
    """Run a command, show what it says on the way, and return its output."""
    ended = subprocess.run([*map(str, command)], check=True, stdout=subprocess.PIPE, text=True)
    return ended.stdout.strip()


def build_image() -> str:
    """Build the image and return its name."""
    if not _is_stored(BASE):
        _fetch_or_make_base()
    with tempfile.TemporaryDirectory() as folder:
        mounts = [f'--volume={source}:{target}:ro' for source, target in _mounts(Path(folder))]
        version = run(sys.executable, '-m', 'aslprep_nn', '--version').split()[-1]
        arguments = {'VERSION': version} | _torch_index()
        given = [f'--build-arg={name}={value}' for name, value in arguments.items()]
        options = ('--isolation=chroot', '--pull=never', '--format=docker', '--layers')
        run('buildah', 'build', *options, *mounts, *given, '--tag', IMAGE, ROOT)
    return IMAGE


def _is_stored(image: str) -> bool:
    inspect = ['buildah', 'inspect', '--type=image', image]
    return subprocess.run(inspect, check=False, capture_output=True).returncode == 0


def _fetch_or_make_base() -> None:
    if subprocess.run(['buildah', 'pull', BASE], check=False).returncode == 0:
        return
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / 'root.tar'
        run('mmdebstrap', '--variant=minbase', f'--include={DEBIAN}', 'bookworm', archive)
        container = run('buildah', 'from', 'scratch')
        run('buildah', 'add', container, archive, '/')
        run('buildah', 'commit', '--rm', container, BASE)


def _mounts(folder: Path) -> list[tuple[Path, Path]]:
    """Let pip in the image reach what pip reaches here: certificates, folders of wheels."""
    settings = _pip_settings()
    lines = [f'{key} = {value}' for key, value in settings.items()]
    configuration = folder / 'pip.conf'
    configuration.write_text('\n'.join(['[global]', *lines, '']), encoding='utf-8')
    configuration.chmod(0o644)
    paths = {Path(word.removeprefix('file://')) for word in ' '.join(settings.values()).split()}
    here = sorted(path for path in paths if path.is_absolute() and path.exists())
    return [(configuration, Path('/etc/pip.conf')), *((path, path) for path in here)]


def _pip_settings() -> Mapping[str, str]:
    """Return how pip was told to find packages on this machine."""
    wanted = ('cert', 'find-links', 'index-url')
    variables = {key: os.environ.get(f'PIP_{key.upper().replace("-", "_")}') for key in wanted}
    return {key: value for key, value in variables.items() if value}


def _torch_index() -> dict[str, str]:
    """Take the wheel of PyTorch that lies here, if there is one, not one from its own index."""
    links = _pip_settings().get('find-links', '').split()
    if any(next(Path(link).glob('torch-*.whl'), None) for link in links):
        return {'TORCH_INDEX': 'https://pypi.org/simple'}
    return {}


if __name__ == '__main__':
    sys.stdout.write(build_image() + '\n')
