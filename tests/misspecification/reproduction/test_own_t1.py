"""Figure 4 on few voxels."""

import numpy as np
import pytest

from aslprep_nn.misspecification.reproduction.own_t1 import own_t1_evidence, own_t1_maps
from aslprep_nn.misspecification.reproduction.phantoms import kidney_slice


@pytest.fixture(scope='module')
def evidence():
    return own_t1_evidence(2500, 0)


def test_kappa_does_not_move_when_t1_is_corrected(evidence):
    rows = evidence[0].rows
    for before, after in (rows[:2], rows[2:]):
        assert after['median kappa'] == pytest.approx(before['median kappa'], abs=0.35)


def test_the_lack_of_fit_is_mended_by_the_true_t1(evidence):
    for row in evidence[0].rows:
        share = float(row['lack of fit'])
        assert share > 0.8 if row['fitted with'] == 'one T1 for all' else share < 0.11


def test_maps_before_and_after_differ_only_in_the_brightest_voxels():
    maps = own_t1_maps(kidney_slice(0), 0)
    before, after = maps.before['pmodel'], maps.after['pmodel']
    changed = (before != after)[np.isfinite(before)]
    assert changed.mean() == pytest.approx(0.1, rel=0.1)


def test_the_t1_of_the_brightest_is_found_without_knowing_it(evidence):
    found = [finding for finding in evidence[1] if 'T1 found' in finding.quantity]
    assert [finding.reference for finding in found] == pytest.approx([1.44, 1.68])
    for finding in found:
        assert finding.ours == pytest.approx(finding.reference, rel=0.05)
