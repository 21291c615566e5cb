"""Shares of voxels that can be trusted, counted and put into the verdict."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from aslprep_nn.misspecification.bootstrap import null_kappa
from aslprep_nn.misspecification.multiplicity import VoxelClass
from aslprep_nn.misspecification.null import p_of_kappa
from aslprep_nn.misspecification.sandwich import Spread
from aslprep_nn.report.quality import measure_quality
from aslprep_nn.report.regions import gm_like
from aslprep_nn.report.trust_expectations import TRUST_EXPECTATIONS
from aslprep_nn.report.trust_numbers import noise_at_the_rim, trust_numbers
from aslprep_nn.report.trust_tests import rim
from aslprep_nn.report.verdict import Usability, judge


def numbers_of(results):
    return trust_numbers(results, gm_like(results))


def verdict_of(results):
    return judge(measure_quality(results))


def labelled(results, where, label, share=1.0):
    """Give some voxels a label, the others the class of nothing found."""
    classes = np.where(results.mask, float(VoxelClass.CONSISTENT), np.nan)
    chosen = np.argwhere(where & results.mask)
    chosen = chosen[:: round(1 / share)]
    classes[tuple(chosen.T)] = label
    return classes


@pytest.fixture
def noisy_rim(tested_run, with_classes):
    classes = labelled(tested_run, rim(tested_run), VoxelClass.NOISE, 0.5)
    return with_classes(tested_run, classes, lambdamax=np.full(classes.shape, 9.0))


def test_a_correct_run_is_consistent_and_has_noise_as_assumed(tested_run):
    found = numbers_of(tested_run)
    assert found['fraction_consistent'] > 0.99
    assert found['kappa_ratio'] == pytest.approx(1, abs=0.05)
    assert verdict_of(tested_run).usability is Usability.USABLE


@pytest.mark.parametrize('change', ['off', 'nothing tested'])
def test_what_was_not_tested_has_no_number(tested_run, with_classes, change):
    nothing = np.full(tested_run.mask.shape, np.nan)
    untested = {
        'off': replace(tested_run, trust=None),
        'nothing tested': with_classes(tested_run, nothing),
    }[change]
    assert all(math.isnan(value) for value in numbers_of(untested).values())
    assert verdict_of(untested).usability is Usability.USABLE


def test_there_is_a_number_for_every_expectation(tested_run):
    assert list(numbers_of(tested_run)) == [number.name for number in TRUST_EXPECTATIONS]


def test_voxels_that_were_not_tested_do_not_count(tested_run, with_classes):
    classes = labelled(tested_run, gm_like(tested_run), VoxelClass.NOISE, 0.25)
    classes[(classes == VoxelClass.CONSISTENT) & gm_like(tested_run)] = np.nan
    assert numbers_of(with_classes(tested_run, classes))['fraction_noise'] == 1


def test_the_shares_of_the_classes_add_up(tested_run, with_classes):
    rng = np.random.default_rng(5)
    classes = np.where(tested_run.mask, rng.integers(0, 6, tested_run.mask.shape), np.nan)
    found = numbers_of(with_classes(tested_run, classes))
    assert found['fraction_consistent'] + found['fraction_noise'] + found[
        'fraction_model'
    ] == pytest.approx(1)
    causes = ('decay', 'duration', 'arterial', 'unclear')
    assert found['fraction_model'] == pytest.approx(sum(found[f'fraction_{c}'] for c in causes))


def test_noise_is_measured_where_it_was_found(tested_run, with_classes):
    classes = labelled(tested_run, gm_like(tested_run), VoxelClass.NOISE, 0.5)
    lambdamax = np.where(classes == VoxelClass.NOISE, 4.41, 1.0)
    found = numbers_of(with_classes(tested_run, classes, lambdamax=lambdamax))
    assert found['noise_ratio'] == pytest.approx(2.1)
    none = with_classes(tested_run, labelled(tested_run, gm_like(tested_run), VoxelClass.MODEL))
    assert math.isnan(numbers_of(none)['noise_ratio'])


@pytest.mark.parametrize('kappa', [1.5, 3.4, 20.0])
def test_kappa_over_its_null_is_what_it_says(tested_run, with_classes, kappa):
    everywhere = torch.full(tested_run.mask.shape, kappa)
    p = p_of_kappa(Spread(everywhere, torch.ones(everywhere.shape)), torch.tensor(6)).numpy()
    found = numbers_of(with_classes(tested_run, tested_run.trust.classes, pnoise=p))
    assert found['kappa_ratio'] == pytest.approx(kappa / null_kappa(0.5, 6), rel=1e-4)


def test_kappa_of_p_zero_is_large_and_finite(tested_run, with_classes):
    nothing = np.zeros(tested_run.mask.shape)
    found = numbers_of(with_classes(tested_run, tested_run.trust.classes, pnoise=nothing))
    assert 100 < found['kappa_ratio'] < math.inf


def test_the_rim_is_as_deep_as_it_says(run):
    spacing = np.linalg.norm(run.affine[:3, :3], axis=0)
    edge = rim(run)
    middle = tuple(n // 2 for n in run.mask.shape)
    row = edge[:, middle[1], middle[2]]
    first = np.flatnonzero(run.mask[:, middle[1], middle[2]])[0]
    assert row[first]
    assert not row[first + int(np.ceil(6.0 / spacing[0]))]
    assert not (edge & ~run.mask).any()


def test_a_mask_without_an_edge_has_no_rim(run):
    assert not rim(replace(run, mask=np.ones_like(run.mask))).any()


def test_noise_at_the_rim_is_called_motion(noisy_rim):
    assert noise_at_the_rim(noisy_rim)
    verdict = verdict_of(noisy_rim)
    assert verdict.usability is Usability.WITH_CARE
    share = 100 * numbers_of(noisy_rim)['fraction_noise']
    assert verdict.reasons == (
        f'in {share:.1f} % of grey-matter-like voxels the repetitions scatter more than assumed, '
        'mostly at the rim (motion)',
    )


def test_noise_that_is_smaller_than_assumed_is_not_called_more(noisy_rim, with_classes):
    less = np.full(noisy_rim.mask.shape, 0.5)
    quiet = with_classes(noisy_rim, noisy_rim.trust.classes, lambdamax=less)
    assert 'scatter otherwise than assumed' in verdict_of(quiet).sentence


def test_noise_everywhere_is_not_called_motion(tested_run, with_classes):
    classes = labelled(tested_run, tested_run.mask, VoxelClass.NOISE, 0.25)
    everywhere = with_classes(tested_run, classes)
    assert not noise_at_the_rim(everywhere)
    assert 'motion' not in verdict_of(everywhere).sentence
    assert not noise_at_the_rim(tested_run)


def test_noise_at_the_rim_alone_is_said(tested_run, with_classes):
    classes = labelled(tested_run, rim(tested_run), VoxelClass.NOISE)
    classes[rim(tested_run) & gm_like(tested_run)] = np.nan
    only = with_classes(tested_run, classes)
    assert len(verdict_of(only).reasons) == 1
    assert 'of the rim of the brain' in verdict_of(only).sentence


@pytest.mark.parametrize(
    ('label', 'words'),
    [
        (VoxelClass.TISSUE_DECAY, 'another tissue T1 or outflow'),
        (VoxelClass.LABELING_DURATION, 'another labelling duration'),
        (VoxelClass.ARTERIAL_BLOOD, 'label in arteries'),
        (VoxelClass.MODEL, 'an unclear cause'),
    ],
)
def test_a_wrong_model_is_named_once_with_its_most_frequent_cause(
    tested_run, with_classes, label, words
):
    classes = labelled(tested_run, gm_like(tested_run), label, 0.25)
    (reason,) = verdict_of(with_classes(tested_run, classes)).reasons
    assert reason.startswith('in 25 % of grey-matter-like voxels the signal does not follow')
    assert reason.endswith(words)


def test_a_little_of_everything_is_said_as_a_whole(tested_run, with_classes):
    bright = gm_like(tested_run)
    classes = labelled(tested_run, bright, VoxelClass.NOISE, 1 / 12)
    other = labelled(tested_run, bright, VoxelClass.MODEL, 1 / 13)
    classes = np.where(other == VoxelClass.MODEL, other, classes)
    (reason,) = verdict_of(with_classes(tested_run, classes)).reasons
    assert reason.startswith('only 8')
