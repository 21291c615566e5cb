"""The section of the page on trust, for every kind of run."""

import json
from dataclasses import replace

import numpy as np
import pytest

from aslprep_nn.misspecification.summary import TrustSummary
from aslprep_nn.report.page import write_subject_page
from aslprep_nn.report.run import write_run_report
from aslprep_nn.report.trust_methods import describe_tests
from aslprep_nn.report.trust_section import trust_facts, trust_figures
from aslprep_nn.report.trust_sentences import NOT_CLASSIFIED
from aslprep_nn.report.trust_tests import TESTS


def names(results):
    return [figure.name for figure in trust_figures(results)]


def page_of(results, folder):
    write_run_report(results, folder / 'sub-01' / 'figures', 'sub-01')
    return write_subject_page(folder, '01')


@pytest.fixture(scope='module')
def page(full_run, tmp_path_factory):
    return page_of(full_run, tmp_path_factory.mktemp('full'))


def test_the_figures_go_from_where_to_how_much(page):
    (facts,) = page.parent.glob('sub-01/figures/*_desc-report_asl.json')
    figures = json.loads(facts.read_text())['figures']
    rows = [f'row{test.p}' for test in TESTS]
    expected = ['fullclasses', *rows, 'convergence', 'kappa', 'subsets']
    assert [each['name'] for each in figures if each['section'] == 'trust'] == expected


def test_the_page_shows_every_fact_of_the_section(full_run, page):
    html = page.read_text()
    facts = trust_facts(full_run)
    texts = [*facts['sentences'], *facts['limits'], *(t['found'] for t in facts['tests'])]
    for text in texts:
        assert text.replace('<', '&lt;') in html
    assert 'One T1 for all tissue' in html
    assert '#sub-01-trust' in html
    assert page.stat().st_size < 8e6


def test_the_table_has_a_row_for_each_region_and_a_cell_for_each_test(full_run, page):
    table = trust_facts(full_run)['regions']
    brain, grey = table['rows']
    assert (brain['region'], grey['region']) == ('brain', 'grey-matter-like')
    assert len(brain['tests']) == len(table['tests']) == len(TESTS)
    cells = {test['name']: cell for test, cell in zip(table['tests'], grey['tests'], strict=True)}
    assert cells['pnoise'] == {'share': '8 %', 'p': '.04'}
    assert cells['pmodel'] == {'share': '–', 'p': '–'}
    assert grey['claimed'] == ['90 %', '6 %', '–', '–', '–', '4 %']
    assert page.read_text().count('<td class="number claim">') == 2 * len(table['classes'])


def test_the_facts_can_be_read_by_programs(full_run):
    facts = json.loads(json.dumps(trust_facts(full_run), allow_nan=False))
    rows = facts['fixed_t1']['rows']
    assert rows[0]['after'] == '1.44'
    assert rows[-1]['before'] == '3.16'


@pytest.mark.parametrize('repetitions', [1, 2, 3])
def test_few_repetitions_show_what_could_be_tested(simulate_run, trust_in, repetitions):
    few = trust_in(simulate_run(shape=(12, 14, 2), repetitions=repetitions))
    assert ('kappa' in names(few)) == (repetitions > 2)
    facts = trust_facts(few)
    made = {test['title'].split(' (')[0] for test in facts['tests']}
    assert ('Noise between repetitions' in made) == (repetitions > 2)
    assert ('Shape of the curve' in made) == (repetitions > 1)
    assert 'Tissue decay' not in made
    assert facts['limits']


def test_a_run_without_tests_says_why_in_place_of_figures(run, single_delay_run, tmp_path):
    for results in (run, single_delay_run):
        assert names(results) == []
        assert len(trust_facts(results)['sentences']) == 1
    small = replace(single_delay_run, mask=single_delay_run.mask & False)
    (sentence,) = trust_facts(single_delay_run)['sentences']
    assert sentence in page_of(small, tmp_path).read_text()


def test_early_and_late_delays_are_shown_even_where_nothing_was_repeated(full_run, with_classes):
    alone = with_classes(full_run, np.full(full_run.mask.shape, np.nan))
    maps = {
        name: full_run.trust.maps[name]
        for name in ('hausman', 'phausman', 'subsetcbf', 'subsetatt')
    }
    summary = replace(full_run.trust.summary, n_repetitions=1, regions=(), convergence=None)
    alone = replace(alone, trust=replace(alone.trust, maps=maps, summary=summary))
    assert names(alone) == ['rowphausman', 'subsets']
    facts = trust_facts(alone)
    assert facts['sentences'] == (NOT_CLASSIFIED,)
    assert [test['title'] for test in facts['tests']] == ['Early against late delays (Hausman H)']
    (method,) = describe_tests(alone)
    assert 'Hausman' in method


def test_a_run_in_which_no_voxel_could_be_tested_shows_its_limits(full_run, with_classes):
    nothing = with_classes(full_run, np.full(full_run.mask.shape, np.nan))
    nothing = replace(nothing, trust=replace(nothing.trust, maps={}))
    assert names(nothing) == []
    assert trust_facts(nothing)['limits'] == full_run.trust.summary.limits


def test_a_summary_without_extras_has_no_tables(full_run):
    bare = replace(full_run, trust=replace(full_run.trust, summary=TrustSummary(0.05, (), (), 8)))
    facts = trust_facts(bare)
    assert facts['regions'] is None
    assert facts['fixed_t1'] is None


def test_a_region_named_by_an_atlas_is_text(simulate_run, trust_in, full_run, tmp_path):
    results = trust_in(simulate_run(shape=(10, 12, 3), repetitions=2))
    hostile = replace(full_run.trust.summary.regions[0], region='<script>alert(1)</script>')
    summary = TrustSummary(0.05, (), (hostile,), 8)
    changed = replace(results, trust=replace(results.trust, summary=summary))
    html = page_of(changed, tmp_path).read_text()
    assert '&lt;script&gt;alert(1)' in html
    assert '<script>alert' not in html
