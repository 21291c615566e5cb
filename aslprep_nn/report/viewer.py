"""Every slice of every map as small images, for the page's slice slider."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import to_hex
from numpy.typing import NDArray
from PIL import Image

from aslprep_nn.report.estimator_maps import differences, quantities_of
from aslprep_nn.report.painting import CLASSES, STATUS, Labels, Scale
from aslprep_nn.report.quantities import Quantity, quantities
from aslprep_nn.report.regions import BoolArray
from aslprep_nn.report.results import RunResults
from aslprep_nn.report.slices import AxialView
from aslprep_nn.report.trust_maps import p_quantities
from aslprep_nn.report.trust_tests import is_classified

#: Bytes of a sprite: outside the mask, no estimate, and the first and last of the values.
OUTSIDE, NO_ESTIMATE, FIRST, LAST = 0, 1, 2, 255
#: How far values reach beyond the ends of their scale, in lengths of the scale.
BELOW, ABOVE = 0.25, 1.0
N_COLORS = 256
#: The p maps that answer the two questions behind every class.
IN_THE_VIEWER = ('pnoise', 'pmodel')
#: What the switch calls the maps of network less least squares.
DIFFERENCE = 'difference'


@dataclass(frozen=True)
class Sprite:
    """All slices of one map side by side, one voxel a pixel.

    Parameters
    ----------
    name
        For the file name.
    data
        A PNG in greys: the bytes above.
    legend
        What a page needs to turn the bytes back into values and colours.
    """

    name: str
    data: bytes
    legend: dict[str, Any]


def sprites(results: RunResults) -> Iterator[Sprite]:
    """Make a sprite of every map."""
    view = AxialView.of(results.mask, results.affine)
    chosen = {'choice': str(results.estimation.primary)} if results.others else {}
    p_values = [p for p in p_quantities(results) if p.name in IN_THE_VIEWER]
    for quantity in quantities(results):
        yield _sprite(quantity, results.mask, view, chosen)
    for estimator in results.estimation.others:
        for quantity in quantities_of(results, estimator):
            yield _sprite(quantity, results.mask, view, {'choice': str(estimator)})
    for quantity in differences(results):
        yield _sprite(quantity, results.mask, view, {'choice': DIFFERENCE})
    for quantity in p_values:
        yield _sprite(quantity, results.mask, view, {})
    yield _label_sprite('viewerstatus', results.status, STATUS, results.mask, view)
    if results.trust is not None and is_classified(results.trust):
        classes = results.trust.classes
        yield _label_sprite('viewerclasses', classes, CLASSES, results.mask, view)


def layout(results: RunResults) -> dict[str, Any]:
    """Say where in a sprite each slice lies, and how wide its voxels are."""
    view = AxialView.of(results.mask, results.affine)
    height, width = view.n_voxels
    return {
        'width': width,
        'height': height,
        'columns': _n_columns(view),
        'aspect': view.height_over_width,
        'choices': _choices(results),
        'z': [round(view.positions[level], 1) for level in view.covered],
    }


def _choices(results: RunResults) -> list[list[str]]:
    """List what the viewer's switch offers: word and label; nothing where there is no choice."""
    if not results.others:
        return []
    choices = [[str(each), each.label] for each in results.estimation.estimators]
    has_difference = any(True for _ in differences(results))
    return choices + [[DIFFERENCE, 'the network less least squares']] * has_difference


def _sprite(quantity: Quantity, mask: BoolArray, view: AxialView, more: dict[str, Any]) -> Sprite:
    legend = {**_scale_legend(quantity.scale), **more}
    return Sprite(f'viewer{quantity.name}', _png(_code(quantity, mask), view), legend)


def _code(quantity: Quantity, mask: BoolArray) -> NDArray[np.uint8]:
    low, high = _range(quantity.scale)
    share = ((np.nan_to_num(quantity.values) - low) / (high - low)).clip(0, 1)
    steps = FIRST + np.rint(share * (LAST - FIRST))
    coded = np.where(np.isfinite(quantity.values), steps, NO_ESTIMATE)
    return np.where(mask, coded, OUTSIDE).astype(np.uint8)


def _range(scale: Scale) -> tuple[float, float]:
    length = scale.high - scale.low
    return scale.low - BELOW * length, scale.high + ABOVE * length


def _png(coded: NDArray[np.uint8], view: AxialView) -> bytes:
    (height, width), n_columns = view.n_voxels, _n_columns(view)
    n_rows = math.ceil(len(view.covered) / n_columns)
    sheet = np.zeros((n_rows * height, n_columns * width), np.uint8)
    for index, level in enumerate(view.covered):
        row, column = divmod(index, n_columns)
        place = np.s_[row * height : (row + 1) * height, column * width : (column + 1) * width]
        sheet[place] = view.voxels(coded, level)
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, 'PNG', optimize=True)
    return buffer.getvalue()


def _n_columns(view: AxialView) -> int:
    return math.ceil(math.sqrt(len(view.covered)))


def _scale_legend(scale: Scale) -> dict[str, Any]:
    low, high = _range(scale)
    colors = scale.color_map(np.linspace(0, 1, N_COLORS))
    return {
        'label': scale.label,
        'first': low,
        'last': high,
        'low': scale.low,
        'high': scale.high,
        'colors': [to_hex(color) for color in colors],
        'below': scale.below,
        'missing': scale.missing,
    }


def _label_sprite(
    name: str, values: NDArray[np.number], labels: Labels, mask: BoolArray, view: AxialView
) -> Sprite:
    labelled = np.where(np.isfinite(values), FIRST + np.nan_to_num(values), NO_ESTIMATE)
    coded = np.where(mask, labelled, OUTSIDE).astype(np.uint8)
    legend = {
        'label': labels.title,
        'missing': 'not tested',
        'labels': {
            str(FIRST + label): [labels.words[label], color]
            for label, color in labels.colors.items()
        },
    }
    return Sprite(name, _png(coded, view), legend)
