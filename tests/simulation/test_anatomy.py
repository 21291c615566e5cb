import numpy as np
import pytest
from nilearn.datasets import load_mni152_brain_mask
from scipy import ndimage

from aslprep_nn.simulation.anatomy import (
    DEFORMATION,
    VOXEL_SIZE,
    individual_anatomy,
    smooth_random_field,
    template_anatomy,
)

TISSUES = ('gray_matter', 'white_matter', 'csf', 'scalp')


def rng(seed=0):
    return np.random.default_rng(seed)


def millilitres(fraction):
    return fraction.sum() * VOXEL_SIZE**3 / 1000


@pytest.mark.parametrize('kind', ['template', 'individual'])
def test_fractions_are_fractions_and_never_fill_more_than_the_voxel(kind, phantom):
    anatomy = template_anatomy() if kind == 'template' else phantom.anatomy
    fractions = np.stack([getattr(anatomy, tissue) for tissue in TISSUES])
    assert fractions.min() >= -1e-6
    assert fractions.sum(axis=0).max() <= 1 + 1e-5


def test_averaging_the_template_keeps_its_brain_volume_and_place():
    anatomy = template_anatomy()
    mask = load_mni152_brain_mask(resolution=1, threshold=0.2)
    inside = ndimage.binary_fill_holes(mask.get_fdata() > 0)
    assert millilitres(anatomy.brain) == pytest.approx(inside.sum() / 1000, rel=1e-6)
    centre = np.array(ndimage.center_of_mass(inside)) + mask.affine[:3, 3]
    coarse_centre = (anatomy.coordinates * anatomy.brain).sum(axis=(1, 2, 3)) / anatomy.brain.sum()
    np.testing.assert_allclose(coarse_centre, centre, atol=0.02)


def test_tissue_volumes_are_those_of_a_human_brain():
    anatomy = template_anatomy()
    assert 600 < millilitres(anatomy.gray_matter) < 1200
    assert 400 < millilitres(anatomy.white_matter) < 800


def test_partial_volume_is_kept():
    gray = template_anatomy().gray_matter
    assert ((gray > 0.1) & (gray < 0.9)).sum() > 0.1 * (gray > 0.1).sum()


def test_a_dark_skull_lies_between_the_fluid_around_the_brain_and_the_scalp():
    anatomy = template_anatomy()
    z = round(-anatomy.affine[2, 3] / VOXEL_SIZE) + 15
    y = round(-anatomy.affine[1, 3] / VOXEL_SIZE)
    filled = sum(getattr(anatomy, tissue) for tissue in TISSUES)[:, y, z]
    scalp = np.flatnonzero(anatomy.scalp[:, y, z] > 0.5)
    brain = np.flatnonzero(anatomy.brain[:, y, z] > 0.5)
    rim = filled[scalp[0] : brain[0]]
    assert scalp[0] < brain[0]
    assert rim[0] > 0.9
    assert rim.min() < 0.1
    assert rim[-1] > 0.9


def test_no_brain_is_symmetric_and_no_two_are_alike_unless_the_seed_is(phantom):
    first, again = phantom.anatomy, individual_anatomy(rng(11))
    other = individual_anatomy(rng(2))
    np.testing.assert_array_equal(first.gray_matter, again.gray_matter)
    assert np.abs(first.gray_matter - other.gray_matter).mean() > 0.005
    assert np.abs(first.gray_matter - template_anatomy().gray_matter).mean() > 0.005


def test_bending_moves_tissue_but_makes_none(phantom):
    bent, template = phantom.anatomy, template_anatomy()
    assert millilitres(bent.brain) == pytest.approx(millilitres(template.brain), rel=0.05)
    changed = (bent.brain > 0.5) ^ (template.brain > 0.5)
    distance = ndimage.distance_transform_edt(template.brain <= 0.5) * VOXEL_SIZE
    assert distance[changed].max() < 5 * DEFORMATION


def test_a_random_field_has_zero_mean_and_unit_variance_and_the_width_asked_for():
    narrow, wide = (smooth_random_field((60, 60, 60), width, rng()) for width in (4.0, 12.0))
    for field in (narrow, wide):
        assert field.mean() == pytest.approx(0, abs=1e-4)
        assert field.std() == pytest.approx(1, abs=1e-4)
    # The autocorrelation of smoothed white noise is exp(-d^2 / 4 w^2).
    shift = 3
    expected = np.exp(-((shift * VOXEL_SIZE) ** 2) / (4 * 4.0**2))
    found = (narrow * np.roll(narrow, shift, axis=0)).mean()
    assert found == pytest.approx(expected, abs=0.03)
    assert (wide * np.roll(wide, shift, axis=0)).mean() > found
