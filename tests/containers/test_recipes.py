"""What the recipes of the images promise, as far as it shows without building one."""

import os
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / 'Dockerfile').read_text(encoding='utf-8')
DEFINITION = (ROOT / 'containers' / 'aslprep_nn.def').read_text(encoding='utf-8')


def instructions(name: str) -> list[str]:
    whole = DOCKERFILE.replace('\\\n', ' ')
    return [line.split(maxsplit=1)[1] for line in whole.splitlines() if line.startswith(f'{name} ')]


def section(name: str) -> str:
    return re.split(r'^%(\w+)\n', DEFINITION, flags=re.MULTILINE)[
        re.split(r'^%(\w+)\n', DEFINITION, flags=re.MULTILINE).index(name) + 1
    ]


def test_everything_the_build_copies_is_sent_to_it():
    rules = (ROOT / '.dockerignore').read_text(encoding='utf-8').split()
    sent = {rule.removeprefix('!') for rule in rules if rule.startswith('!')}
    copied = [line.split()[:-1] for line in instructions('COPY') if '--from' not in line]
    sources = {source.removeprefix('./') for line in copied for source in line}
    assert sources == sent
    assert all((ROOT / source).exists() for source in sources)
    assert rules[0] == '*'
    assert any(fnmatch('aslprep_nn/__pycache__', rule) for rule in rules[1:])


def test_the_image_installs_the_dependencies_of_the_package():
    (run,) = [line for line in instructions('RUN') if 'dependencies.txt' in line]
    code = re.search(r"-c '(.*?)'", run).group(1)
    said = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    project = tomllib.loads((ROOT / 'pyproject.toml').read_text(encoding='utf-8'))['project']
    assert said.splitlines() == project['dependencies']


def test_a_step_of_the_build_that_fails_ends_it():
    forgiven = [line for line in instructions('RUN') if '||' in line]
    assert all('compileall' in line and '&&' not in line for line in forgiven)


def test_the_image_does_not_run_as_root_and_tells_its_health():
    assert instructions('USER')[-1].split(':')[0] not in ('0', 'root')
    assert instructions('HEALTHCHECK') == ['CMD ["aslprep_nn", "--version"]']
    assert instructions('ENTRYPOINT') == ['["aslprep_nn"]']


def test_apptainer_starts_from_an_image_that_can_be_chosen():
    header = DEFINITION.split('%')[0]
    assert re.findall(r'^(?:Bootstrap|From): \{\{ (\w+) \}\}$', header, re.M) == ['SOURCE', 'IMAGE']
    assert dict(line.split('=') for line in section('arguments').split()) == {
        'SOURCE': 'docker-daemon',
        'IMAGE': 'aslprep_nn:latest',
    }


@pytest.mark.parametrize('name', ['runscript', 'test'])
def test_apptainer_runs_the_app_itself_with_the_arguments_given(tmp_path, name):
    app = tmp_path / 'aslprep_nn'
    app.write_text('#!/bin/sh\necho "$PPID" "$@"\n', encoding='utf-8')
    app.chmod(0o755)
    environment = os.environ | {'PATH': f'{tmp_path}:{os.environ["PATH"]}'}
    command = ['sh', '-c', section(name), 'sh', '/a folder', 'participant']
    said = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout
    if name == 'runscript':
        assert said.split(maxsplit=1) == [str(os.getpid()), '/a folder participant\n']
    else:
        assert said.endswith(' --version\n')
