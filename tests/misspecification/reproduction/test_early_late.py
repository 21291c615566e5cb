"""Figures 2 and 3 on few voxels."""

import numpy as np
import pytest

from aslprep_nn.misspecification.reproduction.early_late import (
    scatter,
    scatter_findings,
    scatter_table,
    subset_findings,
    subset_maps,
)
from aslprep_nn.misspecification.reproduction.phantoms import kidney_slice
from aslprep_nn.misspecification.reproduction.scenarios import KIDNEY, Scenario


@pytest.fixture(scope='module')
def kidney():
    return scatter(KIDNEY, 250, 0)


def test_variance_falls_with_repetitions_and_stays_near_the_bound(kidney):
    for (key, half), bound in kidney.bound.items():
        variance = kidney.variance[key, half, Scenario.CORRECT]
        assert variance[0] > 2 * variance[-1]
        assert variance[-1] == pytest.approx(bound[-1], rel=0.25)


def test_a_flow_that_changes_lifts_the_variance_of_cbf_off_its_bound(kidney):
    (row,) = [row for row in scatter_table([kidney]).rows if row['truth'] == str(Scenario.FLOW)]
    assert row['CBF early'] > 2
    assert row['ATT early'] < 1.5


def test_the_bound_is_compared_in_every_half_and_parameter(kidney):
    assert len(list(scatter_findings([kidney]))) == 4


def test_maps_have_the_shape_of_the_slice_and_differences_are_relative():
    slice_ = kidney_slice(0)
    row = subset_maps(slice_, Scenario.CORRECT, 0)
    assert all(values.shape == slice_.inside.shape for values in row.maps.values())
    assert np.isnan(row.maps['cbf early'][~slice_.inside]).all()
    assert 0.01 < row.cbf_error < 0.2
    assert row.title == 'kidney, correct model'


def test_level_and_power_of_early_against_late_are_compared():
    quantities = [finding.quantity for finding in subset_findings(300, 0)]
    assert sum('false alarms' in quantity for quantity in quantities) == 2
    assert sum('labelling 1.8 s' in quantity for quantity in quantities) == 2
