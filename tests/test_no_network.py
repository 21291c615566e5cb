"""Nothing asks for a network: every attempt to reach one is denied and written down."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from datasets import Subject, write_dataset
from tiny_weights import write_weights

#: Python tells an audit hook of every attempt, whichever library makes it; addresses of sockets
#: that are files are those of processes on one machine.
GUARD = """
import sys

ASKING = {'socket.getaddrinfo', 'socket.gethostbyname', 'socket.gethostbyaddr'}
SENDING = {'socket.connect', 'socket.sendto', 'socket.sendmsg'}
LOCAL = str, bytes, type(None)  # None: of a connected socket

def deny(event, arguments):
    if event not in ASKING | SENDING or isinstance(arguments[-1], LOCAL):
        return
    with open(RECORD, 'a') as record:
        print(event, *arguments[-2:], file=record)
    raise PermissionError(f'{event} is denied')

sys.addaudithook(deny)
with open(RECORD, 'a') as record:
    print('on guard', file=record)
"""


class Guarded:
    """Run programs that cannot reach a network, and tell what they tried."""

    def __init__(self, folder: Path) -> None:
        self.record = folder / 'record.txt'
        text = GUARD.replace('RECORD', repr(str(self.record)))
        (folder / 'sitecustomize.py').write_text(text, encoding='utf-8')
        paths = [str(folder), *filter(None, [os.environ.get('PYTHONPATH')])]
        self.environment = os.environ | {'PYTHONPATH': os.pathsep.join(paths)}

    def run(self, *arguments: object) -> subprocess.CompletedProcess:
        command = [*without_interfaces(), sys.executable, *map(str, arguments)]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=600
        )

    @property
    def attempts(self) -> list[str]:
        lines = self.record.read_text(encoding='utf-8').splitlines()
        assert lines.pop(0) == 'on guard'
        return [line for line in lines if line != 'on guard']


def without_interfaces() -> list[str]:
    """Return the command that takes the network away from programs in other languages, too."""
    command = ['unshare', '--map-root-user', '--net']
    works = (
        shutil.which('unshare') and not subprocess.run([*command, 'true'], check=False).returncode
    )
    return command if works else []


@pytest.fixture
def guarded(tmp_path: Path) -> Guarded:
    folder = tmp_path / 'guard'
    folder.mkdir()
    return Guarded(folder)


@pytest.mark.parametrize(
    'attempt',
    [
        "import urllib.request; urllib.request.urlopen('http://example.invalid')",
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))",
    ],
)
def test_the_guard_sees_what_asks_for_a_network(guarded, attempt):
    ended = guarded.run('-c', attempt)
    assert ended.returncode == 1
    assert 'is denied' in ended.stderr
    assert guarded.attempts


def test_both_levels_of_the_app_work_without_asking_for_a_network(guarded, tmp_path):
    root, output = write_dataset(tmp_path / 'bids', Subject()), tmp_path / 'out'
    weights = write_weights(tmp_path / 'weights')
    estimators = ('--estimator', 'lsq', 'hyb', 'nn', '--weights', weights)
    for level, options in (('participant', estimators), ('group', ())):
        ended = guarded.run('-m', 'aslprep_nn', root, output, level, *options)
        assert ended.returncode == 0, ended.stderr
    assert (output / 'sub-01' / 'perf' / 'sub-01_cbf.nii.gz').exists()
    assert guarded.attempts == []
