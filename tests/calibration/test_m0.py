"""Calibration turns scanner units into fractions of M0."""

import numpy as np
import pytest

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.calibration.m0 import (
    NOMINAL_RELATIVE_SIGNAL,
    equilibrium_magnetisation,
    recovered_fraction,
    relative_to_brain,
    relative_to_m0,
)
from aslprep_nn.calibration.slice_timing import slice_delay

MASK = np.array([True, True, True, False]).reshape(4, 1, 1)


def test_recovery_after_one_t1_is_1_minus_1_over_e():
    assert recovered_fraction(1.3, 1.3) == pytest.approx(1 - np.exp(-1))


def test_recovery_is_complete_after_a_long_time():
    assert recovered_fraction(30.0, 1.2) == pytest.approx(1)


@pytest.mark.parametrize('repetition_time', [0.0, -1.0, float('nan')])
def test_a_repetition_time_that_makes_m0_infinite_is_refused(repetition_time):
    with pytest.raises(ValueError, match='repetition time'):
        recovered_fraction(repetition_time, 1.2)


def test_m0_is_the_mean_of_volumes_each_corrected_for_its_own_recovery():
    times = [1.0, 2.5, 6.0]
    recovered = np.array([recovered_fraction(time, 1.2) for time in times])
    volumes = 800.0 * recovered * np.ones((2, 1, 1, 3))
    np.testing.assert_allclose(equilibrium_magnetisation(volumes, recovered), 800.0)


def test_the_scale_multiplies_m0():
    volumes = np.full((1, 1, 1, 1), 10.0)
    np.testing.assert_allclose(equilibrium_magnetisation(volumes, np.ones(1), 3.0), 30.0)


def test_voxels_without_m0_are_nan_and_not_zero():
    delta_m = np.full((4, 1, 1, 2), 5.0)
    m0 = np.array([1000.0, 0.0, np.nan, 1000.0]).reshape(4, 1, 1)
    relative = relative_to_m0(delta_m, m0, MASK)
    np.testing.assert_allclose(relative[0], 0.005)
    assert np.isnan(relative[1:]).all()


def test_without_m0_the_brain_mean_is_nominal_whatever_the_units():
    delta_m = np.arange(8.0).reshape(4, 1, 1, 2) + 1
    for units in (1.0, 1e4):
        relative = relative_to_brain(delta_m * units, MASK)
        assert np.nanmean(relative) == pytest.approx(NOMINAL_RELATIVE_SIGNAL)
        assert np.isnan(relative[~MASK]).all()


def test_the_slice_delay_grows_along_the_slice_axis_only():
    acquisition = Acquisition(
        LabelingType.PCASL, (1.8,), (1.8,), 0.85, slice_times=(0.0, 0.5, 1.0), slice_axis=1
    )
    delay = slice_delay(acquisition, (2, 3, 4))
    np.testing.assert_array_equal(delay[0, :, 0], [0.0, 0.5, 1.0])
    assert (delay == delay[:1, :, :1]).all()


def test_a_3d_readout_has_no_slice_delay():
    acquisition = Acquisition(LabelingType.PCASL, (1.8,), (1.8,), 0.85)
    assert not slice_delay(acquisition, (2, 3, 4)).any()
