import numpy as np
import pytest

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.preprocessing.brightness import (
    brightest,
    darkest,
    late_delta_m,
    mean_of_present,
)

ACQUISITION = Acquisition(LabelingType.PCASL, (0.5, 1.0, 1.5, 2.0), (1.8,) * 4, 0.85)


def test_only_the_later_half_of_the_delays_counts():
    assert late_delta_m(np.array([[9.0, 9.0, 1.0, 3.0]]), ACQUISITION) == pytest.approx([2.0])


def test_missing_measurements_do_not_count():
    assert mean_of_present(np.array([[1.0, np.nan, 3.0], [np.nan] * 3])).tolist() == [2.0, 0.0]


def test_the_brightest_and_the_darkest_share_are_found():
    signal = np.arange(10.0)
    assert brightest(signal, 0.2).nonzero()[0].tolist() == [8, 9]
    assert darkest(signal, 0.2).nonzero()[0].tolist() == [0, 1]


def test_no_voxels_have_no_brightest():
    assert brightest(np.zeros(0), 0.5).tolist() == []
