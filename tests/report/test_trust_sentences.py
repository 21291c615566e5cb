"""Sentences say how much was found beside how much chance gives."""

from dataclasses import replace

import numpy as np
import pytest

from aslprep_nn.misspecification.multiplicity import VoxelClass
from aslprep_nn.report.regions import gm_like
from aslprep_nn.report.trust_sentences import (
    NOT_CLASSIFIED,
    NOT_MADE,
    NOTHING_TESTED,
    ONE_DELAY,
    UNSEEN,
    fixed_t1_sentence,
    p_words,
    test_sentences,
    trust_limits,
    trust_sentences,
)
from aslprep_nn.report.trust_tests import TESTS, rim

test_sentences.__test__ = False


def of_test(results, p):
    return next(found for test, found in test_sentences(results) if test.p == p)


def with_p(results, **maps):
    return replace(results, trust=replace(results.trust, maps={**results.trust.maps, **maps}))


def test_what_was_not_tested_is_explained(run, single_delay_run, full_run, with_classes):
    assert trust_sentences(run) == (NOT_MADE,)
    assert trust_sentences(single_delay_run) == (ONE_DELAY,)
    unclassified = with_classes(full_run, np.full(full_run.mask.shape, np.nan))
    assert trust_sentences(unclassified) == (NOT_CLASSIFIED,)
    nothing = replace(unclassified, trust=replace(unclassified.trust, maps={}))
    assert trust_sentences(nothing) == (NOTHING_TESTED,)
    assert list(test_sentences(run)) == list(test_sentences(nothing)) == []


def test_a_correct_run_is_consistent_and_nothing_is_claimed(full_run):
    found = ' '.join(trust_sentences(full_run))
    assert 'consistent with 100 %' in found
    assert 'Nothing was found' in found


def test_where_the_model_was_not_tested_nothing_is_said_of_it(full_run):
    assert trust_sentences(full_run)[0].startswith('The kinetic model with its noise is')
    noise = {name: full_run.trust.maps[name] for name in ('kappa', 'lambdamax', 'pnoise')}
    alone = replace(full_run, trust=replace(full_run.trust, maps=noise))
    assert trust_sentences(alone)[0].startswith('The assumed noise is')


def test_claims_come_with_the_number_that_may_be_false(full_run, with_classes):
    classes = np.where(full_run.mask, float(VoxelClass.CONSISTENT), np.nan)
    voxels = np.argwhere(full_run.mask)[:200]
    classes[tuple(voxels.T)] = VoxelClass.MODEL
    found = ' '.join(trust_sentences(with_classes(full_run, classes)))
    assert 'Something was found in 200 of' in found
    assert 'about 10 of these claims may be false (false discovery rate 5 %)' in found


@pytest.mark.parametrize('at_rim', [True, False])
def test_noise_is_told_by_how_much_and_where(full_run, with_classes, at_rim):
    classes = np.where(full_run.mask, float(VoxelClass.CONSISTENT), np.nan)
    where = rim(full_run) if at_rim else full_run.mask
    classes[tuple(np.argwhere(where)[::3].T)] = VoxelClass.NOISE
    lambdamax = np.full(full_run.mask.shape, 2.1**2)
    found = ' '.join(trust_sentences(with_classes(full_run, classes, lambdamax=lambdamax)))
    assert 'the estimates scatter 2.1 times as much as assumed in' in found
    assert ('mostly at the rim: motion' in found) == at_rim


def test_each_test_stands_beside_chance(full_run):
    bright = gm_like(full_run)
    p = np.where(full_run.mask, 0.5, np.nan)
    p[tuple(np.argwhere(bright)[::4].T)] = 0.04
    found = of_test(with_p(full_run, pdecay=p), 'pdecay')
    n_bright = int(bright.sum())
    assert f'in 25 % of {n_bright} grey-matter-like voxels' in found
    assert '5 times as many as by chance' in found
    assert f'({0.05 * n_bright:.0f} voxels)' in found
    assert found.endswith('in the brain: none.')


@pytest.mark.parametrize(
    ('share', 'words'), [(20, 'about as many as by chance'), (100, 'fewer than by chance')]
)
def test_what_chance_gives_is_called_so(full_run, share, words):
    p = np.where(full_run.mask, 0.5, np.nan)
    p[tuple(np.argwhere(gm_like(full_run))[::share].T)] = 0.04
    assert words in of_test(with_p(full_run, pnoise=p), 'pnoise')


def test_a_test_made_in_no_grey_matter_speaks_of_the_brain(full_run):
    p = np.where(full_run.mask & ~gm_like(full_run), 0.5, np.nan)
    assert 'brain voxels' in of_test(with_p(full_run, phausman=p), 'phausman')


def test_every_test_has_a_sentence(full_run):
    assert [test.p for test, _ in test_sentences(full_run)] == [test.p for test in TESTS]


def test_limits_end_with_what_no_test_can_see(full_run, run):
    assert trust_limits(full_run) == (*full_run.trust.summary.limits, UNSEEN)
    assert trust_limits(run) == ()


def test_a_t1_of_its_own_is_told_with_what_it_changes(full_run):
    test = full_run.trust.summary.fixed_t1
    found = fixed_t1_sentence(test, full_run)
    for words in ('brightest 10 % (700 voxels)', '1.44 s', '1.2 s', 'p < .001',
                  '6 % of them instead of 31 %', '64.5 instead of 71 mL/100 g/min'):  # fmt: skip
        assert words in found
    assert 'flows out' not in found
    assert 'flows out' in fixed_t1_sentence(replace(test, t1_after=1.0), full_run)
    doubtful = fixed_t1_sentence(replace(test, p=0.3), full_run)
    assert 'no reason to doubt the tissue T1 of 1.2 s' in doubtful
    assert '(p = .3;' in doubtful


@pytest.mark.parametrize('end', [0.6003, 2.4999])
def test_a_t1_at_the_end_of_the_search_is_not_called_better(full_run, end):
    test = replace(full_run.trust.summary.fixed_t1, t1_after=end)
    found = fixed_t1_sentence(test, full_run)
    assert 'no T1 from 0.6 to 2.5 s mends it' in found
    assert ('label in arteries' in found) == (end < 1)
    assert 'would rather have' not in found


def test_the_flow_with_another_t1_is_relative_without_m0(full_run):
    test = replace(full_run.trust.summary.fixed_t1, cbf_before=1.42, cbf_after=1.29)
    found = fixed_t1_sentence(test, replace(full_run, has_m0=False))
    assert '1.29 instead of 1.42 times the median' in found


@pytest.mark.parametrize(
    ('p', 'words'),
    [(0.04, '.04'), (0.00004, '<.001'), (0.312, '.31'), (1.0, '1'), (float('nan'), '–')],
)
def test_p_values_are_short(p, words):
    assert p_words(p) == words


def test_a_t1_that_could_not_be_tested_is_not_acquitted(full_run):
    sentence = fixed_t1_sentence(replace(full_run.trust.summary.fixed_t1, p=np.nan), full_run)
    assert 'could not be asked' in sentence
    assert 'no reason to doubt' not in sentence
