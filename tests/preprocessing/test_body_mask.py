"""An abdomen is what is not air, however dim."""

import numpy as np
import pytest

from aslprep_nn.errors import ImageError
from aslprep_nn.preprocessing.mask import body_mask


def test_tissue_far_from_the_coil_is_kept_and_air_is_not():
    rng = np.random.default_rng(5)
    image = np.abs(rng.normal(0, 2, (20, 20, 4)))
    body = np.zeros(image.shape, dtype=bool)
    body[3:17, 3:17] = True
    image[body] = 200 * np.linspace(1, 0.2, 14).repeat(14 * 4)
    found = body_mask(image)
    assert (found == body).mean() > 0.97
    assert found[body].mean() > 0.97


def test_parts_that_touch_nothing_are_kept():
    image = np.full((20, 20, 4), 0.5)
    image[2:6, 2:6], image[12:16, 12:16] = 100, 80
    assert body_mask(image).sum() == 2 * 4 * 4 * 4


def test_an_image_of_nothing_is_refused():
    with pytest.raises(ImageError, match='empty'):
        body_mask(np.zeros((8, 8, 4)))
