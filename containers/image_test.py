"""Build the image, run the demo in it as a strict site would, and compare with a run outside.

Needs root, buildah and runc; `make image-test` calls it. Prints a table, ends with 1 where a
row does not hold.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from build import ROOT, build_image, run
from compare import differences, outputs
from oci import USER, Image, mounted, processes_of_user, start
from table import Table

LARGEST_IMAGE = 2.0e9  # bytes
TOOLS = ('buildah', 'runc')
#: Said by the app when its workers are busy.
AT_WORK = 'estimating motion'

PROBE = """
import os, socket
def tried(action):
    try:
        action()
    except OSError as error:
        return os.strerror(error.errno)
    return 'possible'
def connect():
    socket.create_connection(('192.0.2.1', 80), timeout=2)
print(os.getuid(), os.getpid(), sep='|', end='|')
for folder in ('', '/bids', '/out', '/tmp'):
    print(tried(lambda: open(f'{folder}/file', 'w')), end='|')
print(tried(connect), ' '.join(name for _, name in socket.if_nameindex()), sep='|')
"""


def main() -> int:
    """Check everything, and return the exit code."""
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    if absent:
        sys.stderr.write(f'image-test needs {" and ".join(absent)}: apt-get install them\n')
        return 2
    table = Table('image')
    began = time.monotonic()
    name = build_image()
    table.add('built without an engine', f'{time.monotonic() - began:.0f} s', holds=True)
    with mounted(name) as image, tempfile.TemporaryDirectory() as folder:
        check_contents(image, table)
        inside, outside = Path(folder) / 'inside', Path(folder) / 'outside'
        inside.mkdir()
        shutil.chown(inside, USER, USER)
        check_limits(image, inside, table)
        check_exit_codes(image, inside, table)
        check_signals(image, inside, table)
        check_demo(image, inside, outside, table)
    return table.close()


def check_contents(image: Image, table: Table) -> None:
    """Check what is in the image and what it says of itself."""
    size = f'{image.size / 1e9:.2f} GB'
    table.add('at most 2.0 GB', size, holds=image.size <= LARGEST_IMAGE)
    user = image.config['User']
    table.add('not root by default', user, holds=user not in ('', '0', 'root', '0:0'))
    labels = image.config['Labels']
    prefix = 'org.opencontainers.image.'
    wanted = ('title', 'version', 'licenses')
    said = ', '.join(labels.get(prefix + word, 'absent') for word in wanted)
    table.add('labels', said, holds='absent' not in said and 'unreleased' not in said)
    check = image.config['Healthcheck']['Test']
    code, output = finish(start(image, *check[2:], entry_point=check[1:2]))
    table.add('health check', f'`{" ".join(check[1:])}`: {output.strip()}', holds=code == 0)
    found = [tool for tool in ('pip', 'gcc', 'git') if list(image.root.glob(f'opt/*/bin/{tool}*'))]
    table.add('environment without build tools', found or 'none', holds=not found)


def check_limits(image: Image, inside: Path, table: Table) -> None:
    """Check that the container is as strict as it is meant to be: its results rest on that."""
    folders = mounts(inside)
    _, output = finish(start(image, '-c', PROBE, entry_point=['python'], mounts=folders))
    user, process, root, bids, out, temporary, network, links = output.strip().split('|')
    table.add('process 1, user 1234', f'{process}, {user}', holds=(process, user) == ('1', '1234'))
    read_only = 'Read-only file system'
    table.add('cannot write to /', root, holds=root == read_only)
    table.add('cannot write to /bids', bids, holds=bids == read_only)
    table.add(
        'can write to /out and /tmp', f'{out}, {temporary}', holds=out == temporary == 'possible'
    )
    unreachable = network == 'Network is unreachable'
    table.add('no network', f'{network}; interfaces: {links}', holds=unreachable and links == 'lo')
    (inside / 'file').unlink()


def check_exit_codes(image: Image, inside: Path, table: Table) -> None:
    """Check that the codes of the app are those of the container."""
    commands = {
        2: ['/bids', '/out', 'participant', '--fdr', '2'],
        3: ['/bids', '/out', 'participant', '--participant-label', 'nobody'],
        0: ['/bids', '/out', 'participant', '--dry-run'],
    }
    found = [finish(start(image, *words, mounts=mounts(inside)))[0] for words in commands.values()]
    table.add('exit codes of usage, nobody, dry run', found, holds=found == list(commands))


def check_signals(image: Image, inside: Path, table: Table) -> None:
    """Interrupt the app while its workers are busy, as process 1 and among other processes."""
    command = ['/bids', '/out', 'participant', '--nprocs', '2']
    for number, shares in ((signal.SIGTERM, False), (signal.SIGINT, True)):
        container = start(image, *command, mounts=mounts(inside), shares_processes=shares)
        wait_until_at_work(container)
        n_before = len(processes_of_user())
        began = time.monotonic()
        container.send_signal(number)
        code, _ = finish(container)
        seconds = time.monotonic() - began
        left = processes_left()
        where = 'sharing processes with the host' if shares else 'as process 1'
        found = f'{code} after {seconds:.1f} s; {n_before} processes before, {len(left)} left'
        holds = code == 130 and not left and n_before > 1
        table.add(f'{number.name} {where} ends with 130, no orphan', found, holds=holds)


def processes_left(seconds: float = 10) -> list[int]:
    """List the processes that outlive the app; Python's tracker of resources goes just after it."""
    until = time.monotonic() + seconds
    while (left := processes_of_user()) and time.monotonic() < until:
        time.sleep(0.2)
    return left


def wait_until_at_work(container: subprocess.Popen[str]) -> None:
    """Return once the app says that its workers are busy, or has ended."""
    while container.stderr and container.poll() is None:
        if AT_WORK in container.stderr.readline():
            return


def check_demo(image: Image, inside: Path, outside: Path, table: Table) -> None:
    """Run the demo in the image, after the interruptions, and outside; compare."""
    for level in ('participant', 'group'):
        began = time.monotonic()
        code, output = finish(start(image, '/bids', '/out', level, mounts=mounts(inside)))
        seconds = f'{time.monotonic() - began:.0f} s'
        table.add(
            f'{level} of the demo inside, gone on with', f'{code}, {seconds}', holds=code == 0
        )
        if code:
            sys.stderr.write(output)
        run(sys.executable, '-m', 'aslprep_nn', demo(), outside, level)
    status = json.loads((inside / 'logs' / 'status.json').read_text(encoding='utf-8'))
    states = [record['state'] for record in status['runs']]
    table.add('runs in status.json', ', '.join(states), holds=states == ['done', 'done'])
    n_files, differ = len(outputs(outside)), differences(inside, outside)
    found = f'{n_files} images and tables, {len(differ)} differ'
    table.add('output equal to that of a run outside', found, holds=n_files > 40 and not differ)
    sys.stderr.write(''.join(f'{line}\n' for line in differ))


def demo() -> Path:
    """Return the dataset of the demo."""
    return ROOT / 'data' / 'demo'


def mounts(output: Path) -> list[tuple[Path, str, str]]:
    """Mount the demo to read and a folder to write to."""
    return [(demo(), '/bids', 'ro'), (output, '/out', 'rw')]


def finish(container: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a container; return its exit code and all it said."""
    said, complained = container.communicate(timeout=3600)
    return container.returncode, said + complained


if __name__ == '__main__':
    sys.exit(main())
