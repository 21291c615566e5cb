import numpy as np
import pytest
import torch
from voxels import SHORT_DELAYS, Population, measure, pcasl, rejected

from aslprep_nn.estimation.information import Covariance
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.misspecification.consistency import hausman, subset_consistency
from aslprep_nn.misspecification.subset_fit import Point
from aslprep_nn.misspecification.subsets import split

OPTIONS = {'slice_delay': None, 't1_tissue': None, 'kinetics': None, 'device': 'cpu'}


def point(cbf: float, att: float) -> Point:
    return Point(torch.tensor([cbf]).double(), torch.tensor([att]).double())


def bound_of(cbf: float, both: float, att: float) -> Covariance:
    return Covariance(*(torch.tensor([v], dtype=torch.float64) for v in (cbf, both, att)))


def test_hausman_is_the_distance_in_units_of_the_covariance():
    bounds = bound_of(9.0, 0.1, 0.01), bound_of(16.0, 0.2, 0.03)
    found = hausman((point(60, 1.0), point(50, 1.2)), bounds)
    distance = np.array([10, -0.2])
    expected = distance @ np.linalg.inv([[25, 0.3], [0.3, 0.04]]) @ distance
    assert float(found) == pytest.approx(expected)


def test_relative_differences_are_those_of_two_fits():
    acquisition = pcasl(repetitions=4)
    data = measure(acquisition, Population((60, 60), (1.25, 1.25), 0.001), n_voxels=20)
    whole = fit_cbf_att(data, acquisition)
    found = subset_consistency(data, acquisition, whole, **OPTIONS)
    early, late = (
        fit_cbf_att(data[:, half.measurements], half.acquisition) for half in split(acquisition)
    )
    for name, error in (('cbf', found.cbf_error), ('att', found.att_error)):
        values = (fit.parameters[name] for fit in (early, late, whole))
        expected = (next(values) - next(values)).abs() / next(values)
        torch.testing.assert_close(error.float(), expected, rtol=1e-3, atol=1e-4)


def test_the_smallest_p_values_of_correct_voxels_are_as_rare_as_they_say():
    """The squared distance itself would have p < .001 in two correct voxels of a thousand."""
    acquisition = pcasl(repetitions=4)
    data = measure(acquisition, Population((0, 150), (0, 2)), n_voxels=50_000)
    found = subset_consistency(data, acquisition, fit_cbf_att(data, acquisition), **OPTIONS)
    assert int(torch.isfinite(found.p).sum()) > 19_000
    assert 0.04 <= rejected(found.p) <= 0.06
    assert rejected(found.p, 0.001) < 0.0016
    assert rejected(torch.exp(-found.hausman / 2), 0.001) > 0.0018


def test_voxels_that_one_half_cannot_identify_are_not_compared():
    acquisition = pcasl(delays=SHORT_DELAYS, repetitions=8)
    data = measure(acquisition, Population((50, 70), (0.05, 0.2), 0.001), n_voxels=50)
    found = subset_consistency(data, acquisition, fit_cbf_att(data, acquisition), **OPTIONS)
    assert found.p.isnan().all()
    assert found.cbf_error.isnan().all()


def test_a_missing_measurement_weakens_the_comparison_of_its_own_voxel_only():
    acquisition = pcasl(repetitions=4)
    data = measure(acquisition, Population((60, 60), (1.25, 1.25)), n_voxels=20)
    whole = fit_cbf_att(data, acquisition)
    before = subset_consistency(data, acquisition, whole, **OPTIONS)
    data[3, 30:40] = torch.nan
    after = subset_consistency(data, acquisition, whole, **OPTIONS)
    others = torch.arange(20) != 3
    torch.testing.assert_close(after.hausman[others], before.hausman[others], rtol=1e-3, atol=1e-3)
    assert after.hausman[3] != before.hausman[3]


def test_a_wrong_labelling_duration_makes_early_and_late_delays_disagree():
    acquisition = pcasl(repetitions=10)
    truth = Population((60.0, 150.0), (0.9, 2.0))
    data = measure(pcasl(repetitions=10, duration=1.8), truth)
    found = subset_consistency(data, acquisition, fit_cbf_att(data, acquisition), **OPTIONS)
    assert rejected(found.p) > 0.55
