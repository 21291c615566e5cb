"""Constants answer by field, and T1 of blood by red cells."""

import pytest

from aslprep_nn.constants import HEMATOCRIT, T1_BLOOD, at_field, t1_of_blood


@pytest.mark.parametrize(
    ('field', 'value'), [(0.55, 1.122), (1.494, 1.35), (2.89, 1.65), (7, 2.087)]
)
def test_a_field_near_a_nominal_one_takes_its_value(field, value):
    assert at_field(T1_BLOOD, field).value == value


@pytest.mark.parametrize('field', [0.064, 1.0, 2.0, 5.0, 9.4])
def test_a_field_near_no_nominal_one_takes_none(field):
    assert at_field(T1_BLOOD, field) is None


def test_typical_blood_at_3_t_has_the_usual_t1():
    assert t1_of_blood(HEMATOCRIT, 3.0) == pytest.approx(1.65, abs=0.01)


def test_blood_at_7_t_has_the_t1_measured_in_vivo():
    assert t1_of_blood(HEMATOCRIT, 7.0) == pytest.approx(T1_BLOOD[7.0].value, rel=0.03)


def test_the_rate_of_blood_grows_with_its_cells_as_measured_at_3_t():
    """Lu et al. (2004): .52 more per unit of hematocrit between .38 and .46, +- .15."""
    slope = (1 / t1_of_blood(0.46, 3.0) - 1 / t1_of_blood(0.38, 3.0)) / 0.08
    assert slope == pytest.approx(0.52, abs=0.15)
