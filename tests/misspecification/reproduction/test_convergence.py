"""Figure 1 on few voxels."""

import math

import pytest
import torch

from aslprep_nn.misspecification.reproduction.convergence import (
    N_REPETITIONS,
    convergence_findings,
    organ_convergence,
    resample,
)
from aslprep_nn.misspecification.reproduction.scenarios import BRAIN, Scenario

EXACT_MEDIAN = {4: 5.828, 8: 2.664, 16: 1.886, 50: 1.406}


@pytest.fixture(scope='module')
def brain():
    return organ_convergence(BRAIN, 500, 100, 0)


def at(values, count: int) -> float:
    return values[N_REPETITIONS.index(count)]


def test_the_median_of_kappa_is_that_of_the_wishart_null(brain):
    correct = brain.spectra[Scenario.CORRECT]
    assert math.isinf(at(correct.kappa, 2))
    for count, expected in EXACT_MEDIAN.items():
        error = at(correct.kappa_error, count)
        assert at(correct.kappa, count) == pytest.approx(expected, abs=3 * error)


def test_resampling_with_replacement_inflates_kappa(brain):
    for count in (8, 10):
        assert at(brain.resampled.kappa, count) > 1.2 * at(
            brain.spectra[Scenario.CORRECT].kappa, count
        )


def test_subsets_without_replacement_leave_kappa_at_its_null(brain):
    kappa = dict(zip(brain.subsets.n_repetitions, brain.subsets.kappa, strict=True))
    assert kappa[8] == pytest.approx(EXACT_MEDIAN[8], rel=0.12)


def test_eigenvalues_of_a_correct_model_approach_one_from_both_sides(brain):
    correct = brain.spectra[Scenario.CORRECT]
    assert at(correct.lambda_max, 10) > at(correct.lambda_max, 50) > 1
    assert at(correct.lambda_min, 10) < at(correct.lambda_min, 50) < 1


def test_only_changes_between_repetitions_lift_kappa_off_its_null(brain):
    lifted = {s for s, spectrum in brain.spectra.items() if at(spectrum.kappa, 50) > 1.8}
    assert lifted == {Scenario.FLOW, Scenario.MOVED}


def test_the_variance_of_a_correct_model_reaches_its_bound(brain):
    settled = brain.settling
    for std, bound in ((settled.std_cbf, settled.bound_cbf), (settled.std_att, settled.bound_att)):
        assert std[-1] == pytest.approx(bound[-1], rel=0.25)
    assert settled.bias_cbf[-1] < 0.2 * settled.std_cbf[-1]


def test_every_number_of_the_reference_has_one_of_ours(brain):
    quantities = [finding.quantity for finding in convergence_findings([brain])]
    # kappa, eigenvalues, with replacement, subsets of 4, 8 and 10, variance and bias
    assert len(quantities) == len(set(quantities)) == 7 + 4 + 2 + 3 + 4


def test_each_voxel_draws_its_own_repetitions():
    data = torch.arange(3.0).repeat_interleave(2).expand(200, -1)
    drawn = resample(data, 3, torch.Generator().manual_seed(0)).reshape(200, 3, 2)
    assert torch.equal(drawn[..., 0], drawn[..., 1])
    assert len(drawn[..., 0].unique(dim=0)) == 27
