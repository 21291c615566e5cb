"""Splines in torch read what scipy reads."""

import numpy as np
import torch
from scipy import ndimage

from aslprep_nn.preprocessing.splines import FWHM_PER_SIGMA, read_splines, smooth_coefficients


def test_values_between_voxels_are_those_of_scipy_each_volume_at_its_own_points():
    rng = np.random.default_rng(0)
    volumes = rng.random((2, 12, 11, 10))
    points = rng.uniform(2, 7, (2, 3, 40))
    splines = smooth_coefficients(volumes, np.diag([3.0, 3.0, 4.0, 1.0]), fwhm=6.0)
    found = read_splines(splines, torch.from_numpy(points).float())
    sigma = 6.0 / FWHM_PER_SIGMA / np.array([3, 3, 4])
    for index in range(2):
        smooth = ndimage.gaussian_filter(volumes[index], sigma, mode='nearest')
        expected = ndimage.map_coordinates(smooth, points[index], order=3, mode='mirror')
        np.testing.assert_allclose(found[index], expected, atol=2e-6)


def test_points_outside_are_read_at_the_border():
    ramp = np.broadcast_to(np.arange(10.0)[:, None, None], (10, 10, 10))
    splines = smooth_coefficients(ramp[None], np.eye(4), fwhm=0.1)
    outside = torch.tensor([[-50.0, 60.0], [5.0, 5.0], [5.0, 5.0]]).unsqueeze(0)
    found = read_splines(splines, outside)
    np.testing.assert_allclose(found, [[1.0, 8.0]], atol=0.3)
