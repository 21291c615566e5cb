"""Files and fields that can be read, each by itself, but contradict one another."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from aslprep_nn.acquisition import M0Type, VolumeType
from aslprep_nn.bids.query import entities_of
from aslprep_nn.bids.sidecar import Sidecar
from aslprep_nn.errors import Problem

#: Volumes that nothing is computed from.
UNUSED = (VolumeType.NORF, VolumeType.NOT_AVAILABLE)
RENAME = 'Rename the file and everything that belongs to it.'


def run_name(series: Path) -> str:
    """Return the name of a run: that of its series without suffix."""
    return series.name.split('.')[0].removesuffix('_asl')


def subject_label(series: Path, root: Path) -> str:
    """Return the label of the subject's folder, which there always is."""
    return series.relative_to(root).parts[0].removeprefix('sub-')


def naming_problems(series: Path, root: Path) -> list[Problem]:
    """Say what is wrong with the name of a series: its results are named after it.

    Parameters
    ----------
    series
        An ``_asl`` image.
    root
        The dataset.
    """
    name = str(series.relative_to(root))
    problems = []
    if not re.fullmatch(r'sub-[A-Za-z0-9+]+(_[a-z]+-[A-Za-z0-9+]+)*', run_name(series)):
        expected = 'sub-<label>[_ses-<label>]…_asl, labels being letters and digits'
        problems.append(Problem(name, 'file name', series.name, expected, RENAME))
    stated = entities_of(series)
    for folder in series.relative_to(root).parents:
        for entity, label in entities_of(folder).items():
            if stated.get(entity) != label:
                own = f'{entity} {stated[entity]}' if entity in stated else f'no {entity}'
                remedy = 'Move or rename one of them.'
                expected = f'{entity} {label}, as its folder is {folder.name}'
                problems.append(Problem(name, 'file name', own, expected, remedy))
    return problems


def namesakes(series: Iterable[Path], root: Path) -> dict[Path, Problem]:
    """Find runs of one name, which would overwrite each other's results."""
    groups = defaultdict(list)
    for path in series:
        groups[run_name(path)].append(path)
    problems = {}
    for group in groups.values():
        for path in group if len(group) > 1 else ():
            others = ' and '.join(str(p.relative_to(root)) for p in group if p != path)
            problems[path] = Problem(
                str(path.relative_to(root)),
                'file name',
                f'the name of {others}, too',
                'one image per run',
                'Keep one of them, or tell them apart by run-1, run-2.',
            )
    return problems


def empty_volume_problems(
    series: Path, root: Path, empty: Sequence[int], volume_types: Sequence[VolumeType]
) -> list[Problem]:
    """Refuse volumes that are to be used and hold nothing: half a pair is no measurement."""
    kinds = dict(enumerate(volume_types))
    wrong = [str(index + 1) for index in empty if kinds.get(index, UNUSED[0]) not in UNUSED]
    if not wrong:
        return []
    found = f'volume {", ".join(wrong)} of nothing but zeros, NaN or infinity'
    remedy = 'Convert the series again, or mark these volumes n/a in aslcontext.tsv.'
    expected = 'measured intensities in every volume that is used'
    return [Problem(str(series.relative_to(root)), 'values', found, expected, remedy)]


def check_contradictions(sidecar: Sidecar, volume_types: Sequence[VolumeType]) -> None:
    """Complain of fields that cannot both be true.

    Parameters
    ----------
    sidecar
        Remembers the problems.
    volume_types
        What each volume shows; () where that is not known.
    """
    if sidecar.states('MRAcquisitionType'):
        sidecar.text('MRAcquisitionType', ['2D', '3D'], 'Slices excited one by one are 2D.')
    n_pulses = sidecar.values.get('BackgroundSuppressionNumberPulses')
    times = sidecar.values.get('BackgroundSuppressionPulseTime')
    if sidecar.values.get('BackgroundSuppression') is False and n_pulses:
        sidecar.complain(
            'BackgroundSuppressionNumberPulses',
            'absent or 0, as BackgroundSuppression is false',
            'Find out whether there was suppression: each pulse costs 5 % of the label.',
        )
    if isinstance(times, list) and isinstance(n_pulses, int) and len(times) != n_pulses:
        sidecar.complain(
            'BackgroundSuppressionPulseTime',
            f'{n_pulses} times, as BackgroundSuppressionNumberPulses says',
            'Correct the one that is wrong.',
            found=f'an array of {len(times)}',
        )
    if sidecar.values.get('M0Type') == M0Type.ABSENT and VolumeType.M0SCAN in volume_types:
        sidecar.complain(
            'M0Type',
            'Included, as aslcontext.tsv lists m0scan volumes',
            'Correct M0Type; if the volumes are not to be used, mark them n/a.',
        )
