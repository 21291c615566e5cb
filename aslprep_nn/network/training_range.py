"""What a network was trained on, and what of an acquisition lies outside of it.

A network answers every question, also those it never saw in training, and its answer looks the
same. So its model card says what it saw, and an acquisition outside is refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.errors import Problem
from aslprep_nn.maps import FloatArray
from aslprep_nn.preprocessing.brightness import (
    GREY_MATTER_SHARE,
    brightest,
    late_delta_m,
    mean_of_present,
)
from aslprep_nn.simulation import disturbances, planes, random_protocols
from aslprep_nn.simulation.dice import Interval

#: Timings so little outside the range are served: the profiles of two protocols that differ by
#: a tenth of a second are nearly the same [s].
TIMING_MARGIN = 0.1
#: Voxels so little smaller or larger than the range are served, as a fraction.
SIZE_MARGIN = 0.1
#: Fields with an entry for each kind of labelling.
_OF_EACH_KIND = ('first_delay', 'duration')
REMEDY = 'The other estimators go on; --weights takes weights that were trained on such data.'


@dataclass(frozen=True)
class TrainingRange:
    """The acquisitions a network was trained on.

    Repetitions are not among them: more of them only raise the signal-to-noise ratio. Nor is the
    labelling efficiency, which multiplies CBF and nothing else.

    Parameters
    ----------
    labelings
        The kinds of labelling, alone or together.
    n_timings
        Distinct pairs of delay and labelling duration.
    first_delay, duration
        Shortest delay and labelling durations of each kind of labelling [s].
    last_delay
        Longest delay [s].
    slice_delay
        How long after the first slice others are read out [s].
    t1_tissue, t1_blood
        What the analysis assumed [s]; what was true differed from it by up to a tenth.
    in_plane, thickness
        Edges of a voxel within and across slices [mm].
    snr
        Mean peak of grey matter over the noise of the mean of all repetitions [1].
    """

    labelings: tuple[tuple[LabelingType, ...], ...]
    n_timings: Interval
    first_delay: Mapping[LabelingType, Interval]
    last_delay: Interval
    duration: Mapping[LabelingType, Interval]
    slice_delay: Interval
    t1_tissue: Interval
    t1_blood: Interval
    in_plane: Interval
    thickness: Interval
    snr: Interval

    @classmethod
    def of_simulation(cls) -> TrainingRange:
        """Tell the range that `simulation.training` draws from."""
        first, duration = _by_labeling()
        return cls(
            labelings=tuple(kinds for kinds, _ in random_protocols.KINDS),
            n_timings=Interval(random_protocols.LEAST_DELAYS, random_protocols.MOST_DELAYS),
            first_delay=first,
            last_delay=random_protocols.LAST,
            duration=duration,
            slice_delay=Interval(
                0.0, random_protocols.SLICE_DURATION.high * (random_protocols.MOST_SLICES - 1)
            ),
            t1_tissue=random_protocols.T1_TISSUE,
            t1_blood=random_protocols.T1_BLOOD,
            in_plane=planes.IN_PLANE,
            thickness=planes.THICKNESS,
            snr=disturbances.SNR,
        )

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> TrainingRange:
        """Read what `as_plain` wrote; raises KeyError, TypeError or ValueError on anything else."""
        known: dict[str, Any] = {
            name: Interval(*plain[name])
            for name in cls.__dataclass_fields__
            if name not in ('labelings', *_OF_EACH_KIND)
        }
        for name in _OF_EACH_KIND:
            known[name] = {LabelingType(k): Interval(*ends) for k, ends in plain[name].items()}
        known['labelings'] = tuple(tuple(map(LabelingType, kinds)) for kinds in plain['labelings'])
        return cls(**known)

    def as_plain(self) -> dict[str, Any]:
        """Write the range as lists, numbers and words."""
        plain: dict[str, Any] = {}
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if name == 'labelings':
                plain[name] = [[str(kind) for kind in kinds] for kinds in value]
            elif isinstance(value, Interval):
                plain[name] = list(value)
            else:
                plain[name] = {str(kind): list(ends) for kind, ends in value.items()}
        return plain


def refusals(
    trained: TrainingRange,
    acquisitions: Sequence[Acquisition],
    *,
    file: str,
    voxel_size: tuple[float, float, float] | None = None,
    snr: float | None = None,
) -> list[Problem]:
    """Name everything about a series that lies outside the training range.

    Parameters
    ----------
    trained
        The range.
    acquisitions
        The protocols of the series.
    file
        What the problems are about.
    voxel_size
        Edges of a voxel, across slices last [mm]; not looked at when absent.
    snr
        As in `TrainingRange`; not looked at when absent.
    """
    timings = {(a.labeling, *timing) for a in acquisitions for timing in _timings(a)}
    if len(timings) == 1:
        expected = 'several: nothing measured shows that the network helps with one'
        remedy = 'Nothing has to be done: the formula for one delay is used.'
        return [Problem(file, 'PostLabelingDelay', 'one delay', expected, remedy)]
    outside = [
        *_labeling(trained, acquisitions),
        *_outside('Number of timings', len(timings), trained.n_timings, '', 0.0),
    ]
    for acquisition in acquisitions:
        outside += _protocol(trained, acquisition)
    if voxel_size is not None:
        outside += _size(trained, voxel_size)
    if snr is not None:
        outside += _outside('Signal-to-noise ratio', snr, trained.snr, '', 0.0)
    return [Problem(file, *words, REMEDY) for words in dict.fromkeys(outside)]


_Words = tuple[str, str, str]


def _labeling(trained: TrainingRange, acquisitions: Sequence[Acquisition]) -> Iterator[_Words]:
    kinds = {a.labeling for a in acquisitions}
    if kinds not in map(set, trained.labelings):
        known = ', '.join(' with '.join(each) for each in trained.labelings)
        yield 'ArterialSpinLabelingType', ' with '.join(sorted(kinds)), f'{known} as in training'


def _protocol(trained: TrainingRange, acquisition: Acquisition) -> Iterator[_Words]:
    kind, standard = acquisition.labeling, Interval(0.0, float('inf'))
    margin = TIMING_MARGIN
    first = trained.first_delay.get(kind, standard)
    yield from _outside('Shortest delay', min(acquisition.pld), first, ' s', margin)
    yield from _outside('Longest delay', max(acquisition.pld), trained.last_delay, ' s', margin)
    known = trained.duration.get(kind, standard)
    for duration in sorted(set(acquisition.labeling_duration)):
        yield from _outside('LabelingDuration', duration, known, ' s', margin)
    latest = max(acquisition.slice_times, default=0.0)
    yield from _outside('Latest SliceTiming', latest, trained.slice_delay, ' s', margin)
    yield from _outside('T1 of tissue', acquisition.t1_tissue, trained.t1_tissue, ' s', 0.0)
    yield from _outside('T1 of blood', acquisition.t1_blood, trained.t1_blood, ' s', 0.0)


def _size(trained: TrainingRange, voxel_size: tuple[float, float, float]) -> Iterator[_Words]:
    names = ('Voxel within slices', 'Voxel within slices', 'Voxel across slices')
    ranges = (trained.in_plane, trained.in_plane, trained.thickness)
    for name, edge, known in zip(names, voxel_size, ranges, strict=True):
        yield from _outside(name, edge, known, ' mm', SIZE_MARGIN * edge)


def _outside(
    name: str, value: float, known: Interval, unit: str, margin: float
) -> Iterator[_Words]:
    slack = margin + 1e-6 * abs(value)
    if not known.low - slack <= value <= known.high + slack:
        expected = f'{known.low:.3g} to {known.high:.3g}{unit} as in training'
        yield name, f'{value:.3g}{unit}', expected


def _timings(acquisition: Acquisition) -> set[tuple[float, float]]:
    return set(zip(acquisition.pld, acquisition.labeling_duration, strict=True))


def _by_labeling() -> tuple[dict[LabelingType, Interval], dict[LabelingType, Interval]]:
    """Find first delays and durations of each kind of labelling."""
    first = dict.fromkeys(LabelingType, random_protocols.FIRST)
    first[LabelingType.PASL] = random_protocols.FIRST_INVERSION
    duration = dict.fromkeys(LabelingType, random_protocols.DURATION)
    duration[LabelingType.PASL] = random_protocols.BOLUS
    duration[LabelingType.VSASL] = random_protocols.VELOCITY_BOLUS
    return first, duration


def peak_snr(relative_delta_m: FloatArray, acquisition: Acquisition, noise: float) -> float:
    """Measure the signal-to-noise ratio as `TrainingRange` counts it.

    Grey matter is taken to be the brightest third of the brain. Its mean signal at the best
    timing is a little below the mean of the peaks of its voxels.

    Parameters
    ----------
    relative_delta_m
        delta M / M0 in the brain, ``(voxel, measurement)``; NaN marks a missing measurement.
    acquisition
        Its protocol.
    noise
        Standard deviation of one measurement [delta M / M0].
    """
    late = late_delta_m(relative_delta_m, acquisition)
    bright = relative_delta_m[brightest(late, GREY_MATTER_SHARE)]
    pairs = list(zip(acquisition.pld, acquisition.labeling_duration, strict=True))
    timings = sorted(set(pairs))
    means = [
        float(np.mean(mean_of_present(bright[:, [pair == timing for pair in pairs]])))
        for timing in timings
    ]
    n_repetitions = len(pairs) / len(timings)
    return max(means) * math.sqrt(n_repetitions) / noise
