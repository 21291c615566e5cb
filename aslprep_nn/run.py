"""One ASL run: which files it consists of, what its volumes show, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from aslprep_nn.acquisition import Acquisition, VolumeType
from aslprep_nn.errors import Problem
from aslprep_nn.settings import Estimator


class M0Route(StrEnum):
    """Where the calibration comes from, once metadata and files have been looked at."""

    SEPARATE = 'separate m0scan'
    INCLUDED = 'm0scan volumes of the series'
    CONTROL = 'mean of the unsuppressed controls'
    ESTIMATE = 'M0Estimate of the sidecar'
    NONE = 'none: CBF is relative'


@dataclass(frozen=True)
class Rival:
    """An M0 image that was not taken.

    Parameters
    ----------
    path
        The image.
    repetition_times
        Of each of its volumes [s].
    correction
        What it is multiplied with for its echo time and its unit, as `M0Plan` has them [1].
    """

    path: Path
    repetition_times: tuple[float, ...]
    correction: float = 1.0


@dataclass(frozen=True)
class M0Plan:
    """How M0 will be found.

    Parameters
    ----------
    route
        The source.
    path
        The separate image, where there is one.
    repetition_times
        Of each volume used: of the separate image, or of the series' m0scan or control
        volumes in their order [s].
    estimate
        M0 of blood, where the sidecar states it [scanner units].
    rivals
        Separate images that fit the series as well and were not taken.
    echo_time, series_echo_time
        Of the M0 volumes and of the series [s]; None where it is not stated, or not one.
    echo_correction
        What M0 is multiplied with where its echo time is not that of the series [1].
    scale_correction
        What M0 is multiplied with where it was stored in another unit than the series [1].
    voxel_diagonal
        Of the voxels that M0 was measured in, or of those of the series where these are larger,
        from corner to corner [mm]; None where it is not known.
    """

    route: M0Route
    path: Path | None = None
    repetition_times: tuple[float, ...] = ()
    estimate: float | None = None
    rivals: tuple[Rival, ...] = ()
    echo_time: float | None = None
    series_echo_time: float | None = None
    echo_correction: float = 1.0
    scale_correction: float = 1.0
    voxel_diagonal: float | None = None

    @property
    def name(self) -> str:
        """Where M0 comes from, in a word: its file, or the route."""
        return self.path.name if self.path else self.route.value

    @property
    def echo_times(self) -> tuple[float, float] | None:
        """Of the M0 volumes and of the series [s]; None where they are not both stated."""
        if self.echo_time is None or self.series_echo_time is None:
            return None
        return self.echo_time, self.series_echo_time

    @property
    def is_measured(self) -> bool:
        """True where M0 comes from images rather than from a number or from nowhere."""
        return self.route not in (M0Route.ESTIMATE, M0Route.NONE)


@dataclass(frozen=True)
class Anatomy:
    """The T1-weighted image of a run's subject.

    Parameters
    ----------
    t1w
        The image; None where there is none that can be used.
    problems
        What is wrong with those that cannot be used. They do not stand in the way of CBF.
    """

    t1w: Path | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader of the results must know."""
        return tuple(f'{problem} The run goes on without it.' for problem in self.problems)


@dataclass(frozen=True)
class PlanRow:
    """One line of the plan: a fact about the run and where it came from."""

    name: str
    value: str
    source: str


@dataclass(frozen=True)
class NotOffered:
    """An estimator that was asked for and cannot serve a run, with every reason."""

    estimator: Estimator
    problems: tuple[Problem, ...]

    @property
    def sentence(self) -> str:
        """All of it for people."""
        return f'{self.estimator} is not offered: {self.reasons}'

    @property
    def reasons(self) -> str:
        """What was found and expected, and what to do, each remedy once."""
        facts = '; '.join(
            f'{problem.field or problem.file} is {problem.found}, expected {problem.expected}'
            for problem in self.problems
        )
        remedies = dict.fromkeys(problem.remedy for problem in self.problems)
        return ' '.join([f'{facts}.', *remedies])


@dataclass(frozen=True)
class Weights:
    """The weights of the network that a run gets, and the dial it is used with."""

    path: Path
    name: str
    sha256: str
    dial: float


@dataclass(frozen=True)
class Estimation:
    """Which estimators serve a run.

    Parameters
    ----------
    estimators
        The first is the primary one, whose maps are ``_cbf`` and ``_att``.
    wanted
        What the user wanted as the primary one.
    not_offered
        What was asked for and cannot be given.
    weights
        Of the network, where it is among the estimators.
    """

    estimators: tuple[Estimator, ...] = (Estimator.LEAST_SQUARES,)
    wanted: Estimator = Estimator.LEAST_SQUARES
    not_offered: tuple[NotOffered, ...] = ()
    weights: Weights | None = None

    @property
    def primary(self) -> Estimator:
        """The estimator of ``_cbf`` and ``_att``."""
        return self.estimators[0]

    @property
    def others(self) -> tuple[Estimator, ...]:
        """The estimators beside it."""
        return self.estimators[1:]

    def without(self, refused: NotOffered) -> Estimation:
        """Leave an estimator out; least squares takes the place of a primary one."""
        left = tuple(each for each in self.estimators if each is not refused.estimator)
        if refused.estimator is self.primary:
            fallback = Estimator.LEAST_SQUARES
            left = (fallback, *(each for each in left if each is not fallback))
        weights = None if refused.estimator is Estimator.NETWORK else self.weights
        return replace(
            self, estimators=left, not_offered=(*self.not_offered, refused), weights=weights
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader of the results must know."""
        sentences = [refused.sentence for refused in self.not_offered]
        if self.primary is not self.wanted:
            sentences.insert(
                0, f'The primary estimate is that of {self.primary}, not of {self.wanted} as asked.'
            )
        return tuple(sentences)


@dataclass(frozen=True)
class ASLRun:
    """Everything the pipeline needs to know of one run before it opens an image.

    Parameters
    ----------
    name
        The file name without suffix: ``sub-01_ses-a_run-1``.
    subject, session
        Labels; the session may be ''.
    series
        The ``_asl`` image.
    volume_types, timings
        What each volume shows; its delay and labelling duration [s].
    acquisition
        One entry per measurement of delta M, in the order of the pairs.
    m0
        Where the calibration comes from.
    is_suppressed
        True where the background was suppressed; None where that is not stated.
    n_suppression_pulses
        How many pulses did it; None where that is not stated.
    encoding
        Of a time-encoded series: 1 where a sub-bolus is labelled, ``[volume of a cycle]
        [sub-bolus]``; empty for any other.
    plan
        What will be done and why, for people.
    notes
        What the reader of the results must know.
    sources
        Every file that the maps are made from.
    estimation
        Which estimators serve the run.
    anatomy
        What its brain mask is compared by.
    """

    name: str
    subject: str
    session: str
    series: Path
    volume_types: tuple[VolumeType, ...]
    timings: tuple[tuple[float, float], ...]
    acquisition: Acquisition
    m0: M0Plan
    is_suppressed: bool | None = None
    n_suppression_pulses: int | None = None
    encoding: tuple[tuple[int, ...], ...] = ()
    plan: tuple[PlanRow, ...] = ()
    notes: tuple[str, ...] = ()
    sources: tuple[Path, ...] = ()
    estimation: Estimation = field(default_factory=Estimation)
    anatomy: Anatomy = field(default_factory=Anatomy)

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Every file that was read."""
        t1w = self.anatomy.t1w
        return self.sources if t1w is None else (*self.sources, t1w)

    @property
    def has_raw_volumes(self) -> bool:
        """True where label and control are given, so that motion can be estimated."""
        return not {VolumeType.CONTROL, VolumeType.LABEL}.isdisjoint(self.volume_types)

    @property
    def has_m0(self) -> bool:
        """True where CBF comes out in absolute units."""
        return self.m0.route is not M0Route.NONE

    def with_label_and_control_swapped(self) -> ASLRun:
        """Return the run as it is if its aslcontext.tsv has the two the wrong way round."""
        other = {
            VolumeType.CONTROL: VolumeType.LABEL,
            VolumeType.LABEL: VolumeType.CONTROL,
        }
        row = PlanRow('Label and control', 'swapped', 'option --swap-label-control')
        return replace(
            self,
            volume_types=tuple(other.get(kind, kind) for kind in self.volume_types),
            plan=(*self.plan, row),
        )

    @property
    def estimates_att(self) -> bool:
        """True where the protocol has more than one timing."""
        return self.acquisition.is_multi_delay


@dataclass(frozen=True)
class GivenRun:
    """A run whose CBF was made elsewhere: it is passed on, and labelled so.

    Parameters
    ----------
    name, subject, session
        As of `ASLRun`.
    series
        The ``_asl`` image.
    volumes
        Those that show CBF, counted from 0.
    unit
        Of CBF, as the dataset states it; '' where it does not.
    plan, notes, sources
        As of `ASLRun`.
    """

    name: str
    subject: str
    session: str
    series: Path
    volumes: tuple[int, ...]
    unit: str
    plan: tuple[PlanRow, ...]
    notes: tuple[str, ...]
    sources: tuple[Path, ...]


@dataclass(frozen=True)
class RefusedRun:
    """A run that cannot be processed, with everything that stands in the way."""

    name: str
    subject: str
    problems: tuple[Problem, ...]
