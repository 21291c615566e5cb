"""The table and page of a whole dataset."""

import json
import re
import time

import numpy as np
import pandas as pd
import pytest

from aslprep_nn.report.expectations import EXPECTATIONS
from aslprep_nn.report.group import collect, write_group
from aslprep_nn.report.strips import find_outliers, strip_plots

USUAL = {number.name: (number.usual_low + min(number.usual_high, number.usual_low + 40)) / 2
         for number in EXPECTATIONS}  # fmt: skip


def add_run(output_dir, run, protocol='PCASL delay 1.8 s', state='done', reason='', **numbers):
    subject = run.split('_')[0].removeprefix('sub-')
    if state == 'done':
        folder = output_dir / f'sub-{subject}' / 'perf'
        folder.mkdir(parents=True, exist_ok=True)
        row = {'protocol': protocol, **USUAL, **numbers}
        path = folder / f'{run}_desc-qualitycontrol_cbf.tsv'
        pd.DataFrame([row]).to_csv(path, sep='\t', index=False, na_rep='n/a')
    if state != 'unrecorded':
        logs = output_dir / 'logs' / 'runs'
        logs.mkdir(parents=True, exist_ok=True)
        written = 'done' if state == 'missing' else state
        record = {'run': run, 'subject': subject, 'state': written, 'error': reason}
        (logs / f'{run}.json').write_text(json.dumps(record))


def add_group(output_dir, n_runs, **numbers):
    rng = np.random.default_rng(0)
    for index in range(n_runs):
        cbf = 55 + 5 * rng.standard_normal()
        add_run(output_dir, f'sub-{index:03d}', **{'gm_like_cbf': cbf, **numbers})


def test_the_table_has_a_row_for_every_run_with_those_without_a_result_first(tmp_path):
    add_run(tmp_path, 'sub-01')
    add_run(tmp_path, 'sub-02', state='refused', reason='no M0Type')
    add_run(tmp_path, 'sub-03', state='missing')
    add_run(tmp_path, 'sub-04', state='failed', reason='broke')
    table_path, _ = write_group(tmp_path)
    table = pd.read_csv(table_path, sep='\t')
    assert list(table['run']) == ['sub-04', 'sub-02', 'sub-03', 'sub-01']
    assert list(table['state']) == ['failed', 'refused', 'missing', 'done']
    assert table['gm_like_cbf'].isna().tolist() == [True, True, True, False]


def test_every_column_is_described(tmp_path):
    add_run(tmp_path, 'sub-01')
    table_path, _ = write_group(tmp_path)
    described = json.loads((tmp_path / 'group_perf.json').read_text())
    assert list(pd.read_csv(table_path, sep='\t').columns) == list(described)


def test_a_table_without_a_record_counts_as_done(tmp_path):
    add_run(tmp_path, 'sub-01')
    (tmp_path / 'logs' / 'runs' / 'sub-01.json').unlink()
    assert collect(tmp_path)['state'].tolist() == ['done']


def test_a_run_of_the_dataset_that_nothing_is_known_of_is_missing_and_the_page_says_why(tmp_path):
    add_run(tmp_path, 'sub-01')
    table = collect(tmp_path, ['sub-01', 'sub-02'])
    assert table[['run', 'state']].values.tolist() == [['sub-02', 'missing'], ['sub-01', 'done']]
    _, page = write_group(tmp_path, ['sub-01', 'sub-02'])
    assert 'Not processed yet' in page.read_text(encoding='utf-8')


def test_numbers_of_an_earlier_try_do_not_count_for_a_run_that_failed(tmp_path):
    add_run(tmp_path, 'sub-01')
    add_run(tmp_path, 'sub-01', state='failed', reason='broke')
    table = collect(tmp_path)
    assert table['state'].tolist() == ['failed']
    assert table['gm_like_cbf'].isna().all()


def test_sessions_are_found(tmp_path):
    folder = tmp_path / 'sub-01' / 'ses-a' / 'perf'
    folder.mkdir(parents=True)
    path = folder / 'sub-01_ses-a_desc-qualitycontrol_cbf.tsv'
    pd.DataFrame([{'protocol': 'p', **USUAL}]).to_csv(path, sep='\t', index=False)
    assert collect(tmp_path)['run'].tolist() == ['sub-01_ses-a']


def test_an_empty_folder_gives_an_empty_table_and_a_page_that_says_so(tmp_path):
    table_path, page_path = write_group(tmp_path)
    assert len(pd.read_csv(table_path, sep='\t')) == 0
    assert 'No run was found' in page_path.read_text()


def test_a_run_far_from_the_others_is_named_with_the_reason(tmp_path):
    add_group(tmp_path, 12)
    add_run(tmp_path, 'sub-odd', gm_like_cbf=120)
    _, page = write_group(tmp_path)
    outliers = find_outliers(collect(tmp_path))
    assert [(outlier.run, outlier.name) for outlier in outliers] == [('sub-odd', 'gm_like_cbf')]
    assert outliers[0].reason in page.read_text()
    assert 'above the median' in outliers[0].reason


def test_a_run_that_is_better_than_the_others_is_not_an_outlier(tmp_path):
    for index in range(9):
        add_run(tmp_path, f'sub-{index}', fd_mean=1 + index / 100)
    add_run(tmp_path, 'sub-still', fd_mean=0.1)
    assert find_outliers(collect(tmp_path)) == []


def test_few_runs_have_no_outliers(tmp_path):
    add_group(tmp_path, 3)
    add_run(tmp_path, 'sub-odd', gm_like_cbf=120)
    assert find_outliers(collect(tmp_path)) == []


def test_runs_that_are_alike_have_no_outliers(tmp_path):
    add_group(tmp_path, 9, gm_like_cbf=55)
    add_run(tmp_path, 'sub-odd', gm_like_cbf=55.5)
    assert find_outliers(collect(tmp_path)) == []


def test_protocols_are_compared_apart(tmp_path):
    add_group(tmp_path, 8)
    for index in range(8):
        add_run(tmp_path, f'sub-p{index}', protocol='PASL delay 1.8 s', gm_like_cbf=90 + index)
    table = collect(tmp_path)
    assert find_outliers(table) == []
    plot = strip_plots(table, set())[0]
    assert [strip.protocol for strip in plot.strips] == ['PASL delay 1.8 s', 'PCASL delay 1.8 s']


def test_points_lie_inside_the_plot_and_apart(tmp_path):
    add_group(tmp_path, 40)
    for plot in strip_plots(collect(tmp_path), set()):
        for strip in plot.strips:
            assert all(0 < point.x < 420 for point in strip.points)
            assert all(0 < point.y < plot.height for point in strip.points)
    points = strip_plots(collect(tmp_path), set())[0].strips[0].points
    assert len({(round(point.x, 1), round(point.y, 1)) for point in points}) == len(points)


def test_points_name_the_run_and_link_to_its_report(tmp_path):
    add_group(tmp_path, 2)
    html = write_group(tmp_path)[1].read_text()
    assert re.search(r'<a href="sub-000\.html#sub-000"><circle[^>]*><title>sub-000: ', html)


@pytest.mark.parametrize('n_runs', [1, 200])
def test_one_run_and_two_hundred_work(tmp_path, n_runs):
    add_group(tmp_path, n_runs)
    started = time.monotonic()
    _, page = write_group(tmp_path)
    assert time.monotonic() - started < 20
    assert page.stat().st_size < 8e6
    assert page.read_text().count('<circle') == n_runs * len(EXPECTATIONS)


def test_hostile_names_are_text(tmp_path):
    add_run(tmp_path, 'sub-<script>alert(1)<', protocol='<b>')
    add_run(tmp_path, 'sub-02', state='failed', reason='<img src=x onerror=alert(1)>')
    html = write_group(tmp_path)[1].read_text()
    assert '<script>alert' not in html
    assert '<img' not in html
    assert '<b>' not in html
    assert 'sub-%3Cscript%3Ealert%281%29%3C.html' in html


def test_nothing_is_loaded(tmp_path):
    add_group(tmp_path, 3)
    html = write_group(tmp_path)[1].read_text()
    assert not re.search(r'(src|href)="(https?:)?//', html)
