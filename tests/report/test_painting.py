"""Colours say what the numbers say."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from aslprep_nn.maps import FitStatus
from aslprep_nn.report.painting import (
    ATT,
    BELOW_ZERO,
    CBF,
    NO_ESTIMATE,
    PLATE,
    RELATIVE_CBF,
    RELATIVE_SD,
    STATUS_COLORS,
    STATUS_WORDS,
    paint,
    paint_status,
)


def painted(value, scale=CBF):
    return paint(np.full((1, 1), value), np.ones((1, 1), dtype=bool), scale)[0, 0]


def lightness(color):
    return float(np.dot([0.2126, 0.7152, 0.0722], np.asarray(color) ** 2.2))


def test_scales_are_fixed_so_that_subjects_can_be_compared():
    ends = {scale.label.split(' [')[0]: (scale.low, scale.high)
            for scale in (CBF, RELATIVE_CBF, ATT, RELATIVE_SD)}  # fmt: skip
    assert list(ends.values()) == [(0, 100), (0, 2), (0, 3), (0, 100)]


@pytest.mark.parametrize('scale', [CBF, ATT, RELATIVE_SD], ids=['cbf', 'att', 'sd'])
def test_more_is_brighter(scale):
    values = np.linspace(scale.low, scale.high, 20)
    shades = [lightness(painted(value, scale)) for value in values]
    assert shades == sorted(shades)


def test_a_voxel_without_an_estimate_is_striped_grey():
    picture = paint(np.full((40, 40), np.nan), np.ones((40, 40), dtype=bool), CBF)
    colors = {tuple(color) for color in picture.reshape(-1, 3)}
    assert colors == {to_rgb(grey) for grey in NO_ESTIMATE}


def test_no_value_is_painted_like_the_plate_or_like_a_missing_estimate():
    others = {to_rgb(PLATE), *(to_rgb(grey) for grey in NO_ESTIMATE)}
    for value in np.linspace(-20, 150, 300):
        assert min(np.abs(np.subtract(painted(value), other)).max() for other in others) > 0.05


def test_cbf_below_zero_has_a_colour_of_its_own():
    assert tuple(painted(-1.0)) == pytest.approx(to_rgb(BELOW_ZERO))
    assert tuple(painted(0.0)) != pytest.approx(to_rgb(BELOW_ZERO))


def test_outside_the_mask_there_is_only_plate():
    mask = np.zeros((2, 2), dtype=bool)
    assert np.allclose(paint(np.full((2, 2), 50.0), mask, CBF), to_rgb(PLATE))


def test_every_status_has_a_colour_and_a_word():
    inside = set(FitStatus) - {FitStatus.OUTSIDE}
    assert set(STATUS_COLORS) == set(STATUS_WORDS) == inside
    assert len(set(STATUS_COLORS.values())) == len(inside)
    labels = np.array([[int(status) for status in inside]])
    picture = paint_status(labels, np.ones_like(labels, dtype=bool))
    for index, status in enumerate(inside):
        assert tuple(picture[0, index]) == pytest.approx(to_rgb(STATUS_COLORS[status]))
