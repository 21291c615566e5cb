"""What errors amount to: per tissue, per phantom, and with intervals over phantoms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.evaluation.conditions import Condition
from aslprep_nn.evaluation.estimators import Estimates, Family, Key, middle_slices
from aslprep_nn.evaluation.phantoms import MIDDLE, Phantoms
from aslprep_nn.network.targets import target_of
from aslprep_nn.simulation.training import TrainingBatch

#: A voxel belongs to a tissue that fills this share of it; to the boundary if none does.
TISSUE_FRACTION = 0.7
#: Half widths of the intervals that hold 68 and 95 % of a normal distribution [sd].
HALF_68, HALF_95 = 0.99446, 1.95996
N_BOOTSTRAP, LEVEL = 1000, 0.95


class Parameter(IntEnum):
    """What is estimated."""

    CBF = 0
    ATT = 1


class Region(IntEnum):
    """Where errors are pooled."""

    BRAIN = 0
    GRAY_MATTER = 1
    WHITE_MATTER = 2
    BOUNDARY = 3
    LESION = 4

    @property
    def words(self) -> str:
        """For people."""
        return ('brain', 'grey matter', 'white matter', 'boundary', 'lesion')[self]


class _Sum(IntEnum):
    """What is summed over the voxels of a region, averaged over draws of the noise."""

    N = 0
    ERROR = 1
    ABSOLUTE = 2
    SQUARE = 3
    #: Product of the errors of two draws, whose expectation is the squared bias, per bound.
    PRODUCT_PER_BOUND = 4
    SQUARE_PER_BOUND = 5
    WITHIN_68 = 6
    WITHIN_95 = 7
    #: Voxels with a predictive interval.
    STATED = 8
    MISSING = 9


class Score(NamedTuple):
    """Errors in one region, pooled over phantoms.

    Parameters
    ----------
    n
        Voxels.
    bias, mae, rmse
        Mean, mean absolute and root mean square error [mL/100 g/min or s].
    bias_per_bound
        Root mean square of each voxel's own bias over its Cramér-Rao standard deviation [1].
    loss
        Mean squared error over the bound: 1 for an efficient unbiased estimator [1].
    within_68, within_95
        Share of voxels whose truth lies within the predictive interval; NaN without one [1].
    missing
        Share without an estimate, for which the median of the others was taken [1].
    """

    n: int
    bias: float
    mae: float
    rmse: float
    bias_per_bound: float
    loss: float
    within_68: float
    within_95: float
    missing: float


class Ratio(NamedTuple):
    """A ratio of two root mean square errors, and where it lies with 95 % confidence."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f'{self.value:.2f} ({self.low:.2f}–{self.high:.2f})'


@dataclass(frozen=True)
class Truth:
    """What estimates of a batch are compared with.

    Parameters
    ----------
    values
        CBF and ATT, ``(parameter, phantom, x, y)``.
    bound
        Variance of an efficient unbiased estimator of a single voxel, shaped alike.
    regions
        ``(region, phantom, x, y)``, boolean.
    """

    values: Tensor
    bound: Tensor
    regions: Tensor

    @classmethod
    def of(cls, phantoms: Phantoms, batch: TrainingBatch) -> Truth:
        """Find the truth of the middle slices of measured phantoms."""
        series = middle_slices(batch, 0)
        cbf, att = (image[:, MIDDLE].movedim(0, -1) for image in (batch.cbf, batch.att))
        bound = target_of(series, cbf, att, torch.ones(())).bound
        inside = batch.mask[:, MIDDLE]
        gray, white = (
            part[:, MIDDLE] >= TISSUE_FRACTION
            for part in (phantoms.stacks.gray_matter, phantoms.stacks.white_matter)
        )
        lesion = batch.lesion[:, MIDDLE] > 0
        regions = torch.stack([inside, gray, white, ~(gray | white), lesion]) & inside
        return cls(torch.stack([cbf, att]).movedim(-1, 1), bound, regions)


@dataclass(frozen=True)
class Sums:
    """Sums over voxels from which every score follows, ``(sum, parameter, region, phantom)``."""

    values: Tensor

    @classmethod
    def of(cls, found: Estimates, truth: Truth) -> Sums:
        """Sum the errors of one estimator."""
        inside = truth.regions[Region.BRAIN]
        missing = found.values.isnan() & inside
        error = _filled(found.values, inside) - truth.values.unsqueeze(1)
        bound = truth.bound.unsqueeze(1)
        distance = (error.abs() / found.std).nan_to_num(torch.inf)
        product = error[:, :1] * error[:, -1:]
        sums = [
            torch.ones_like(error),
            error,
            error.abs(),
            error.square(),
            (product / bound).expand_as(error),
            error.square() / bound,
            (distance <= HALF_68).to(error),
            (distance <= HALF_95).to(error),
            (~found.std.isnan()).to(error),
            missing.to(error),
        ]
        of_voxels = torch.stack([one.mean(1) for one in sums])
        of_voxels = torch.where(inside, of_voxels, 0).double()
        return cls(torch.einsum('skpxy,rpxy->skrp', of_voxels, truth.regions.double()))

    @classmethod
    def join(cls, parts: list[Sums]) -> Sums:
        """Join the sums of different phantoms."""
        return cls(torch.cat([part.values for part in parts], -1))

    def score(self, parameter: Parameter, region: Region) -> Score:
        """Pool the errors of all phantoms."""
        sums = self.values[:, parameter, region].sum(-1)
        n = sums[_Sum.N].item()
        mean = {one: float(sums[one] / n) if n else math.nan for one in _Sum}
        stated = sums[_Sum.STATED].item() or math.nan
        return Score(
            n=round(n),
            bias=mean[_Sum.ERROR],
            mae=mean[_Sum.ABSOLUTE],
            rmse=math.sqrt(mean[_Sum.SQUARE]),
            bias_per_bound=math.sqrt(max(mean[_Sum.PRODUCT_PER_BOUND], 0.0)),
            loss=mean[_Sum.SQUARE_PER_BOUND],
            within_68=sums[_Sum.WITHIN_68].item() / stated,
            within_95=sums[_Sum.WITHIN_95].item() / stated,
            missing=mean[_Sum.MISSING],
        )

    def ratio(self, other: Sums, parameter: Parameter, region: Region) -> Ratio:
        """Divide the RMSE by that of another estimator of the same phantoms."""
        squares, others = (one.values[_Sum.SQUARE, parameter, region] for one in (self, other))
        return bootstrap_ratio(squares, others, root=True)


def bootstrap_ratio(numerator: Tensor, denominator: Tensor, *, root: bool = False) -> Ratio:
    """Divide two sums over phantoms, ``(phantom,)``, and resample the phantoms.

    Parameters
    ----------
    numerator, denominator
        What each phantom adds; both are resampled together.
    root
        Whether the square root of the ratio is wanted.
    """
    n = len(numerator)
    drawn = torch.randint(n, (N_BOOTSTRAP, n), generator=torch.Generator().manual_seed(n))
    every = torch.cat([torch.arange(n).unsqueeze(0), drawn])
    ratios = numerator[every].sum(-1) / denominator[every].sum(-1)
    if root:
        ratios = ratios.sqrt()
    tail = (1 - LEVEL) / 2
    low, high = torch.nanquantile(ratios[1:], torch.tensor([tail, 1 - tail]).to(ratios)).tolist()
    return Ratio(ratios[0].item(), low, high)


@dataclass(frozen=True)
class Results:
    """What every estimator scored under one condition.

    Parameters
    ----------
    condition
        How the phantoms were measured.
    sums
        By estimator and setting.
    """

    condition: Condition
    sums: Mapping[Key, Sums]

    @property
    def families(self) -> tuple[Family, ...]:
        """The estimators, in the order of `Family`."""
        present = {key.family for key in self.sums}
        return tuple(family for family in Family if family in present)

    def best_setting(self, family: Family, parameter: Parameter, region: Region) -> Key:
        """Choose, with the truth, the setting of an estimator that has the least RMSE."""
        keys = [key for key in self.sums if key.family is family]
        return min(keys, key=lambda key: self.sums[key].score(parameter, region).rmse)

    def best(self, family: Family, parameter: Parameter, region: Region) -> Sums:
        """Give the sums of the best setting of an estimator."""
        return self.sums[self.best_setting(family, parameter, region)]

    def score(self, family: Family, parameter: Parameter, region: Region) -> Score:
        """Give the score of the best setting of an estimator."""
        return self.best(family, parameter, region).score(parameter, region)

    def ratio(self, family: Family, other: Family, parameter: Parameter, region: Region) -> Ratio:
        """Divide the RMSE of two estimators, each at its best setting."""
        one, two = (self.best(which, parameter, region) for which in (family, other))
        return one.ratio(two, parameter, region)


def _filled(values: Tensor, inside: Tensor) -> Tensor:
    """Fill voxels that have no estimate with the median of those of the phantom that have one."""
    known = torch.where(inside, values, torch.nan)
    middle = known.flatten(-2).nanmedian(-1).values[..., None, None]
    return torch.where(values.isnan(), middle.nan_to_num(0), values)
