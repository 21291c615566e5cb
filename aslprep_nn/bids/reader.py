"""From the files of a run to an `ASLRun`, or to everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypedDict

from aslprep_nn.acquisition import Acquisition, VolumeType
from aslprep_nn.bids import protocol
from aslprep_nn.bids.anatomy import choose_t1w
from aslprep_nn.bids.blood import read_hematocrit
from aslprep_nn.bids.calibration import read_m0, reference_problems
from aslprep_nn.bids.consistency import (
    check_contradictions,
    empty_volume_problems,
    namesakes,
    naming_problems,
    run_name,
    subject_label,
)
from aslprep_nn.bids.context import Context, read_context, read_pairs
from aslprep_nn.bids.encoding import Encoding, is_encoded, read_encoding
from aslprep_nn.bids.given import holds_only_cbf, read_given
from aslprep_nn.bids.image import find_empty_volumes, read_shape
from aslprep_nn.bids.plan import notes, plan_rows, testing_problems
from aslprep_nn.bids.query import Dataset, associated, entities_of
from aslprep_nn.bids.readout import refuse_readouts
from aslprep_nn.bids.sidecar import Sidecar, read_sidecar
from aslprep_nn.errors import AslprepError, MetadataError, Problem
from aslprep_nn.run import Anatomy, ASLRun, GivenRun, M0Plan, RefusedRun
from aslprep_nn.settings import Organ, Settings

#: Runs from which on several processes read them, and how many each takes at once.
MANY, CHUNK = 100, 10


class _PlanFacts(TypedDict):
    volume_types: tuple[VolumeType, ...]
    acquisition: Acquisition
    m0: M0Plan
    anatomy: Anatomy
    settings: Settings


def read_runs(
    dataset: Dataset, series: Sequence[Path], settings: Settings
) -> list[ASLRun | GivenRun | RefusedRun]:
    """Read the runs of a dataset; those that share a name are refused together.

    Parameters
    ----------
    dataset, settings
        As of `read_run`.
    series
        The ``_asl`` images.
    """
    root = dataset.root
    shared = namesakes(series, root)
    refused = {
        run_name(path): RefusedRun(
            run_name(path),
            subject_label(path, root),
            tuple(shared[other] for other in shared if run_name(other) == run_name(path)),
        )
        for path in shared
    }
    read = _read_each(dataset, [path for path in series if path not in shared], settings)
    return sorted([*read, *refused.values()], key=lambda reading: reading.name)


def _read_each(
    dataset: Dataset, series: Sequence[Path], settings: Settings
) -> list[ASLRun | GivenRun | RefusedRun]:
    """Read runs that have names of their own; many are shared out to processes."""
    read = partial(read_run, dataset, settings=settings)
    if len(series) < MANY or settings.n_processes < 2:
        return [read(path) for path in series]
    # Each image is read to its last byte, and decompressing it is what takes the time.
    context = get_context('forkserver')
    with ProcessPoolExecutor(settings.n_processes, mp_context=context) as processes:
        return list(processes.map(read, series, chunksize=CHUNK))


def read_run(dataset: Dataset, series: Path, settings: Settings) -> ASLRun | GivenRun | RefusedRun:
    """Read everything about a run but its pixels.

    Nothing is raised for what is wrong with a dataset: all of it is in the `RefusedRun`, so
    that the other runs go on and the user sees every problem at once.

    Parameters
    ----------
    dataset
        The dataset.
    series
        An ``_asl`` image of it.
    settings
        Constants on the command line win over metadata.
    """
    name = run_name(series)
    root = dataset.root
    problems = naming_problems(series, root)
    shape: tuple[int, ...] | None = None
    sidecar: Sidecar | None = None
    context: Context | None = None
    empty_volumes: tuple[int, ...] = ()
    with _collecting(problems):
        shape = read_shape(series, root, dimensions=(3, 4))
        empty_volumes = find_empty_volumes(series, root)
    with _collecting(problems):
        sidecar = _sidecar(dataset, series)
    if shape is not None:
        with _collecting(problems):
            context = _context(dataset, series, shape)
    run: ASLRun | GivenRun | None = None
    if sidecar is not None and context is not None and holds_only_cbf(context.volume_types):
        sources = _sources(dataset, series, None)
        run = read_given(
            sidecar,
            series,
            context.volume_types,
            name=name,
            subject=subject_label(series, root),
            sources=sources,
        )
    elif sidecar is not None and shape is not None:
        run = _assemble(dataset, series, settings, sidecar=sidecar, shape=shape, context=context)
    if run is None and sidecar is not None and not sidecar.problems:
        # The image could not be read: this can be asked without it.
        protocol.read_constants(sidecar, protocol.read_labeling(sidecar), settings.physics)
    volume_types = context.volume_types if context else ()
    if sidecar is not None:
        check_contradictions(sidecar, volume_types)
        problems += sidecar.problems
    problems += empty_volume_problems(series, root, empty_volumes, volume_types)
    if run is None and not problems:
        raise RuntimeError(f'{name} was refused without a reason: this is a bug of aslprep_nn')
    if run is None or problems:
        return RefusedRun(name, subject_label(series, root), tuple(dict.fromkeys(problems)))
    return run


def _assemble(
    dataset: Dataset,
    series: Path,
    settings: Settings,
    *,
    sidecar: Sidecar,
    shape: tuple[int, ...],
    context: Context | None,
) -> ASLRun | None:
    """Ask the sidecar everything; None where an answer is missing."""
    entities = entities_of(series)
    refuse_readouts(sidecar, series)
    labeling = protocol.read_labeling(sidecar)
    timing = protocol.read_timing(sidecar, labeling, shape)
    root = dataset.root
    cells = read_hematocrit(sidecar, settings.physics, root, subject_label(series, root))
    constants = protocol.read_constants(sidecar, labeling, settings.physics, cells)
    m0 = read_m0(sidecar, dataset, series, context.volume_types if context else ())
    if labeling is None or timing is None or constants is None or context is None:
        return None
    encoding = _measurements(sidecar, context, timing)
    if encoding is None:
        return None
    acquisition = protocol.build_acquisition(
        sidecar, labeling, timing, constants, encoding.measurements
    )
    if acquisition is None or m0 is None:
        return None
    sidecar.problems += testing_problems(series.name, acquisition, settings)
    sidecar.problems += reference_problems(m0, settings.physics.m0, series, root)
    anatomy = _anatomy(dataset, series, settings, volume_types=context.volume_types, m0=m0)
    facts = _PlanFacts(
        volume_types=context.volume_types,
        acquisition=acquisition,
        m0=m0,
        anatomy=anatomy,
        settings=settings,
    )
    return ASLRun(
        name=run_name(series),
        subject=subject_label(series, dataset.root),
        session=entities.get('session', ''),
        series=series,
        volume_types=context.volume_types,
        timings=timing.of_volumes,
        acquisition=acquisition,
        m0=m0,
        is_suppressed=sidecar.flag('BackgroundSuppression'),
        n_suppression_pulses=protocol.read_suppression_pulses(sidecar),
        encoding=encoding.labelled,
        plan=plan_rows(sidecar, constants=constants, **facts),
        notes=notes(sidecar, **facts),
        sources=_sources(dataset, series, m0),
        anatomy=anatomy,
    )


def _anatomy(
    dataset: Dataset,
    series: Path,
    settings: Settings,
    *,
    volume_types: tuple[VolumeType, ...],
    m0: M0Plan,
) -> Anatomy:
    """Choose a T1w where there is a brain, and an image of its tissue to register."""
    shows_tissue = {VolumeType.CONTROL, VolumeType.M0SCAN} & set(volume_types)
    is_useful = settings.physics.organ is Organ.BRAIN and (shows_tissue or m0.path is not None)
    return choose_t1w(dataset, series) if is_useful else Anatomy()


def _measurements(sidecar: Sidecar, context: Context, timing: protocol.Timing) -> Encoding | None:
    """Find what measures delta M: pairs, given differences, or the sub-boluses of an encoding."""
    if is_encoded(sidecar, context.volume_types):
        return read_encoding(sidecar, context.volume_types, timing)
    try:
        pairs = read_pairs(context, timing.of_volumes)
    except MetadataError as error:
        sidecar.problems += error.problems
        return None
    volumes = tuple(pair.label for pair in pairs) or tuple(
        index for index, kind in enumerate(context.volume_types) if kind is VolumeType.DELTAM
    )
    return Encoding((), volumes)


def _context(dataset: Dataset, series: Path, shape: tuple[int, ...]) -> Context:
    n_volumes = shape[3] if len(shape) > 3 else 1
    found = associated(dataset, series, 'aslcontext', '.tsv')
    expected = series.parent / f'{run_name(series)}_aslcontext.tsv'
    return read_context(found[0] if found else None, expected, n_volumes, dataset.root)


def _sidecar(dataset: Dataset, series: Path) -> Sidecar:
    root = dataset.root
    own = series.parent / f'{run_name(series)}_asl.json'
    return read_sidecar(
        associated(dataset, series, 'asl', '.json'), root, str(own.relative_to(root))
    )


def _sources(dataset: Dataset, series: Path, m0: M0Plan | None) -> tuple[Path, ...]:
    files = [
        series,
        *associated(dataset, series, 'asl', '.json'),
        *associated(dataset, series, 'aslcontext', '.tsv')[:1],
    ]
    if m0 is not None and m0.path is not None:
        files += [m0.path, *associated(dataset, m0.path, 'm0scan', '.json')]
    return tuple(files)


@contextmanager
def _collecting(problems: list[Problem]) -> Iterator[None]:
    try:
        yield
    except AslprepError as error:
        problems += error.problems
