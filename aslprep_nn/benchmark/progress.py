"""How far a long measurement is, for whoever waits for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar('T')


def one_by_one(items: Sequence[T], what: str) -> Iterator[T]:
    """Yield items, and show on a terminal how many of them are done.

    Parameters
    ----------
    items
        What is to be measured, one after the other.
    what
        What they are, for people.
    """
    console = Console(stderr=True)
    yield from track(items, what, console=console, disable=not console.is_terminal)
