"""The maps a report shows, each with its scale and its words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aslprep_nn.maps import FloatArray
from aslprep_nn.report.painting import ATT, CBF, RELATIVE_CBF, RELATIVE_SD, Scale
from aslprep_nn.report.quality import relative_standard_deviation
from aslprep_nn.report.results import RunResults


@dataclass(frozen=True)
class Quantity:
    """One map of values.

    Parameters
    ----------
    name
        For file names.
    scale
        Its colours.
    values
        ``(x, y, z)``, NaN where there is no estimate.
    caption
        What it is, in a sentence.
    """

    name: str
    scale: Scale
    values: FloatArray
    caption: str


def quantities(results: RunResults) -> Iterator[Quantity]:
    """Yield the maps of values a run has, in the order they are shown."""
    maps = results.maps
    if results.has_m0:
        yield Quantity('cbf', CBF, maps['cbf'].values, 'Cerebral blood flow.')
    else:
        caption = 'Cerebral blood flow over its median in the brain.'
        yield Quantity('cbf', RELATIVE_CBF, maps['cbf'].values, caption)
    if 'att' in maps:
        caption = (
            'Arterial transit time: how long labelled blood takes to arrive; striped where these '
            'delays cannot tell it.'
        )
        yield Quantity('att', ATT, maps['att'].values, caption)
    if 'std_cbf' in maps:
        caption = 'Standard deviation of CBF in per cent of CBF: 100 % says as good as nothing.'
        yield Quantity('sd', RELATIVE_SD, relative_standard_deviation(results), caption)
