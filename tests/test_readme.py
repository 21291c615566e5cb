"""What the README and the docs promise exists."""

import re
import subprocess
from pathlib import Path

import pytest

from aslprep_nn.cli.exit_code import ExitCode
from aslprep_nn.cli.parser import _parser, parse
from aslprep_nn.maps import FitStatus

ROOT = Path(__file__).parents[1]
README = (ROOT / 'README.md').read_text(encoding='utf-8')
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]


def options() -> set[str]:
    return {text for action in _parser()._actions for text in action.option_strings}


@pytest.mark.parametrize('target', ['demo', 'test'])
def test_the_two_commands_are_on_the_first_screen_and_in_the_makefile(target):
    first_screen = '\n'.join(README.splitlines()[:15])
    assert f'make {target} ' in first_screen
    dry = subprocess.run(
        ['make', '--dry-run', target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert dry.returncode == 0, dry.stderr


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_every_link_between_pages_leads_somewhere(page):
    links = re.findall(r'\]\((?!https?:)([^)#]+)', page.read_text(encoding='utf-8'))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize('line', re.findall(r'^aslprep_nn (/data.*?)\s*(?:#.*)?$', README, re.M))
def test_every_command_line_of_the_readme_is_understood(line):
    assert parse(line.split()).analysis_level in ('participant', 'group')


def test_every_option_is_documented_and_no_other():
    usage = (ROOT / 'docs' / 'usage.md').read_text(encoding='utf-8')
    documented = set(re.findall(r'(?<![\w-])--?[a-z][a-z0-9-]*', usage))
    known = options()
    assert documented - known - {'-vv', '-nn', '-1'} == set()
    assert {option for option in known if option.startswith('--')} - documented <= {
        '--help',
        '--version',
        '--verbose',
    }


def test_every_exit_code_is_documented():
    usage = (ROOT / 'docs' / 'usage.md').read_text(encoding='utf-8')
    assert {int(code) for code in re.findall(r'^\| (\d+) \|', usage, re.M)} == set(ExitCode)


def test_every_status_is_documented():
    outputs = (ROOT / 'docs' / 'outputs.md').read_text(encoding='utf-8')
    assert {int(code) for code in re.findall(r'^\| (\d) \|', outputs, re.M)} == set(FitStatus)
