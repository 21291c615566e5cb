"""Rician noise, as magnitude images have it: on control and label, or on their difference."""

from __future__ import annotations

import math
from enum import StrEnum

import torch
from torch import Tensor

#: Signal of static tissue in control images over M0: no background suppression.
STATIC_TISSUE = 1.0


class Magnitude(StrEnum):
    """Which image was reconstructed as a magnitude (Gudbjartsson & Patz 1995)."""

    #: Control and label each; delta M is their difference, and close to normal.
    CONTROL_AND_LABEL = 'control and label'
    #: Delta M itself, which is then never negative: the literal reading of the paper.
    DIFFERENCE = 'delta M'

    def of(self, signal: Tensor, noise: float, generator: torch.Generator) -> Tensor:
        """Measure differences whose noise has a standard deviation of ``noise``.

        Parameters
        ----------
        signal
            delta M / M0, any shape.
        noise
            Of one difference [delta M / M0].
        generator
            Of the noise.
        """
        if self is Magnitude.DIFFERENCE:
            return _magnitude(signal, noise, generator)
        control = torch.full_like(signal, STATIC_TISSUE)
        part = noise / math.sqrt(2)
        measured = _magnitude(control, part, generator)
        return measured - _magnitude(control - signal, part, generator)


def _magnitude(signal: Tensor, noise: float, generator: torch.Generator) -> Tensor:
    real, imaginary = (
        noise * torch.randn(signal.shape, generator=generator, dtype=torch.float64)
        for _ in range(2)
    )
    return torch.hypot(signal + real, imaginary)
