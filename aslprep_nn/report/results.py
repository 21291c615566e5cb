"""What one finished run hands to its report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.maps import FloatArray, ParameterMap
from aslprep_nn.misspecification.summary import TrustSummary
from aslprep_nn.quality.tissue import Tissue
from aslprep_nn.run import Estimation, PlanRow
from aslprep_nn.settings import Estimator, Organ


@dataclass(frozen=True)
class Trust:
    """What the tests of noise and model found in one run.

    Parameters
    ----------
    maps
        The statistics by the names of `misspecification.assessment.NAMES`, ``(x, y, z)``; NaN
        where they could not be computed.
    classes
        `VoxelClass` codes, ``(x, y, z)``; NaN outside the brain and where nothing was tested.
    summary
        The numbers beside the maps, every CBF in the unit of the CBF map.
    """

    maps: Mapping[str, FloatArray]
    classes: FloatArray
    summary: TrustSummary


@dataclass(frozen=True)
class RunResults:
    """Everything the report of one ASL run shows, as arrays and facts.

    Parameters
    ----------
    name
        The run, as in its file names: ``sub-01_ses-a_run-1``.
    plan
        Label type, delays, constants, M0 route: what was done and why.
    acquisition
        The perfusion protocol, one entry per measurement.
    affine
        Voxel to world, RAS [mm].
    reference, mask
        The image all volumes were aligned to and the voxels taken as brain, ``(x, y, z)``.
    relative_delta_m
        delta M / M0, or delta M over its own brain mean where there is no M0,
        ``(x, y, z, measurement)``.
    maps
        ``cbf`` always; ``att``, ``std_cbf``, ``std_att`` where they were estimated.
    status
        `FitStatus` of every voxel, ``(x, y, z)``.
    confounds
        One row per raw volume: ``volume_type``, ``trans_x`` … ``trans_z`` [mm], ``rot_x`` …
        ``rot_z`` [rad], ``framewise_displacement`` [mm] (NaN for the first of its type);
        None where motion could not be estimated (only differences were given).
    has_m0
        False where CBF is relative: 1 is the brain's median.
    model_cbf_per_unit
        What the CBF map is multiplied with to stand in the units of the kinetic model
        [mL/100 g/min]; 1 where CBF is absolute.
    m0
        Equilibrium magnetisation of tissue on the same grid, ``(x, y, z)`` [scanner units]; None
        where there is none.
    trust
        What the tests of noise and model found; None where they were not made.
    tissue
        Where grey matter, white matter and fluid are; None without an anatomical image.
    control_over_m0
        Median of the brain of control over M0; None where one is lacking.
    white_over_fluid
        M0 of blood as white matter gives it over that of fluid; None where one is lacking.
    is_suppressed
        True where the background was suppressed; None where that is not stated.
    template_dice
        Dice overlap of the mask with the brain of the template [1]; NaN where it is not known.
    organ
        What was imaged.
    estimation
        Which estimators served the run; ``maps`` and ``status`` are those of the primary one.
    others
        The maps of the estimators beside it, in its units.
    notes
        What the reader must know, each a sentence.
    provenance
        Version, command, seed, device, … in the order they are shown.
    """

    name: str
    plan: tuple[PlanRow, ...]
    acquisition: Acquisition
    affine: FloatArray
    reference: FloatArray
    mask: NDArray[np.bool_]
    relative_delta_m: FloatArray
    maps: Mapping[str, ParameterMap]
    status: NDArray[np.integer]
    confounds: pd.DataFrame | None
    has_m0: bool = True
    model_cbf_per_unit: float = 1.0
    m0: FloatArray | None = None
    trust: Trust | None = None
    tissue: Tissue | None = None
    control_over_m0: float | None = None
    white_over_fluid: float | None = None
    is_suppressed: bool | None = None
    template_dice: float = math.nan
    organ: Organ = Organ.BRAIN
    estimation: Estimation = field(default_factory=Estimation)
    others: Mapping[Estimator, Mapping[str, ParameterMap]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
