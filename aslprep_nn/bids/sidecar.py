"""What the JSON sidecars of an image say, and which of them said it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeGuard

from aslprep_nn.bids.vendors import where_to_find
from aslprep_nn.errors import MetadataError, Problem

IN_SECONDS = 'Give the times in seconds.'

#: What no protocol exceeds [s]: a larger number was written in milliseconds.
LONGEST = {
    'PostLabelingDelay': 10.0,
    'LabelingDuration': 10.0,
    'BolusCutOffDelayTime': 10.0,
    'SliceTiming': 10.0,
    'RepetitionTimePreparation': 60.0,
}

#: More characters of a value than this tell nobody more.
LONGEST_SHOWN = 120

Json = str | int | float | bool | None | list['Json'] | dict[str, 'Json']


class Sidecar:
    """The metadata of one image; every problem met on the way is remembered.

    A question that cannot be answered returns None and adds a problem, so that a reader can
    go on and the user sees everything that is wrong at once.

    Parameters
    ----------
    values
        Fields, inheritance resolved.
    files
        The file that stated each field, as people should see it.
    name
        The file a missing field belongs into.
    """

    def __init__(self, values: Mapping[str, Json], files: Mapping[str, str], name: str) -> None:
        self.values = values
        self.files = files
        self.name = name
        self.problems: list[Problem] = []

    def source(self, field: str) -> str:
        """Say where a field came from."""
        return f'{field} in {self.files[field]}'

    def states(self, field: str) -> bool:
        """Say whether a field has a value; null is none."""
        return self.values.get(field) is not None

    def complain(self, field: str, expected: str, remedy: str, found: str = '') -> None:
        """Remember that a field is not what it should be; tell where a missing value is found."""
        file = self.files.get(field, self.name)
        shown = found or (_shown(self.values[field]) if field in self.values else 'absent')
        if not self.states(field):
            places = where_to_find(field, self.values.get('Manufacturer'), file)
            remedy = f'{remedy} {places}'.rstrip()
        self.problems.append(Problem(file, field, shown, expected, remedy))

    def text(self, field: str, allowed: Sequence[str], remedy: str) -> str | None:
        """Read a required word out of a list."""
        value = self.values.get(field)
        if isinstance(value, str) and value in allowed:
            return value
        self.complain(field, f'one of {", ".join(allowed)}', remedy)
        return None

    def flag(self, field: str) -> bool | None:
        """Read an optional boolean."""
        value = self.values.get(field)
        if value is None or isinstance(value, bool):
            return value
        self.complain(field, 'true or false', 'Write the JSON word without quotes.')
        return None

    def number(self, field: str, expected: str = 'a number') -> float | None:
        """Read an optional finite number."""
        value = self.values.get(field)
        if value is None:
            return None
        if is_number(value):
            return float(value)
        self.complain(field, expected, 'Write one finite number without quotes.')
        return None

    def seconds(self, field: str) -> tuple[float, ...] | None:
        """Read an optional time or array of times [s], none above its entry in `LONGEST`."""
        value = self.values.get(field)
        if value is None:
            return None
        entries = value if isinstance(value, list) else [value]
        if not entries or not all(is_number(entry) for entry in entries):
            self.complain(field, 'finite numbers', 'Write numbers without quotes.')
            return None
        times = tuple(float(entry) for entry in entries)  # type: ignore[arg-type]
        if max(times) > LONGEST[field]:
            expected = f'at most {LONGEST[field]:g} s'
            self.complain(field, expected, IN_SECONDS, found=f'up to {max(times):g}')
            return None
        return times

    def per_volume(self, field: str, n_volumes: int, remedy: str) -> tuple[float, ...] | None:
        """Read a required number of seconds for each volume; one number serves all."""
        if not self.states(field):
            self.complain(field, f'seconds: one value or {n_volumes}, one per volume', remedy)
            return None
        values = self.seconds(field)
        if values is None:
            return None
        if not isinstance(self.values[field], list):
            return values * n_volumes
        if len(values) != n_volumes:
            self.complain(
                field,
                f'one value or {n_volumes}, one per volume of the image',
                'Make the array as long as the series.',
                found=f'an array of {len(values)}',
            )
            return None
        return values


def read_sidecar(paths: Sequence[Path], root: Path, name: str) -> Sidecar:
    """Merge the sidecars of an image; the nearest file wins.

    Parameters
    ----------
    paths
        The nearest first.
    root
        The dataset, which file names are shown relative to.
    name
        The sidecar that belongs to the image, whether it exists or not.

    Raises
    ------
    MetadataError
        If a file is not a JSON object.
    """
    values: dict[str, Json] = {}
    files: dict[str, str] = {}
    problems: list[Problem] = []
    for path in reversed(paths):
        shown = str(path.relative_to(root))
        try:
            content = read_object(path, shown)
        except MetadataError as error:
            problems += error.problems
            continue
        values |= content
        files |= dict.fromkeys(content, shown)
    if problems:
        raise MetadataError(problems)
    return Sidecar(values, files, name)


def read_object(path: Path, shown: str) -> dict[str, Json]:
    """Read the fields of a JSON file.

    Parameters
    ----------
    path
        The file.
    shown
        Its name, as people should see it.

    Raises
    ------
    MetadataError
        If it cannot be read, is no JSON object, or states a field twice with different values:
        which of them a parser takes is not defined (RFC 8259, 4).
    """
    contradicted: dict[str, tuple[Json, Json]] = {}

    def collect(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        fields: dict[str, Json] = {}
        for field, value in pairs:
            if field in fields and repr(fields[field]) != repr(value):
                contradicted[field] = (fields[field], value)
            fields[field] = value
        return fields

    text = read_text(path, shown, 'a JSON object')
    try:
        content = json.loads(text, object_pairs_hook=collect)
    except (ValueError, RecursionError) as error:
        found, remedy = f'not readable as JSON ({error})', 'Mend the file, or convert again.'
        raise MetadataError(Problem(shown, '', found, 'a JSON object', remedy)) from error
    if not isinstance(content, dict):
        found, remedy = f'a JSON {type(content).__name__}', 'Put the fields between braces.'
        raise MetadataError(Problem(shown, '', found, 'a JSON object', remedy))
    if contradicted:
        raise MetadataError(
            Problem(
                shown,
                field,
                f'stated more than once: {_shown(first)}, then {_shown(second)}',
                'one value',
                'Keep the right one.',
            )
            for field, (first, second) in contradicted.items()
        )
    return content


def read_text(path: Path, shown: str, expected: str) -> str:
    """Read a text; a byte order mark is no part of it.

    Raises
    ------
    MetadataError
        If it cannot be opened, or is not UTF-8.
    """
    try:
        return path.read_text(encoding='utf-8-sig')
    except OSError as error:
        found = f'not readable ({error.strerror or error})'
        remedy = 'Check that the file is there and that you may read it.'
    except UnicodeDecodeError as error:
        found = f'not readable as UTF-8 text ({error.reason} at byte {error.start})'
        remedy = 'Save it again as plain text in UTF-8.'
    raise MetadataError(Problem(shown, '', found, expected, remedy))


def is_number(value: Json) -> TypeGuard[int | float]:
    """Say whether a value is a finite number that a float can hold; JSON integers may not be."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max


def _shown(value: Json) -> str:
    """Write a value as people should see it."""
    words = {None: 'null', True: 'true', False: 'false'}
    return words[value] if value is None or isinstance(value, bool) else abbreviated(repr(value))


def abbreviated(text: str) -> str:
    """Cut a text, so that an array of a thousand entries fills no screen."""
    return text if len(text) <= LONGEST_SHOWN else f'{text[: LONGEST_SHOWN - 1]}…'
