"""A result that cannot be right is marked everywhere, and ends a strict run with an error."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from datasets import CONTEXT, Subject, write_dataset

APP = (sys.executable, '-W', 'default', '-m', 'aslprep_nn')
OTHER = {'control': 'label', 'label': 'control'}


def run_app(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*APP, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300
    )


def gates(output: Path) -> str:
    table = output / 'sub-01' / 'perf' / 'sub-01_desc-qualitycontrol_cbf.tsv'
    return pd.read_csv(table, sep='\t', keep_default_na=False)['gates'].item()


@pytest.fixture(scope='module')
def swapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a dataset whose aslcontext.tsv has label and control the wrong way round."""
    root = tmp_path_factory.mktemp('swapped')
    return write_dataset(root / 'bids', Subject(context=tuple(OTHER[kind] for kind in CONTEXT)))


@pytest.fixture(scope='module')
def flagged(swapped: Path) -> tuple[subprocess.CompletedProcess, Path]:
    output = swapped.parent / 'out'
    return run_app(swapped, output, 'participant', '--strict'), output


def test_swapped_labels_end_a_strict_run_with_1_and_keep_the_result(flagged):
    ended, output = flagged
    assert ended.returncode == 1, ended.stderr
    assert 'the result cannot be right (label and control swapped)' in ended.stderr
    assert (output / 'sub-01' / 'perf' / 'sub-01_cbf.nii.gz').exists()


def test_swapped_labels_are_in_the_table_the_record_and_on_the_page(flagged):
    _, output = flagged
    assert gates(output) == 'swapped_labels'
    status = json.loads((output / 'logs' / 'status.json').read_text(encoding='utf-8'))
    assert status['runs'][0]['gates'] == ['swapped_labels']
    page = (output / 'sub-01.html').read_text(encoding='utf-8')
    assert 'This run cannot be right as it is' in page
    assert '--swap-label-control; nothing was exchanged for you' in page
    assert 'Not usable' in page


def test_a_second_strict_run_that_finds_it_done_ends_with_1_too(flagged, swapped):
    _, output = flagged
    again = run_app(swapped, output, 'participant', '--strict')
    assert 'done before' in again.stderr
    assert again.returncode == 1


def test_without_strict_the_run_ends_with_0_and_a_warning(flagged, swapped):
    _, output = flagged
    again = run_app(swapped, output, 'participant')
    assert again.returncode == 0
    assert 'cannot be right' in again.stderr


def test_the_swap_that_was_offered_mends_the_run_if_it_is_asked_for(swapped):
    output = swapped.parent / 'mended'
    ended = run_app(swapped, output, 'participant', '--strict', '--swap-label-control')
    assert ended.returncode == 0, ended.stderr
    assert gates(output) == 'none'
    page = (output / 'sub-01.html').read_text(encoding='utf-8')
    assert 'This run cannot be right' not in page
    assert 'option --swap-label-control' in page


def test_the_group_names_the_run(flagged):
    _, output = flagged
    assert run_app(output.parent / 'bids', output, 'group').returncode == 0
    table = pd.read_csv(output / 'group_perf.tsv', sep='\t', keep_default_na=False)
    assert table['gates'].tolist() == ['swapped_labels']
    page = (output / 'group.html').read_text(encoding='utf-8')
    assert 'Results that cannot be right' in page
    dictionary = json.loads((output / 'group_perf.json').read_text(encoding='utf-8'))
    assert dictionary['gates']['Levels']['swapped_labels'] == 'label and control swapped'
