"""Where there is no M0, a control is aligned to, and their mean is shown."""

import numpy as np

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.preprocessing.reference import mean_control, sharpest_control

C, L = VolumeType.CONTROL, VolumeType.LABEL


def test_the_brightest_control_is_what_others_are_aligned_to():
    series = np.ones((2, 2, 2, 4)) * [3.0, 9.0, 5.0, 4.0]
    series[0, 0, 0] = np.nan
    np.testing.assert_array_equal(sharpest_control(series, [C, L, C, L]), series[..., 2])


def test_the_mean_is_of_controls_alone_and_of_what_was_measured():
    series = np.ones((2, 2, 2, 4)) * [3.0, 9.0, 5.0, 4.0]
    series[0, 0, 0, 0] = np.nan
    mean = mean_control(series, [C, L, C, L])
    assert mean[1, 1, 1] == 4.0
    assert mean[0, 0, 0] == 5.0
