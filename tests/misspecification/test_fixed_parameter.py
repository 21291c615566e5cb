"""A T1 of their own for some voxels: found where there is one, and not where there is none."""

from dataclasses import replace

import pytest
import torch
from voxels import BRAIN, Population, measure, pcasl

from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.misspecification.assessment import assess
from aslprep_nn.misspecification.fixed_parameter import (
    brightest,
    compare_t1_maps,
    fixed_t1_test,
)
from aslprep_nn.misspecification.summary import FixedT1Test

BRIGHT = Population(cbf=(100.0, 140.0), att=(0.5, 1.2))


def found_in(acquisition, data, **options) -> FixedT1Test | None:
    fit = fit_cbf_att(data, acquisition)
    return fixed_t1_test(data, acquisition, fit, assess(data, acquisition, fit), **options)


@pytest.fixture(scope='module')
def own_t1() -> FixedT1Test:
    """A tenth of the voxels are bright and have a T1 of 1.44 s instead of 1.2 s."""
    acquisition = pcasl(repetitions=10)
    bright = measure(replace(acquisition, t1_tissue=1.44), BRIGHT, n_voxels=400)
    others = measure(acquisition, replace(BRAIN, cbf=(20.0, 60.0)), n_voxels=3600, seed=1)
    return found_in(acquisition, torch.cat([others, bright]))


def test_the_t1_of_the_bright_voxels_is_found(own_t1):
    assert own_t1.n_voxels == 400
    assert own_t1.t1_before == pytest.approx(1.2)
    assert own_t1.t1_after == pytest.approx(1.44, rel=0.03)
    assert own_t1.p < 1e-4


def test_with_their_own_t1_misfit_and_decay_fall_back_to_the_level(own_t1):
    assert own_t1.misfit_before > 0.4
    assert own_t1.decay_before > 0.6
    assert own_t1.misfit_after == pytest.approx(0.05, abs=0.03)
    assert own_t1.decay_after == pytest.approx(0.05, abs=0.03)


def test_a_t1_assumed_too_short_made_cbf_too_high(own_t1):
    assert own_t1.cbf_after == pytest.approx(120, rel=0.03)
    assert own_t1.cbf_before > 1.1 * own_t1.cbf_after


def test_kappa_does_not_tell_the_right_t1_from_the_wrong_one(own_t1):
    assert own_t1.kappa_before == pytest.approx(2.33, abs=0.35)
    assert own_t1.kappa_after == pytest.approx(own_t1.kappa_before, rel=0.08)


def test_a_correct_t1_is_found_again_and_changes_nothing():
    acquisition = pcasl(repetitions=8)
    data = measure(acquisition, BRIGHT, n_voxels=800, seed=2)
    found = found_in(acquisition, data, bright=torch.ones(800, dtype=torch.bool))
    assert found.t1_after == pytest.approx(1.2, rel=0.01)
    assert found.p > 0.01
    for share in (found.misfit_before, found.misfit_after, found.decay_before, found.decay_after):
        assert share == pytest.approx(0.05, abs=0.025)
    assert found.cbf_after == pytest.approx(found.cbf_before, rel=0.01)


def test_the_end_of_the_range_of_t1_can_be_the_answer():
    acquisition = pcasl(repetitions=8)
    data = measure(replace(acquisition, t1_tissue=0.4), BRIGHT, n_voxels=60)
    found = found_in(acquisition, data, bright=torch.ones(60, dtype=torch.bool))
    assert found.t1_after == pytest.approx(0.6, abs=0.01)


def test_a_t1_map_that_is_right_mends_what_one_value_for_all_spoils():
    acquisition = pcasl(repetitions=8)
    short, long = (
        measure(replace(acquisition, t1_tissue=t1), BRIGHT, n_voxels=150) for t1 in (1.0, 1.6)
    )
    data = torch.cat([short, long])
    one = torch.full((300,), 1.3)
    own = torch.tensor([1.0, 1.6]).repeat_interleave(150)
    found = compare_t1_maps(data, acquisition, one, own, region='white and grey matter')
    assert found.region == 'white and grey matter'
    assert found.misfit_before > 0.3
    assert found.misfit_after == pytest.approx(0.05, abs=0.035)
    assert found.decay_after == pytest.approx(0.05, abs=0.035)


def test_slice_delays_and_a_t1_map_are_those_of_the_group():
    acquisition = pcasl(repetitions=6)
    later = replace(acquisition, pld=tuple(pld + 0.3 for pld in acquisition.pld), t1_tissue=1.4)
    data = measure(later, BRIGHT, n_voxels=60)
    own = {'slice_delay': torch.full((60,), 0.3), 't1_tissue': torch.full((60,), 1.4)}
    group = torch.arange(60) < 40
    fit = fit_cbf_att(data, acquisition, **own)
    found = assess(data, acquisition, fit, **own)
    delayed = fixed_t1_test(data, acquisition, fit, found, bright=group, region='group', **own)
    direct = found_in(later, data, bright=group)
    assert delayed.t1_before == pytest.approx(1.4)
    assert delayed.t1_after == pytest.approx(direct.t1_after, abs=0.005)
    assert delayed.cbf_before == pytest.approx(direct.cbf_before, rel=1e-3)


def test_the_brightest_tenth_leaves_out_voxels_without_an_estimate():
    acquisition = pcasl(repetitions=4)
    data = measure(acquisition, BRAIN, n_voxels=100)
    fit = fit_cbf_att(data, acquisition)
    bright = brightest(acquisition, fit)
    assert int(bright.sum()) == 10
    assert float(data[bright].mean()) > float(data[~bright].mean(1).quantile(0.9))
    fit.parameters['cbf'][bright] = torch.nan
    assert not bool((brightest(acquisition, fit) & bright).any())


def test_late_slices_are_dimmer_for_the_same_blood_flow():
    acquisition = pcasl(repetitions=4, delays=(1.0, 1.5, 2.0))
    fit = fit_cbf_att(
        measure(acquisition, Population((60, 60), (1, 1), 0.0), n_voxels=20), acquisition
    )
    delay = torch.linspace(0, 1.9, 20)
    assert brightest(acquisition, fit, slice_delay=delay).nonzero().flatten().tolist() == [0, 1]


def test_choosing_the_brightest_of_many_voxels_does_not_make_their_t1_look_wrong():
    acquisition = pcasl(repetitions=6, delays=(0.25, 0.5, 1.0, 1.5, 2.0, 2.5))
    population = replace(BRAIN, noise=0.001)
    p = [
        found_in(acquisition, measure(acquisition, population, n_voxels=10000, seed=seed)).p
        for seed in range(4)
    ]
    assert min(p) > 0.01


def test_without_repetitions_there_is_nothing_to_compare():
    acquisition = pcasl(repetitions=1)
    data = measure(acquisition, BRIGHT, n_voxels=30)
    assert found_in(acquisition, data) is None
    one = torch.full((30,), 1.2)
    assert compare_t1_maps(data, acquisition, one, one, region='all') is None
