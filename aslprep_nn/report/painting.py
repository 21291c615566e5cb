"""How numbers become colours: scales fixed per quantity, so that subjects can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.colors import ListedColormap, to_rgb
from numpy.typing import NDArray

from aslprep_nn.maps import FitStatus, FloatArray
from aslprep_nn.misspecification.multiplicity import VoxelClass
from aslprep_nn.report.regions import BoolArray

#: Images lie on a dark plate in both themes: a colour is judged by what surrounds it.
PLATE = '#12151a'
#: Voxels of the brain without an estimate: two greys in stripes, never a colour of the scale.
NO_ESTIMATE = ('#6c737d', '#9aa1ab')
STRIPE_WIDTH = 3
OUTLINE = '#f5c542'
BELOW_ZERO = '#3f6fb5'
N_SHADES = 256
#: Where in the map of greys values under a threshold begin, and how far they reach.
UNCLAIMED = (0.16, 0.5)


@dataclass(frozen=True)
class Scale:
    """A quantity's colours.

    Parameters
    ----------
    label
        What the colour bar says, with the unit.
    low, high
        Values at its ends.
    colors
        A perceptually uniform colour map of matplotlib.
    below
        Colour of values under ``low``; that of ``low`` when absent.
    start
        Where in the map ``low`` lies: beyond its black end, which is that of the plate.
    threshold
        Values under it are grey, where there is one: only what lies above was claimed.
    missing
        What a voxel without a value lacks.
    """

    label: str
    low: float
    high: float
    colors: str
    below: str | None = None
    start: float = 0.0
    threshold: float | None = None
    missing: str = 'no estimate'

    @property
    def color_map(self) -> mpl.colors.Colormap:
        """The part of the map that is used."""
        share = np.linspace(0, 1, N_SHADES)
        part = mpl.colormaps[self.colors](self.start + (1 - self.start) * share)
        if self.threshold is not None:
            unclaimed = share < float(self.norm(self.threshold))
            part[unclaimed] = mpl.colormaps['gray'](UNCLAIMED[0] + UNCLAIMED[1] * share[unclaimed])
        colors = ListedColormap(part, name=self.colors)
        return colors if self.below is None else colors.with_extremes(under=self.below)

    @property
    def norm(self) -> mpl.colors.Normalize:
        """From values to positions in the map."""
        return mpl.colors.Normalize(self.low, self.high)


CBF = Scale('CBF [mL/100 g/min]', 0, 100, 'inferno', BELOW_ZERO, 0.09)
RELATIVE_CBF = Scale('CBF relative to the median [1]', 0, 2, 'inferno', BELOW_ZERO, 0.09)
ATT = Scale('Arterial transit time [s]', 0, 3, 'viridis')
RELATIVE_SD = Scale('Standard deviation of CBF [% of CBF]', 0, 100, 'cividis')


@dataclass(frozen=True)
class Labels:
    """How the labels of a map are shown.

    Parameters
    ----------
    title
        What they are.
    colors
        By label: they can be told apart with any colour vision.
    words
        By label, for people.
    expected
        The label a legend names even where no voxel has it.
    """

    title: str
    colors: Mapping[int, str]
    words: Mapping[int, str]
    expected: int


STATUS = Labels(
    'Fit status',
    {
        FitStatus.CONVERGED: '#2a9d78',
        FitStatus.ON_KINK: '#9ad9a4',
        FitStatus.AT_BOUND: '#e69f00',
        FitStatus.ATT_NOT_IDENTIFIABLE: '#6f8fe0',
        FitStatus.FAILED: '#d9483b',
    },
    {
        FitStatus.CONVERGED: 'converged',
        FitStatus.ON_KINK: 'on a kink',
        FitStatus.AT_BOUND: 'at a bound',
        FitStatus.ATT_NOT_IDENTIFIABLE: 'ATT unclear',
        FitStatus.FAILED: 'failed',
    },
    FitStatus.CONVERGED,
)
CLASSES = Labels(
    'Trust in noise and model',
    {
        VoxelClass.CONSISTENT: '#1f5a54',
        VoxelClass.NOISE: '#56b4e9',
        VoxelClass.TISSUE_DECAY: '#e69f00',
        VoxelClass.LABELING_DURATION: '#f0e442',
        VoxelClass.ARTERIAL_BLOOD: '#e8503a',
        VoxelClass.MODEL: '#dba0c4',
    },
    {
        VoxelClass.CONSISTENT: 'as assumed',
        VoxelClass.NOISE: 'noise',
        VoxelClass.TISSUE_DECAY: 'tissue decay',
        VoxelClass.LABELING_DURATION: 'label duration',
        VoxelClass.ARTERIAL_BLOOD: 'arterial blood',
        VoxelClass.MODEL: 'cause unclear',
    },
    VoxelClass.CONSISTENT,
)


def paint(plane: FloatArray, mask: BoolArray, scale: Scale) -> FloatArray:
    """Colour one enlarged slice.

    Parameters
    ----------
    plane, mask
        ``(row, column)``, in pixels.
    scale
        The quantity's colours.

    Returns
    -------
    ``(row, column, red-green-blue)``, 0 to 1: plate outside the mask, stripes where the brain
    has no estimate.
    """
    finite = np.where(np.isfinite(plane), plane, 0)
    colored = scale.color_map(scale.norm(finite))[..., :3]
    picture = np.where(np.isfinite(plane)[..., np.newaxis], colored, stripes(mask))
    return np.where(mask[..., np.newaxis], picture, to_rgb(PLATE))


def paint_labels(
    plane: NDArray[np.number], mask: BoolArray, colors: Mapping[int, str]
) -> FloatArray:
    """Colour one enlarged slice by its labels, as `paint` does values; others get stripes."""
    picture = stripes(mask)
    for label, color in colors.items():
        picture[plane == label] = to_rgb(color)
    return np.where(mask[..., np.newaxis], picture, to_rgb(PLATE))


def paint_grey(plane: FloatArray, low: float, high: float) -> FloatArray:
    """Show an anatomical slice in grey, ``(row, column, red-green-blue)``."""
    grey = np.clip((np.nan_to_num(plane) - low) / max(high - low, 1e-12), 0, 1)
    return np.repeat(grey[..., np.newaxis], 3, axis=-1)


def stripes(mask: BoolArray) -> FloatArray:
    """Fill a picture of the mask's shape with diagonal stripes in two greys."""
    row, column = np.indices(mask.shape)
    odd = ((row + column) // STRIPE_WIDTH) % 2 == 1
    return np.where(odd[..., np.newaxis], to_rgb(NO_ESTIMATE[0]), to_rgb(NO_ESTIMATE[1]))
