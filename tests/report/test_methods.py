"""The methods text says what was done, and cites it."""

import re
from dataclasses import replace

import numpy as np
import pytest

from aslprep_nn.acquisition import BolusCutOff, LabelingType
from aslprep_nn.misspecification.summary import TrustSummary
from aslprep_nn.report.methods import describe_methods
from aslprep_nn.run import M0Route, PlanRow
from aslprep_nn.settings import Organ


def text_of(results):
    return ' '.join(describe_methods(results).paragraphs)


def with_plan(results, **rows):
    names = {name.replace('_', ' '): value for name, value in rows.items()}
    kept = [row for row in results.plan if row.name not in names]
    planned = [PlanRow(name, value, 'test') for name, value in names.items()]
    return replace(results, plan=(*kept, *planned))


def test_the_text_holds_the_facts_of_the_run(run):
    text = text_of(run)
    for fact in ('36 measurements', '0.25, 0.5, 1, 1.5, 2 and 2.5 s', 'efficiency of 0.85',
                 '1.65 s in blood', '1.2 s in tissue', '0.9 mL/g'):  # fmt: skip
        assert fact in text


CITATION = r'[A-Z][a-z]+ et al\.(?:, \d{4})?|[A-Z][a-z]+(?: and [A-Z][a-z]+)?, \d{4}'


def test_every_work_in_the_text_is_in_the_list_and_the_other_way_round(
    run, single_delay_run, relative_run, full_run
):
    differences = replace(relative_run, confounds=None)
    for results in (run, single_delay_run, relative_run, differences, full_run):
        methods = describe_methods(results)
        text = ' '.join(methods.paragraphs)
        names = set(re.findall(CITATION, text))
        assert names == {work.cited_as for work in methods.references}
        for work in methods.references:
            assert work.text.startswith(work.cited_as.split(' ')[0].rstrip(','))
            assert work.cited_as.split(' ')[-1].removeprefix('al.') in work.text


def test_one_delay_is_described_by_the_consensus_formula(run, single_delay_run):
    assert 'formula of the consensus paper' in text_of(single_delay_run)
    assert 'general kinetic model' in text_of(run)


def test_motion_is_described_only_where_it_was_corrected(run):
    assert 'mutual information' in text_of(run)
    assert 'head motion was not corrected' in text_of(replace(run, confounds=None))


def test_a_run_without_m0_says_so(relative_run):
    assert 'There was no M0' in text_of(relative_run)


@pytest.mark.parametrize(
    ('route', 'words'),
    [
        (M0Route.SEPARATE, 'separate M0 scan'),
        (M0Route.INCLUDED, 'M0 volumes of the series'),
        (M0Route.CONTROL, 'mean of the control volumes'),
        (M0Route.ESTIMATE, 'M0 of blood that the metadata state'),
    ],
)
def test_the_source_of_m0_is_named(run, route, words):
    assert words in text_of(with_plan(run, M0=route.value)).split('M0 of tissue ')[1]


def test_the_template_is_cited_where_the_mask_was_compared_with_it(run):
    methods = describe_methods(replace(run, template_dice=0.913))
    assert 'Dice overlap within the slices was 0.91.' in ' '.join(methods.paragraphs)
    assert [work for work in methods.references if work.cited_as == 'Fonov et al., 2011']
    assert 'Fonov' not in text_of(run)


def test_the_recovery_of_m0_is_stated_with_the_t1_of_tissue(run, relative_run):
    stated = '1 − exp(−TR/T1) to correct its incomplete recovery (repetition time TR 4.8 s, T1 of '
    assert f'{stated}tissue 1.2 s)' in text_of(run)
    assert 'recovery' not in text_of(relative_run)


def test_a_scale_of_m0_is_stated(run):
    assert 'multiplied by 10 to bring it' in text_of(with_plan(run, M0_scale='10'))
    assert 'multiplied' not in text_of(run)


@pytest.mark.parametrize(
    ('value', 'words'),
    [
        ('yes, 2 pulses', 'was suppressed (number of inversion pulses: 2).'),
        ('yes', 'was suppressed.'),
        ('no', 'was not suppressed.'),
        ('not stated', 'suppressed is not stated.'),
    ],
)
def test_background_suppression_is_stated(run, value, words):
    assert words in text_of(with_plan(run, Background_suppression=value))


def test_the_t1_of_tissue_is_no_constant_of_the_formula_for_one_delay(single_delay_run):
    text = text_of(single_delay_run)
    assert text.count('1.2 s') == 1
    assert 'T1 of tissue 1.2 s' in text
    assert 'a T1 of 1.65 s in blood, and' in text


def test_the_formula_is_cited_that_the_labelling_calls_for(single_delay_run):
    acquisition = single_delay_run.acquisition
    velocity = replace(acquisition, labeling=LabelingType.VSASL)
    quipss = replace(acquisition, labeling=LabelingType.PASL, bolus_cut_off=BolusCutOff.QUIPSS)
    assert 'Qin et al., 2022' in text_of(replace(single_delay_run, acquisition=velocity))
    assert 'Wong et al., 1998' in text_of(replace(single_delay_run, acquisition=quipss))


def test_the_mask_is_said_to_be_made_as_it_was(run, relative_run):
    assert 'reaches 72% of the smoothed brightness' in text_of(run)
    only = text_of(replace(relative_run, confounds=None))
    assert 'mean square of the differences' in only
    assert 'subtracted from its control' not in only
    with_m0 = text_of(replace(run, confounds=None))
    assert 'reaches 72%' in with_m0
    assert 'Everything but air' in text_of(replace(run, organ=Organ.KIDNEY))
    supplied = PlanRow('Mask', 'supplied', 'mask.nii.gz')
    text = text_of(replace(run, plan=(*run.plan, supplied)))
    assert 'was supplied' in text
    assert 'Otsu' not in text


def test_the_markdown_numbers_the_references(run):
    methods = describe_methods(run)
    lines = methods.markdown.splitlines()
    assert lines[-1].startswith(f'{len(methods.references)}. ')
    assert '### References' in lines


def test_only_tests_that_were_made_are_described_and_cited(full_run, run):
    assert len(describe_methods(run).paragraphs) == 3
    assert len(describe_methods(full_run).paragraphs) == 4
    text = text_of(full_run)
    for words in ('Wang et al.', 'kappa', 'lack of fit', 'decay of label', 'Hausman, 1978',
                  'Chow, 1960', 'false discovery rate of 5 %', 'Liu and Xie, 2020', 'Wu, 1986',
                  'drawn without replacement', 'brightest 10 %'):  # fmt: skip
        assert words in text
    trust = full_run.trust
    nothing = np.full(full_run.mask.shape, np.nan)
    fewer = {**trust.maps, **dict.fromkeys(('pnoise', 'ptrace', 'phausman', 'pdecay'), nothing)}
    summary = TrustSummary(0.1, (), (), 8)
    less = text_of(replace(full_run, trust=replace(trust, maps=fewer, summary=summary)))
    for words in ('kappa', 'Mauchly', 'Hausman', 'Liu', 'decay of label', 'drawn'):
        assert words not in less
    assert 'false discovery rate of 10 %' in less
