"""Inversions leave what the Bloch equation says."""

import numpy as np
import pytest

from aslprep_nn.simulation.suppression import (
    SUPPRESSED_T1,
    remaining_magnetisation,
    suppression_pulses,
)


def test_without_pulses_tissue_recovers_from_saturation():
    t1 = np.array([0.8, 4.0])
    left = remaining_magnetisation(t1, (), np.asarray(3.0))
    np.testing.assert_allclose(left, 1 - np.exp(-3.0 / t1))


def test_one_inversion_at_the_null_leaves_nothing():
    # Recovered to m, inverted to -m, and back to zero after T1 ln(1 + m).
    t1 = np.array([1.3])
    recovered = 1 - np.exp(-1.0 / t1)
    null = t1 * np.log(1 + recovered)
    left = remaining_magnetisation(t1, (1.0,), 1.0 + null)
    np.testing.assert_allclose(left, 0, atol=1e-12)


@pytest.mark.parametrize('fraction', [0.1, 0.2, 0.3])
@pytest.mark.parametrize('readout', [2.05, 2.9, 3.8])
def test_two_pulses_leave_about_the_same_of_all_tissues(fraction, readout):
    pulses = suppression_pulses(fraction, readout)
    left = remaining_magnetisation(SUPPRESSED_T1, pulses, np.asarray(readout))
    assert np.abs(left - fraction).max() < 0.09
    assert left.mean() == pytest.approx(fraction, abs=0.03)


def test_nothing_is_suppressed_without_pulses():
    assert suppression_pulses(1.0, 3.0) == ()


def test_later_slices_have_recovered_further():
    pulses = suppression_pulses(0.1, 3.0)
    left = remaining_magnetisation(np.array([1.3]), pulses, 3.0 + np.array([0.0, 0.3, 0.7]))
    assert (np.diff(left) > 0.05).all()
