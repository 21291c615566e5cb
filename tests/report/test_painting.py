"""Colours say what the numbers say."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from aslprep_nn.maps import FitStatus
from aslprep_nn.misspecification.multiplicity import VoxelClass
from aslprep_nn.report.painting import (
    ATT,
    BELOW_ZERO,
    CBF,
    CLASSES,
    NO_ESTIMATE,
    PLATE,
    RELATIVE_CBF,
    RELATIVE_SD,
    STATUS,
    Scale,
    paint,
    paint_labels,
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


@pytest.mark.parametrize(
    ('labels', 'shown'),
    [(STATUS, set(FitStatus) - {FitStatus.OUTSIDE}), (CLASSES, set(VoxelClass))],
    ids=['status', 'classes'],
)
def test_every_label_has_a_colour_of_its_own_and_a_word(labels, shown):
    assert set(labels.colors) == set(labels.words) == shown
    assert len(set(labels.colors.values())) == len(shown)
    assert labels.expected in shown
    plane = np.array([[int(label) for label in shown]])
    picture = paint_labels(plane, np.ones_like(plane, dtype=bool), labels.colors)
    for index, label in enumerate(shown):
        assert tuple(picture[0, index]) == pytest.approx(to_rgb(labels.colors[label]))


def test_a_voxel_without_a_class_is_striped_and_outside_there_is_only_plate():
    plane = np.full((40, 40), np.nan)
    inside = np.ones((40, 40), dtype=bool)
    colors = {tuple(color) for color in paint_labels(plane, inside, CLASSES.colors).reshape(-1, 3)}
    assert colors == {to_rgb(grey) for grey in NO_ESTIMATE}
    assert np.allclose(paint_labels(plane, ~inside, CLASSES.colors), to_rgb(PLATE))


def test_classes_differ_in_lightness_or_blueness_whatever_the_colour_vision():
    """Red and green look alike to some: what is left must tell the classes apart."""
    seen = [(lightness(rgb), rgb[2]) for rgb in map(to_rgb, CLASSES.colors.values())]
    for index, one in enumerate(seen):
        for other in seen[index + 1 :]:
            assert np.abs(np.subtract(one, other)).max() > 0.1


def test_only_what_lies_above_a_threshold_has_a_colour():
    scale = Scale('p', 0, 4, 'inferno', start=0.55, threshold=2.0)
    for value, is_grey in ((0.5, True), (1.9, True), (2.1, False), (6.0, False)):
        assert (np.ptp(painted(value, scale)) < 1e-6) == is_grey
    everything = Scale('p', 0, 4, 'inferno', threshold=5.0)
    assert np.ptp(painted(4.0, everything)) < 1e-6
