"""Sidecars and aslcontext files that nobody should write, made by the hundred thousand.

``PYTHONPATH=tests python -m malformed.fuzz --cases 100000 --seed 1`` reads that many, and tells
how many became a plan, how many were refused by name, and how many made the reader fail. The
images are always the same and are looked at once, as is the list of files: what is tested is
reading the texts.
"""

import argparse
import functools
import json
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import hypothesis
import numpy as np
from datasets import Subject, perf_sidecar, write_dataset
from hypothesis import strategies as st

from aslprep_nn.bids import calibration, image, reader
from aslprep_nn.bids.derivatives import as_json, sidecar
from aslprep_nn.bids.query import open_dataset
from aslprep_nn.cli.plan import listing
from aslprep_nn.run import ASLRun, GivenRun, RefusedRun
from aslprep_nn.settings import PhysicsOptions, Settings

#: Cases between two signs of life.
PROGRESS = 500
VOLUMES = (1, 2, 4, 12)
WORDS = ('control', 'label', 'm0scan', 'deltam', 'cbf', 'noRF', 'n/a', 'Control', 'tag', '',
         ' label ', '"label"', 'control\u00a0', '0', 'volume_type')  # fmt: skip
FIELDS = (
    *perf_sidecar(), 'BolusCutOffFlag', 'BolusCutOffTechnique', 'BolusCutOffDelayTime',
    'LabelingEfficiency', 'M0Estimate', 'EchoTime', 'SliceEncodingDirection', 'LookLocker',
    'BackgroundSuppressionNumberPulses', 'BackgroundSuppressionPulseTime', 'Manufacturer',
    'TotalAcquiredPairs', 'IntendedFor', 'VascularCrushing', 'FlipAngle', 'Überraschung',
)  # fmt: skip
ODD = (None, True, False, 0, -1, 1e-300, 1e308, 10**400, float('nan'), float('inf'), '', '1.8',
       'PCASL', 'pcasl', 'PASL', 'VSASL', 'Separate', 'Included', 'Estimate', 'Absent', 'Q2TIPS',
       '2D', '3D', 'j-', 'k--', 'i', 'Siemens', 'Philips Medical Systems', [], {}, [[]], [None],
       ['1.8'], [1.8, [2]], [0.7, 1.6], 1800, '\ud800', '[red]', '[/]', '\x1b[31m', 3, 2.89, 7,
       1, 2, 0.5, 1.5, 'x' * 500)  # fmt: skip


class Case(NamedTuple):
    """One dataset: how many volumes, and the bytes of its texts; None for no file."""

    n_volumes: int
    sidecar: bytes | None
    m0_sidecar: bytes | None
    context: bytes | None
    options: PhysicsOptions


TYPES = ('PCASL', 'CASL', 'PASL')
M0_TYPES = ('Separate', 'Included', 'Estimate', 'Absent')
DELAYS = (1.8, [1.0, 1.0, 2.0, 2.0] * 3)
#: Draws are what costs time: most values come from a list, the others from strategies.
VALUES = st.one_of(
    st.sampled_from(ODD),
    st.sampled_from(ODD),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.floats(-1, 5), max_size=13),
    st.lists(st.sampled_from(ODD), max_size=3),
)
CHANGES = st.lists(
    st.tuples(st.sampled_from(FIELDS), st.one_of(VALUES, VALUES, VALUES, st.just(...))),
    max_size=3,
)
ENCODINGS = ('utf-8-sig', 'latin-1', 'utf-16', 'cp037', 'utf-8')
SOUND = 30
#: How a text is stored: 0 not at all, 1 as noise, up to 6 damaged, 7 repeated, 8 nested, or well.
STORED = st.integers(0, SOUND)
DAMAGE = st.tuples(
    st.sampled_from(ENCODINGS), st.integers(0, 400), st.binary(max_size=4), st.integers(0, 9)
)


@st.composite
def _stored(draw: st.DrawFn, text: str) -> bytes | None:
    """Store a text, mostly well."""
    how = draw(STORED)
    if how == 0:
        return None
    if how == 1:
        return draw(st.binary(max_size=30))
    if how <= 6:
        encoding, at, put, n_lost = draw(DAMAGE)
        data = text.encode(encoding, 'replace')
        return data[:at] + put + data[at + n_lost :]
    if how == 7:
        text = f'{text[:-1]}, {json.dumps(draw(st.sampled_from(FIELDS)))}: 1}}'
    if how == 8 and draw(st.integers(0, 9)) == 0:
        text = '[' * 100_000
    return text.encode('utf-8', 'backslashreplace')


@st.composite
def _sidecars(draw: st.DrawFn, base: dict[str, Any]) -> bytes | None:
    """Change a few fields of a good sidecar, or leave them out."""
    fields = dict(base) | dict(draw(CHANGES))
    stated = {field: value for field, value in fields.items() if value is not ...}
    return draw(_stored(json.dumps(stated)))


@st.composite
def _contexts(draw: st.DrawFn, n_volumes: int) -> bytes | None:
    """List words, mostly as many as there are volumes."""
    words = (['control', 'label'] * n_volumes)[:n_volumes]
    kind = draw(st.integers(0, 5))
    if kind == 0:
        words = draw(st.lists(st.sampled_from(WORDS), max_size=14))
    elif kind == 1:
        words = ['deltam'] * n_volumes
    elif kind == 2:
        words[draw(st.integers(0, n_volumes - 1))] = draw(st.sampled_from(WORDS))
    header, end = ('volume_type', '\n') if kind else draw(HEADERS)
    return draw(_stored(end.join([header, *words, ''])))


HEADERS = st.tuples(
    st.sampled_from(['volume_type', 'Volume_type', 'a\tvolume_type', '']),
    st.sampled_from(['\n', '\r', '\r\n', '\u2028']),
)
BASES = st.tuples(
    st.sampled_from(VOLUMES),
    st.sampled_from(TYPES),
    st.sampled_from(DELAYS),
    st.sampled_from(M0_TYPES),
    st.sampled_from([None, None, 0.8]),
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a dataset that is wrong in a few places, or in none."""
    n_volumes, labeling, delay, m0_type, efficiency = draw(BASES)
    base = perf_sidecar() | {
        'ArterialSpinLabelingType': labeling,
        'PostLabelingDelay': delay[:n_volumes] if isinstance(delay, list) else delay,
        'M0Type': m0_type,
    }
    if labeling == 'PASL':
        base |= {'BolusCutOffFlag': True, 'BolusCutOffTechnique': 'Q2TIPS'}
        base |= {'BolusCutOffDelayTime': [0.7, 1.6]}
    if m0_type == 'Estimate':
        base['M0Estimate'] = 1000
    return Case(
        n_volumes,
        draw(_sidecars(base)),
        draw(_sidecars({'RepetitionTimePreparation': 6.0})),
        draw(_contexts(n_volumes)),
        PhysicsOptions(labeling_efficiency=efficiency),
    )


class Reader:
    """Datasets whose texts are written anew for every case."""

    def __init__(self, folder: Path) -> None:
        self.layouts = {n: open_dataset(_dataset(folder / f'of {n}', n)) for n in VOLUMES}

    def read(self, case: Case) -> ASLRun | GivenRun | RefusedRun:
        """Read one case; whatever is raised is a fault of the app."""
        layout = self.layouts[case.n_volumes]
        root = layout.root
        stem = f'{root}/sub-01/perf/sub-01'
        for ending, data in (
            ('asl.json', case.sidecar),
            ('m0scan.json', case.m0_sidecar),
            ('aslcontext.tsv', case.context),
        ):
            path = Path(f'{stem}_{ending}')
            if data is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(data)
        settings = Settings(root, root, root, physics=case.options)
        series = Path(f'{stem}_asl.nii.gz')
        reading = reader.read_run(layout, series, settings)
        check(reading, settings)
        return reading


def check(reading: ASLRun | GivenRun | RefusedRun, settings: Settings) -> None:
    """Refuse a plan with numbers that are none, and a refusal that says too little."""
    assert listing([reading])
    if isinstance(reading, RefusedRun):
        assert reading.problems
        assert all(p.file and p.found and p.expected and p.remedy for p in reading.problems)
        as_json({'problems': [vars(problem) for problem in reading.problems]})
        return
    if isinstance(reading, GivenRun):
        assert reading.volumes
        assert reading.notes
        return
    acquisition = reading.acquisition
    assert acquisition.n_measurements > 0
    assert all(np.isfinite(pld) and 0 <= pld <= 10 for pld in acquisition.pld)
    assert all(0 < duration <= 10 for duration in acquisition.labeling_duration)
    assert 0 < acquisition.labeling_efficiency <= 1
    assert all(np.isfinite(time) and time > 0 for time in reading.m0.repetition_times)
    json.loads(sidecar(settings, reading, 'cbf', {}), parse_constant=_refuse_constant)


@contextmanager
def remembered_images() -> Iterator[None]:
    """Look at each image once: they are the same in every case."""
    with ExitStack() as stack:
        for module in (reader, calibration):
            for name in ('read_shape', 'find_empty_volumes', 'check_image', 'check_overlap'):
                if hasattr(module, name):
                    once = functools.cache(getattr(image, name))
                    stack.enter_context(mock.patch.object(module, name, once))
        yield


def _dataset(root: Path, n_volumes: int) -> Path:
    one = Subject()
    one.series = one.series[..., :n_volumes] if n_volumes > 1 else one.series[..., 0]
    return write_dataset(root, one)


def _refuse_constant(name: str) -> None:
    raise AssertionError(f'{name} in a sidecar of ours')


def main() -> int:
    """Read as many cases as asked for, and count how they ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--cases', type=int, default=1000)
    parser.add_argument('--seed', type=int, default=1)
    options = parser.parse_args()
    ends: Counter[str] = Counter()
    examples: dict[str, str] = {}
    started = time.monotonic()
    memory = Path('/dev/shm')  # noqa: S108 (a hundred thousand small files are rewritten)
    place = memory if memory.is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as folder, remembered_images():
        texts = Reader(Path(folder))

        @hypothesis.seed(options.seed)
        @hypothesis.settings(
            max_examples=options.cases,
            deadline=None,
            database=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(cases())
        def each(case: Case) -> None:
            try:
                reading = texts.read(case)
                end = 'plan' if isinstance(reading, ASLRun) else 'refused by name'
            except Exception as error:  # noqa: BLE001 (what a fuzzer is there to find)
                last = traceback.extract_tb(error.__traceback__)[-1]
                end = (
                    f'UNHANDLED {type(error).__name__} at {Path(last.filename).name}:{last.lineno}'
                )
                examples.setdefault(end, f'{error}: {case}')
            ends[end] += 1
            if ends.total() % PROGRESS == 0:
                sys.stderr.write(
                    f'{ends.total()} cases, {time.process_time():.0f} s: {dict(ends)}\n'
                )

        each()
    unhandled = sum(count for end, count in ends.items() if end.startswith('UNHANDLED'))
    lines = [f'{ends.total()} cases, seed {options.seed}, {time.monotonic() - started:.0f} s']
    for end, count in ends.most_common():
        lines += [f'{count:8d}  {end}', *([examples[end][:2000]] if end in examples else [])]
    lines.append(f'{unhandled:8d}  unhandled exceptions')
    sys.stdout.write('\n'.join(lines) + '\n')
    return 1 if unhandled else 0


if __name__ == '__main__':
    sys.exit(main())
