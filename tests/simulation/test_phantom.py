import numpy as np
import pytest

from aslprep_nn.constants import T1_TISSUE
from aslprep_nn.simulation.phantom import draw_phantom


def median_in(values, fraction):
    return np.median(values[fraction > 0.99])


def test_gray_matter_is_perfused_three_times_as_much_as_white(phantom):
    assert median_in(phantom.cbf, phantom.anatomy.gray_matter) == pytest.approx(60, abs=3)
    assert median_in(phantom.cbf, phantom.anatomy.white_matter) == pytest.approx(20, abs=1)


def test_nothing_outside_tissue_is_perfused(phantom):
    tissue = phantom.anatomy.gray_matter + phantom.anatomy.white_matter
    assert (phantom.cbf[tissue <= 0] == 0).all()
    assert (phantom.cbf >= 0).all()


def test_blood_arrives_in_the_brain_within_the_range_a_protocol_can_see(phantom):
    att = phantom.att[phantom.anatomy.brain > 0.5]
    low, high = np.percentile(att, [1, 99])
    assert 0.6 < low < 0.9
    assert 1.3 < high < 1.8


def test_blood_arrives_later_in_white_matter_and_in_the_posterior_territory(phantom):
    anatomy = phantom.anatomy
    assert median_in(phantom.att, anatomy.white_matter) > 0.1 + median_in(
        phantom.att, anatomy.gray_matter
    )
    _, y, z = anatomy.coordinates
    gray = (anatomy.gray_matter > 0.9) & (abs(z) < 30)
    assert np.median(phantom.att[gray & (y < -75)]) > np.median(phantom.att[gray & (abs(y) < 20)])


def test_arrival_times_have_no_seams(phantom):
    steps = [np.abs(np.diff(phantom.att, axis=axis)).max() for axis in range(3)]
    assert max(steps) < 0.12


def test_gray_and_white_matter_share_the_t1_the_app_assumes_and_fluid_has_its_own(phantom):
    anatomy = phantom.anatomy
    assert median_in(phantom.t1, anatomy.gray_matter) == pytest.approx(T1_TISSUE.value, rel=0.01)
    assert median_in(phantom.t1, anatomy.white_matter) == pytest.approx(T1_TISSUE.value, rel=0.01)
    assert median_in(phantom.t1, anatomy.csf) > 3 * T1_TISSUE.value


def test_m0_varies_smoothly_over_the_head_as_a_coil_makes_it(phantom):
    m0 = phantom.m0[phantom.anatomy.white_matter > 0.99]
    assert 0.03 < m0.std() / m0.mean() < 0.3


def test_subjects_lie_differently_and_the_seed_decides_how(phantom):
    again, other = (draw_phantom(np.random.default_rng(seed)) for seed in (11, 6))
    np.testing.assert_array_equal(phantom.affine, again.affine)
    np.testing.assert_array_equal(phantom.att, again.att)
    assert np.abs(phantom.affine - other.affine).max() > 0.1
