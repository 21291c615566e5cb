import pytest

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.testability import TrustTest, possible_tests

NOISE, FIT, ASSUMPTIONS, HALVES = TrustTest


@pytest.mark.parametrize(
    ('plds', 'n_repetitions', 'expected'),
    [
        ((1.8,), 30, ()),
        ((1.0, 2.0), 1, ()),
        ((1.0, 2.0), 3, (NOISE,)),
        ((0.5, 1.0, 1.5), 2, (FIT,)),
        ((0.5, 1.0, 1.5), 3, (NOISE, FIT)),
        ((0.5, 1.0, 1.5), 4, (NOISE, FIT, ASSUMPTIONS)),
        ((0.5, 1.0, 1.5, 2.0), 1, (HALVES,)),
        ((0.5, 1.0, 1.5, 2.0), 8, (NOISE, FIT, ASSUMPTIONS, HALVES)),
    ],
)
def test_a_protocol_allows_the_tests_it_has_timings_and_repetitions_for(
    plds, n_repetitions, expected
):
    measured = plds * n_repetitions
    acquisition = Acquisition(LabelingType.PCASL, measured, (1.8,) * len(measured), 0.85)
    assert possible_tests(acquisition) == expected


def test_the_rarest_timing_decides_on_repetitions():
    plds = (0.5, 1.0, 1.5) * 4 + (2.0,)
    acquisition = Acquisition(LabelingType.PCASL, plds, (1.8,) * len(plds), 0.85)
    assert possible_tests(acquisition) == (FIT, HALVES)
