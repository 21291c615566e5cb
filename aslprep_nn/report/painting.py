"""How numbers become colours: scales fixed per quantity, so that subjects can be compared."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.colors import ListedColormap, to_rgb
from numpy.typing import NDArray

from aslprep_nn.maps import FitStatus, FloatArray
from aslprep_nn.report.regions import BoolArray

#: Images lie on a dark plate in both themes: a colour is judged by what surrounds it.
PLATE = '#12151a'
#: Voxels of the brain without an estimate: two greys in stripes, never a colour of the scale.
NO_ESTIMATE = ('#6c737d', '#9aa1ab')
STRIPE_WIDTH = 3
OUTLINE = '#f5c542'
BELOW_ZERO = '#3f6fb5'


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
    """

    label: str
    low: float
    high: float
    colors: str
    below: str | None = None
    start: float = 0.0

    @property
    def color_map(self) -> mpl.colors.Colormap:
        """The part of the map that is used."""
        part = mpl.colormaps[self.colors](np.linspace(self.start, 1, 256))
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

STATUS_COLORS = {
    FitStatus.CONVERGED: '#2a9d78',
    FitStatus.ON_KINK: '#9ad9a4',
    FitStatus.AT_BOUND: '#e69f00',
    FitStatus.ATT_NOT_IDENTIFIABLE: '#6f8fe0',
    FitStatus.FAILED: '#d9483b',
}
STATUS_WORDS = {
    FitStatus.CONVERGED: 'converged',
    FitStatus.ON_KINK: 'on a kink',
    FitStatus.AT_BOUND: 'at a bound',
    FitStatus.ATT_NOT_IDENTIFIABLE: 'ATT unclear',
    FitStatus.FAILED: 'failed',
}


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
    colored = scale.color_map(scale.norm(np.nan_to_num(plane)))[..., :3]
    picture = np.where(np.isfinite(plane)[..., np.newaxis], colored, stripes(mask))
    return np.where(mask[..., np.newaxis], picture, to_rgb(PLATE))


def paint_status(plane: NDArray[np.integer], mask: BoolArray) -> FloatArray:
    """Colour one enlarged slice of `FitStatus` by its labels, as `paint` does values."""
    picture = stripes(mask)
    for status, color in STATUS_COLORS.items():
        picture[plane == status] = to_rgb(color)
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
