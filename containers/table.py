"""A table of what was checked, what was found, and whether it is as it should be."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field


@dataclass
class Table:
    """Rows of a Markdown table, shown as they come about."""

    title: str
    n_failed: int = 0
    rows: list[str] = field(default_factory=list)

    def add(self, fact: str, found: object, *, holds: bool) -> None:
        """Add a row and show it."""
        self.n_failed += not holds
        self._show(f'| {fact} | {found} | {"yes" if holds else "**NO**"} |')

    def skip(self, fact: str, reason: str) -> None:
        """Add a row for what could not be checked here."""
        self._show(f'| {fact} | {reason} | not checked |')

    def close(self) -> int:
        """Show the whole table, and return the exit code."""
        head = [f'| {self.title} | found | holds |', '|---|---|---|']
        sys.stdout.write('\n'.join(['', *head, *self.rows, '']))
        return min(self.n_failed, 1)

    def _show(self, row: str) -> None:
        self.rows.append(row)
        sys.stderr.write(row + '\n')
