"""The mask holds the brain and little else."""

import numpy as np
import pytest

from aslprep_nn.errors import ImageError
from aslprep_nn.preprocessing.mask import brain_mask, difference_mask

AFFINE = np.diag([4.0, 4.0, 5.0, 1.0])


@pytest.fixture
def head() -> tuple[np.ndarray, np.ndarray]:
    """Return an image of brain, scalp and air, and where its brain is."""
    rng = np.random.default_rng(0)
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (48, 48, 24)), indexing='ij')
    radius = np.sqrt((x / 0.75) ** 2 + (y / 0.85) ** 2 + (z / 0.9) ** 2)
    brain = radius < 0.8
    scalp = (radius > 0.95) & (radius < 1.02)
    image = 5 + 100 * brain + 60 * scalp + rng.normal(0, 3, brain.shape)
    return image, brain


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def test_the_mask_of_an_epi_image_is_its_brain(head):
    image, brain = head
    assert dice(brain_mask(image, AFFINE), brain) > 0.94


def test_the_mask_of_differences_is_where_they_fluctuate(head):
    _, brain = head
    noise = np.random.default_rng(1).normal(0, 1, (*brain.shape, 12))
    assert dice(difference_mask(noise * np.where(brain, 5, 1)[..., None], AFFINE), brain) > 0.9


def test_coarse_voxels_do_not_lose_the_brain(head):
    image, _ = head
    coarse = image.reshape(12, 4, 12, 4, 6, 4).mean(axis=(1, 3, 5))
    assert brain_mask(coarse, np.diag([16.0, 16.0, 20.0, 1.0])).sum() > 50


@pytest.mark.parametrize('make', [
    lambda: brain_mask(np.zeros((12, 12, 8)), AFFINE),
    lambda: difference_mask(np.zeros((12, 12, 8, 3)), AFFINE),
])  # fmt: skip
def test_an_image_of_nothing_has_no_brain_and_says_so(make):
    with pytest.raises(ImageError, match='brain mask is empty'):
        make()
