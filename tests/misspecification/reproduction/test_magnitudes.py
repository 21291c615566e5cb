"""Rician noise."""

import pytest
import torch

from aslprep_nn.misspecification.reproduction.magnitudes import Magnitude


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_magnitudes_of_control_and_label_leave_the_difference_unbiased():
    signal = torch.full((40000,), 0.001, dtype=torch.float64)
    noisy = Magnitude.CONTROL_AND_LABEL.of(signal, 0.002, generator())
    assert float(noisy.mean()) == pytest.approx(0.001, abs=5e-5)
    assert float(noisy.std()) == pytest.approx(0.002, rel=0.02)


def test_the_magnitude_of_a_difference_is_never_negative_and_biased_upwards():
    signal = torch.zeros(40000, dtype=torch.float64)
    noisy = Magnitude.DIFFERENCE.of(signal, 0.002, generator())
    assert float(noisy.min()) >= 0
    # Rayleigh: sigma sqrt(pi / 2)
    assert float(noisy.mean()) == pytest.approx(0.002 * 1.2533, rel=0.02)
