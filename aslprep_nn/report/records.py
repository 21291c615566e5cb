"""What the pipeline wrote down about each run: done, failed or refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from aslprep_nn.errors import Problem


class RunState(StrEnum):
    """How a run ended; the worst first, as pages list them."""

    FAILED = 'failed'
    REFUSED = 'refused'
    MISSING = 'missing'
    DONE = 'done'

    @property
    def rank(self) -> int:
        """Place in that order."""
        return list(RunState).index(self)


@dataclass(frozen=True)
class RunRecord:
    """One file of ``logs/runs``.

    Parameters
    ----------
    run, subject
        The run as in its file names, and its subject without ``sub-``.
    state
        How it ended.
    problems
        What the dataset has to mend.
    error
        One line on a failure that is none of these problems.
    crash_file
        Where its details lie; '' where there is none.
    seconds
        How long it took.
    version
        Of the app.
    gates
        What makes its result implausible, in the words of `quality.findings.Gate`.
    estimators
        Who estimated, the primary one first.
    not_offered
        Who was asked for and did not, and why, a sentence each.
    """

    run: str
    subject: str
    state: RunState
    problems: tuple[Problem, ...] = ()
    error: str = ''
    crash_file: str = ''
    seconds: float = 0.0
    version: str = ''
    gates: tuple[str, ...] = ()
    estimators: tuple[str, ...] = ()
    not_offered: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> RunRecord:
        """Read one record."""
        facts = json.loads(path.read_text(encoding='utf-8'))
        return cls(
            run=facts['run'],
            subject=facts['subject'],
            state=RunState(facts['state']),
            problems=tuple(_problem(each) for each in facts.get('problems', ())),
            error=facts.get('error', ''),
            crash_file=facts.get('crash_file', ''),
            seconds=float(facts.get('seconds') or 0),
            version=facts.get('version', ''),
            gates=tuple(facts.get('gates', ())),
            estimators=tuple(facts.get('estimators', ())),
            not_offered=tuple(facts.get('not_offered', ())),
        )

    @property
    def reason(self) -> str:
        """Everything that went wrong, on one line."""
        return ' '.join([*(str(problem) for problem in self.problems), self.error]).strip()


def read_records(output_dir: Path, subject: str = '') -> list[RunRecord]:
    """Read the records of an output folder, ordered by run.

    Parameters
    ----------
    output_dir
        The derivatives.
    subject
        Whose, without ``sub-``; '' for all.
    """
    paths = (output_dir / 'logs' / 'runs').glob(f'sub-{subject}*.json')
    records = [record for path in paths if (record := _read_if_there(path))]
    records = [record for record in records if subject in ('', record.subject)]
    return sorted(records, key=lambda record: record.run)


def _read_if_there(path: Path) -> RunRecord | None:
    """Read a record; None where another process takes it away to process its run again."""
    try:
        return RunRecord.read(path)
    except FileNotFoundError:
        return None


def _problem(facts: Mapping[str, str]) -> Problem:
    names = ('file', 'field', 'found', 'expected', 'remedy')
    return Problem(*(str(facts.get(name, '')) for name in names))
