"""One strip of points per number of quality, and the runs that lie far from the others."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from aslprep_nn.maps import FloatArray
from aslprep_nn.report.expectations import EXPECTATIONS
from aslprep_nn.report.quality_number import QualityNumber

#: A median and its absolute deviation say nothing about fewer runs.
FEWEST_RUNS = 5
#: Robust standard deviations from the median; Iglewicz & Hoaglin (1993) give 3.5.
FAR = 3.5
#: From the median absolute deviation to the standard deviation of a normal distribution.
MAD_TO_SD = 1.4826

#: Part of the usual range within which runs count as alike.
SMALL_SHARE = 0.02

#: Of a strip plot [px].
WIDTH, MARGIN, ROW_HEIGHT, LABEL_HEIGHT, AXIS_HEIGHT = 420, 14, 62, 18, 24


@dataclass(frozen=True)
class Outlier:
    """One number of one run that lies far from those of its protocol."""

    run: str
    subject: str
    name: str
    reason: str


@dataclass(frozen=True)
class Point:
    """One run in a strip plot."""

    run: str
    subject: str
    x: float
    y: float
    text: str
    outlier: bool


@dataclass(frozen=True)
class Strip:
    """The runs of one protocol on the axis of one number."""

    protocol: str
    middle: float
    median: float
    points: tuple[Point, ...]


@dataclass(frozen=True)
class StripPlot:
    """One number over all runs, a strip for each protocol."""

    number: QualityNumber
    strips: tuple[Strip, ...]
    height: float
    ticks: tuple[tuple[float, str], ...]
    usual: tuple[float, float]


def find_outliers(table: pd.DataFrame) -> list[Outlier]:
    """Name the runs that lie far from the median of their protocol, and say how far.

    Only on a side that can mean trouble: nobody needs to look at a head that moved less.

    Parameters
    ----------
    table
        Runs with a result, as `collect` returns them.
    """
    return [
        outlier
        for number in EXPECTATIONS
        for protocol, runs in table.groupby('protocol', sort=True)
        for outlier in _outliers(runs, number, str(protocol))
    ]


def strip_plots(table: pd.DataFrame, unusual: set[tuple[str, str]]) -> list[StripPlot]:
    """Lay out one plot per number that any run has.

    Parameters
    ----------
    table
        Runs with a result.
    unusual
        (run, number) pairs to mark.
    """
    plots = []
    for number in EXPECTATIONS:
        known = table[table[number.name].notna()]
        if len(known):
            plots.append(_strip_plot(known, number, unusual))
    return plots


def _outliers(runs: pd.DataFrame, number: QualityNumber, protocol: str) -> list[Outlier]:
    values = runs[number.name].to_numpy(float)
    known = values[np.isfinite(values)]
    if len(known) < FEWEST_RUNS:
        return []
    median = float(np.median(known))
    deviation = MAD_TO_SD * float(np.median(np.abs(known - median)))
    spread = max(deviation, _least_spread(number, median))
    found = []
    for (_, row), value in zip(runs.iterrows(), values, strict=True):
        distance = (value - median) / spread
        side, concern = ('above', number.if_high) if distance > 0 else ('below', number.if_low)
        if concern and abs(distance) > FAR:
            reason = (
                f'{number.label} is {number.digits(value)}{number.suffix}, {abs(distance):.1f} '
                f'robust standard deviations {side} the median {number.digits(median)} of '
                f'{len(known)} runs ({protocol})'
            )
            found.append(Outlier(str(row['run']), str(row['subject']), number.name, reason))
    return found


def _least_spread(number: QualityNumber, median: float) -> float:
    """Say what difference is too small to matter, however alike the other runs are."""
    width = number.usual_high - number.usual_low
    scale = width if math.isfinite(width) else max(abs(median), abs(number.usual_low))
    return SMALL_SHARE * scale


def _strip_plot(
    known: pd.DataFrame, number: QualityNumber, unusual: set[tuple[str, str]]
) -> StripPlot:
    values = known[number.name].to_numpy(float)
    low, high = _axis(values, number)
    strips = []
    for row, (protocol, runs) in enumerate(known.groupby('protocol', sort=True)):
        middle = ROW_HEIGHT * row + (ROW_HEIGHT + LABEL_HEIGHT) / 2
        heights = middle + _swarm(_to_x(runs[number.name].to_numpy(float), low, high))
        points = tuple(
            Point(
                run=run,
                subject=subject,
                x=float(_to_x(np.array(value), low, high)),
                y=float(y),
                text=f'{number.digits(value)}{number.suffix}',
                outlier=(run, number.name) in unusual,
            )
            for run, subject, value, y in zip(
                runs['run'], runs['subject'], runs[number.name], heights, strict=True
            )
        )
        median = float(_to_x(np.array(runs[number.name].median()), low, high))
        strips.append(Strip(str(protocol), middle, median, points))
    return StripPlot(
        number=number,
        strips=tuple(strips),
        height=ROW_HEIGHT * len(strips) + AXIS_HEIGHT,
        ticks=tuple(
            (float(_to_x(np.array(tick), low, high)), number.digits(tick))
            for tick in _ticks(low, high)
        ),
        usual=_usual(number, low, high),
    )


def _axis(values: FloatArray, number: QualityNumber) -> tuple[float, float]:
    """Span the values and the usual range, a little wider."""
    usual = [edge for edge in (number.usual_low, number.usual_high) if math.isfinite(edge)]
    low, high = min([*values, *usual]), max([*values, *usual])
    margin = 0.03 * (high - low) or 1.0
    return float(low - margin), float(high + margin)


def _ticks(low: float, high: float) -> list[float]:
    """Choose round numbers within an axis."""
    ticks = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [float(tick) for tick in ticks if low <= tick <= high]


def _usual(number: QualityNumber, low: float, high: float) -> tuple[float, float]:
    """Return left edge and width of the usual range."""
    edges = np.clip([number.usual_low, number.usual_high], low, high)
    left, right = _to_x(edges, low, high)
    return float(left), float(right - left)


def _to_x(values: FloatArray, low: float, high: float) -> FloatArray:
    return np.asarray(MARGIN + (WIDTH - 2 * MARGIN) * (values - low) / (high - low))


def _swarm(x: FloatArray, radius: float = 4.0) -> FloatArray:
    """Push points apart vertically, nearest to the middle first, so that none hides another."""
    levels = np.array([0, -1, 1, -2, 2, -3, 3]) * 1.4 * radius
    last = np.full(len(levels), -np.inf)
    offsets = np.zeros(len(x))
    for index in np.argsort(x, kind='stable'):
        free = np.flatnonzero(x[index] - last >= 2 * radius * 0.8)
        level = int(free[0]) if len(free) else int(np.argmin(last))
        last[level] = x[index]
        offsets[index] = levels[level]
    return offsets
