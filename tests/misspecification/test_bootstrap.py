"""What subsets of the repetitions say, and that correct ones say what theory does."""

from dataclasses import replace

import pytest
import torch
from voxels import Population, measure, pcasl

from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.maps import FitStatus
from aslprep_nn.misspecification.bootstrap import convergence, null_kappa
from aslprep_nn.misspecification.null import p_of_kappa
from aslprep_nn.misspecification.sandwich import Spread
from aslprep_nn.misspecification.summary import Convergence

STEADY = Population(cbf=(50.0, 90.0), att=(0.6, 1.7), noise=0.001)


def settled(acquisition, data, **options) -> Convergence | None:
    fit = fit_cbf_att(data, acquisition)
    return convergence(data, acquisition, fit, **{'n_draws': 15, 'seed': 1, **options})


@pytest.fixture(scope='module')
def null() -> Convergence:
    acquisition = pcasl(repetitions=8)
    return settled(acquisition, measure(acquisition, STEADY, n_voxels=1200), n_draws=30)


@pytest.mark.parametrize(('count', 'expected'), [(4, 5.8), (6, 3.4), (8, 2.66)])
def test_subsets_without_replacement_do_not_inflate_kappa(null, count, expected):
    place = null.n_repetitions.index(count)
    assert null.kappa[place] == pytest.approx(expected, rel=0.06)
    assert null.kappa_null[place] == pytest.approx(expected, abs=0.05)


def test_the_median_eigenvalues_are_those_of_their_null(null):
    for measured, expected in (
        (null.lambda_max, null.lambda_max_null),
        (null.lambda_min, null.lambda_min_null),
    ):
        assert measured[2:] == pytest.approx(expected[2:], rel=0.05)


def test_the_scatter_of_estimates_falls_like_its_bound(null):
    assert null.std_cbf[1:] == pytest.approx(null.bound_cbf[1:], rel=0.07)
    assert null.std_att[1:] == pytest.approx(null.bound_att[1:], rel=0.07)
    assert null.std_cbf[0] / null.std_cbf[-1] == pytest.approx(2.0, rel=0.1)


def test_the_bias_of_few_repetitions_is_small_beside_the_scatter_and_ends_at_zero(null):
    assert null.bias_cbf[0] < 0.1 * null.std_cbf[0]
    assert null.bias_att[-1] < 1e-5


def test_two_repetitions_make_kappa_infinite_by_construction(null):
    assert null.n_repetitions[0] == 2
    assert null.kappa[0] == null.kappa_null[0] == float('inf')
    assert null.lambda_min[0] == 0


def test_one_moved_repetition_takes_kappa_out_of_its_band():
    acquisition = pcasl(repetitions=8)
    data = measure(acquisition, replace(STEADY, cbf=(20.0, 140.0)), n_voxels=800)
    data[:, :21] = data.flip(0)[:, :21]
    moved = settled(acquisition, data)
    assert moved.kappa[-1] > moved.kappa_null_high[-1]
    assert moved.kappa[-1] > 3 * moved.kappa_null[-1]
    assert moved.std_cbf[-1] > 1.5 * moved.bound_cbf[-1]


def test_with_all_repetitions_the_scatter_is_the_jackknife():
    acquisition = pcasl(repetitions=5)
    data = measure(acquisition, STEADY, n_voxels=1)
    found = settled(acquisition, data, n_draws=50)
    without_one = torch.cat(
        [
            fit_cbf_att(rest.flatten(1), pcasl(repetitions=4), dtype=torch.float64).parameters[
                'cbf'
            ]
            for rest in (data.reshape(1, 5, 21)[:, torch.arange(5) != m] for m in range(5))
        ]
    )
    jackknife = float(4 * without_one.var(correction=0)) ** 0.5
    shortfall = (1 - 2 / (9 * 4)) ** 1.5
    assert found.std_cbf[-1] == pytest.approx(jackknife / shortfall, rel=1e-4)


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others():
    acquisition = pcasl(repetitions=8)
    data = measure(acquisition, STEADY, n_voxels=60)
    first, again, other = (
        settled(acquisition, data, n_draws=4, n_voxels=20, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.std_cbf != other.std_cbf


def test_only_voxels_with_all_measurements_and_an_identifiable_att_are_looked_at():
    acquisition = pcasl(repetitions=4)
    data = measure(acquisition, STEADY, n_voxels=20)
    data[:5, 3] = torch.nan
    fit = fit_cbf_att(data, acquisition)
    fit.status[5:8] = FitStatus.ATT_NOT_IDENTIFIABLE
    assert convergence(data, acquisition, fit, n_draws=2, seed=1).n_voxels == 12
    fit.status[:] = FitStatus.ATT_NOT_IDENTIFIABLE
    assert convergence(data, acquisition, fit, n_draws=2, seed=1) is None


def test_a_repetition_that_all_voxels_lack_is_not_there():
    acquisition, shorter = pcasl(repetitions=5), pcasl(repetitions=4)
    data = measure(acquisition, STEADY, n_voxels=40)
    kept = torch.arange(5).repeat_interleave(21) != 2
    direct = settled(shorter, data[:, kept])
    data[:, 42:63] = torch.nan
    found = settled(acquisition, data)
    assert found.n_repetitions == (2, 3, 4)
    assert found.n_voxels == direct.n_voxels
    assert found.kappa[1:] == pytest.approx(direct.kappa[1:], rel=1e-3)
    assert found.std_cbf == pytest.approx(direct.std_cbf, rel=1e-3)


@pytest.mark.parametrize(('repetitions', 'n_draws'), [(2, 10), (8, 0)])
def test_nothing_is_drawn_without_repetitions_or_draws(repetitions, n_draws):
    acquisition = pcasl(repetitions=repetitions)
    data = measure(acquisition, STEADY, n_voxels=20)
    assert settled(acquisition, data, n_draws=n_draws) is None


def test_of_many_repetitions_some_numbers_are_looked_at_both_ends_included():
    acquisition = pcasl(repetitions=40, delays=(0.5, 1.0, 2.0))
    data = measure(acquisition, STEADY, n_voxels=20)
    found = settled(acquisition, data, n_draws=2)
    assert len(found.n_repetitions) <= 14
    assert found.n_repetitions[0] == 2
    assert found.n_repetitions[-2:] == (39, 40)


def test_slice_delays_and_tissue_t1_belong_to_the_model_of_the_subsets():
    acquisition = pcasl(repetitions=4)
    later = replace(acquisition, pld=tuple(pld + 0.4 for pld in acquisition.pld), t1_tissue=1.4)
    data = measure(later, STEADY, n_voxels=30)
    own = {'slice_delay': torch.full((30,), 0.4), 't1_tissue': torch.full((30,), 1.4)}
    fit = fit_cbf_att(data, acquisition, **own)
    found = convergence(data, acquisition, fit, n_draws=3, seed=1, **own)
    direct = settled(later, data, n_draws=3)
    assert found.kappa[1:] == pytest.approx(direct.kappa[1:], rel=1e-3)
    assert found.std_att == pytest.approx(direct.std_att, rel=1e-3)
    assert found.bound_cbf == pytest.approx(direct.bound_cbf, rel=1e-3)


def test_the_null_of_kappa_inverts_its_p_value():
    for p in (0.05, 0.5, 0.95):
        kappa = torch.tensor([null_kappa(p, 8)])
        spread = Spread(kappa, torch.ones(1))
        assert float(p_of_kappa(spread, torch.tensor([8]))) == pytest.approx(p, rel=1e-5)
