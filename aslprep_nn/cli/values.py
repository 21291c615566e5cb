"""The values of options: each function reads one kind, or says what it is not."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence

from aslprep_nn.bids.blood import as_fraction
from aslprep_nn.settings import DIAL_RANGE, Plugin, PluginOptions


def number(text: str) -> float:
    """Read a number."""
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'{text} is not a number') from error


def positive(text: str) -> float:
    """Read a number above 0."""
    value = number(text)
    if not 0 < value < float('inf'):
        raise argparse.ArgumentTypeError(f'{text} is not a number above 0')
    return value


def not_negative(text: str) -> float:
    """Read a number from 0."""
    value = number(text)
    if not 0 <= value < float('inf'):
        raise argparse.ArgumentTypeError(f'{text} is not a number from 0')
    return value


def fraction(text: str) -> float:
    """Read a number above 0 and up to 1."""
    value = positive(text)
    if value > 1:
        raise argparse.ArgumentTypeError(f'{text} is not between 0 and 1')
    return value


def dial(text: str) -> float:
    """Read how much bias counts, within what networks are trained for."""
    value = number(text)
    least, largest = DIAL_RANGE
    if not least <= value <= largest:
        raise argparse.ArgumentTypeError(f'{text} is not between {least:g} and {largest:g}')
    return value


def hematocrit(text: str) -> float | str:
    """Read a number; a word names a column."""
    try:
        float(text.removesuffix('%'))
    except ValueError:
        return text
    value = as_fraction(text)
    if value is None:
        raise argparse.ArgumentTypeError(f'{text} is no hematocrit, such as .43 or 43%')
    return value


def count(text: str) -> int:
    """Read a whole number above 0."""
    value = int(text) if text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f'{text} is not a whole number above 0')
    return value


def whole(text: str) -> int:
    """Read a whole number from 0."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f'{text} is not a whole number from 0')
    return int(text)


def share(text: str) -> float:
    """Read a number between 0 and 1."""
    value = number(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f'{text} is not between 0 and 1')
    return value


def memory(text: str) -> int:
    """Read an amount of memory [B]; a bare number counts megabytes, as in fMRIPrep."""
    found = re.fullmatch(r'(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?', text.strip(), re.IGNORECASE)
    if found is None or not float(found[1]):
        raise argparse.ArgumentTypeError(f'{text} is no amount of memory, such as 8G or 900M')
    return int(float(found[1]) * 1024 ** (1 + 'KMGT'.index(found[2].upper() or 'M')))


def device(text: str) -> str:
    """Read the name of a device."""
    kind, _, index = text.partition(':')
    if kind not in ('auto', 'cpu', 'cuda') or (index and not (kind == 'cuda' and index.isdigit())):
        raise argparse.ArgumentTypeError(f'{text} is none of auto, cpu, cuda, cuda:N')
    return text


def plugin(words: Sequence[str]) -> PluginOptions:
    """Read the name of an engine and its arguments, ``KEY=VALUE`` each."""
    name, *given = words
    pairs = [word.partition('=')[::2] for word in given]
    arguments = tuple((key, int(value) if value.isdigit() else value) for key, value in pairs)
    return PluginOptions(Plugin(name), arguments)
