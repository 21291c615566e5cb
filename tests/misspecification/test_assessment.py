"""The gates: rates of false alarms, power, and what the tests must not react to."""

import pytest
from voxels import measure, pcasl, rejected

from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.misspecification.assessment import Assessment, assess

CALIBRATED = ('pnoise', 'ptrace', 'pmodel', 'pdecay', 'ptau', 'pdispersion')


def assessed(acquisition, data, expected_cbf: float = 60.0, **options) -> Assessment:
    fit = fit_cbf_att(data, acquisition, expected_cbf=expected_cbf)
    return assess(data, acquisition, fit, **options)


@pytest.fixture(scope='module')
def null() -> Assessment:
    acquisition = pcasl(repetitions=8)
    return assessed(acquisition, measure(acquisition, n_voxels=12000))


@pytest.mark.parametrize('name', CALIBRATED)
def test_a_correct_voxel_is_rejected_at_the_nominal_rate(null, name):
    assert 0.04 <= rejected(null.statistics[name]) <= 0.06


def test_half_of_correct_voxels_have_the_kappa_of_the_exact_null(null):
    assert float(null.statistics['kappa'].nanmedian()) == pytest.approx(2.66, abs=0.05)
