"""What a finished run shows of itself, without knowing the truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.maps import FloatArray
from aslprep_nn.preprocessing.brightness import GREY_MATTER_SHARE, brightest, late_delta_m
from aslprep_nn.settings import Organ

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class MeasuredRun:
    """One run as the gates of plausibility see it.

    Parameters
    ----------
    acquisition
        The protocol, one entry per measurement.
    affine
        Voxel to world, RAS [mm].
    mask
        The brain, ``(x, y, z)``.
    relative_delta_m
        delta M / M0, ``(x, y, z, measurement)`` [1]; in any unit where there is no M0.
    cbf
        ``(x, y, z)`` [mL/100 g/min]; in any unit where there is no M0.
    status
        `FitStatus` of every voxel, ``(x, y, z)``.
    slice_delay
        Time of each voxel after the first slice, ``(x, y, z)`` [s].
    has_m0
        False where CBF is relative.
    has_label_and_control
        False where only differences were given.
    framewise_displacement
        Of each volume [mm], NaN for the first of its type; None where it is not known.
    control_over_m0
        Median of the brain of control over M0; None where one is lacking.
    white_over_fluid
        M0 of blood as white matter gives it over that of fluid; None where one is lacking.
    is_suppressed
        True where the background was suppressed; None where that is not stated.
    organ
        What was imaged.
    """

    acquisition: Acquisition
    affine: FloatArray
    mask: BoolArray
    relative_delta_m: FloatArray
    cbf: FloatArray
    status: NDArray[np.integer]
    slice_delay: FloatArray
    has_m0: bool = True
    has_label_and_control: bool = True
    framewise_displacement: FloatArray | None = None
    control_over_m0: float | None = None
    white_over_fluid: float | None = None
    is_suppressed: bool | None = None
    organ: Organ = Organ.BRAIN

    @property
    def is_brain(self) -> bool:
        """False for another organ, whose flow and arteries the gates know little of."""
        return self.organ is Organ.BRAIN

    @cached_property
    def late(self) -> FloatArray:
        """delta M of each brain voxel at the later delays, ``(voxel,)``."""
        return late_delta_m(self.relative_delta_m[self.mask], self.acquisition)

    @cached_property
    def grey(self) -> BoolArray:
        """The third of the brain with the strongest late delta M, ``(voxel,)``."""
        return brightest(self.late, GREY_MATTER_SHARE)

    @cached_property
    def grey_cbf(self) -> float:
        """Median CBF of these voxels; NaN where none has a CBF."""
        values = self.cbf[self.mask][self.grey]
        finite = values[np.isfinite(values)]
        return float(np.median(finite)) if finite.size else float('nan')
