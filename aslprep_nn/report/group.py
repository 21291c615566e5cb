"""All runs of a dataset side by side."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from aslprep_nn.quality.findings import Gate
from aslprep_nn.report.expectations import EXPECTATIONS
from aslprep_nn.report.html import render
from aslprep_nn.report.quality import quality_columns
from aslprep_nn.report.records import RunState, read_records
from aslprep_nn.report.strips import find_outliers, strip_plots
from aslprep_nn.version import __version__
from aslprep_nn.writing import write_atomically

#: Not ``**``, which looks into every folder of a thousand subjects.
QUALITY_FILES = (
    'sub-*/perf/*_desc-qualitycontrol_cbf.tsv',
    'sub-*/ses-*/perf/*_desc-qualitycontrol_cbf.tsv',
)
UNTOUCHED = 'Not processed yet, or not to the end.'
NAMES = [number.name for number in EXPECTATIONS]


def write_group(output_dir: Path, expected: Sequence[str] = ()) -> tuple[Path, Path]:
    """Write ``group_perf.tsv``, its dictionary ``group_perf.json``, and ``group.html``.

    Parameters
    ----------
    output_dir
        The derivatives: tables of quality and ``logs/runs`` are read.
    expected
        The runs of the dataset; one that nothing is known of is listed as missing.

    Returns
    -------
    The table and the page.
    """
    table = collect(output_dir, expected)
    table_path, page_path = output_dir / 'group_perf.tsv', output_dir / 'group.html'
    text = table.drop(columns='reason').to_csv(sep='\t', index=False, na_rep='n/a')
    write_atomically(table_path, text.encode())
    dictionary = json.dumps(_dictionary(), indent=2, ensure_ascii=False)
    write_atomically(output_dir / 'group_perf.json', dictionary.encode())
    write_atomically(page_path, _page(table).encode())
    return table_path, page_path


def collect(output_dir: Path, expected: Sequence[str] = ()) -> pd.DataFrame:
    """Gather one row per run, those without a result first.

    Parameters
    ----------
    output_dir, expected
        As of `write_group`.

    Returns
    -------
    Columns ``run``, ``subject``, ``state``, ``protocol``, ``gates``, ``reason`` and the numbers of
    quality, NaN where a run has none.
    """
    quality = {
        path.name.removesuffix('_desc-qualitycontrol_cbf.tsv'): path
        for pattern in QUALITY_FILES
        for path in output_dir.glob(pattern)
    }
    records = {record.run: record for record in read_records(output_dir)}
    rows: list[dict[str, Any]] = []
    for run in sorted(quality.keys() | records.keys() | set(expected)):
        record = records.get(run)
        state = RunState.DONE if record is None else record.state
        if record is None and run in expected:
            state = RunState.MISSING
        if state is RunState.DONE and run not in quality:
            state = RunState.MISSING
        measured = _read_row(quality[run]) if state is RunState.DONE else {}
        rows.append(
            {
                'run': run,
                'subject': record.subject if record else run.split('_')[0].removeprefix('sub-'),
                'state': str(state),
                'protocol': measured.get('protocol', ''),
                'gates': measured.get('gates', ''),
                'reason': record.reason
                if record
                else UNTOUCHED
                if state is RunState.MISSING
                else '',
                **{name: _number(measured.get(name)) for name in NAMES},
            }
        )
    rows.sort(key=lambda row: (RunState(row['state']).rank, row['run']))
    facts = ['run', 'subject', 'state', 'protocol', 'gates', 'reason']
    return pd.DataFrame(rows, columns=[*facts, *NAMES])


def _read_row(path: Path) -> dict[str, str]:
    """Read a table of one row as text; an empty one says nothing."""
    table = pd.read_csv(path, sep='\t', dtype=str, keep_default_na=False)
    return {str(name): str(table[name].iloc[0]) for name in table} if len(table) else {}


def _number(text: str | None) -> float:
    return math.nan if text in (None, '', 'n/a') else float(text)


def _dictionary() -> dict[str, dict[str, Any]]:
    """Describe the columns of the group's table."""
    return {
        'run': {'Description': 'The run, as in its file names.'},
        'subject': {'Description': 'Subject label, without sub-.'},
        'state': {'Description': 'How the run ended: done, failed, refused or missing.'},
        **quality_columns(),
    }


def _page(table: pd.DataFrame) -> str:
    done = table[table['state'] == RunState.DONE]
    outliers = find_outliers(done)
    unusual = {(outlier.run, outlier.name) for outlier in outliers}
    return render(
        'group.html',
        n_subjects=table['subject'].nunique(),
        counts=table['state'].value_counts().to_dict(),
        troubles=table[table['state'] != RunState.DONE].to_dict('records'),
        implausible=[
            {**row, 'meanings': _meanings(row['gates'])}
            for row in done.to_dict('records')
            if _meanings(row['gates'])
        ],
        outliers=outliers,
        strips=strip_plots(done, unusual),
        numbers=EXPECTATIONS,
        rows=[_table_row(row, unusual) for row in table.to_dict('records')],
        version=__version__,
    )


def _meanings(gates: str) -> list[str]:
    known = {gate.value: gate.meaning for gate in Gate}
    return [known[gate] for gate in gates.split(', ') if gate in known]


def _table_row(row: dict[Hashable, Any], unusual: set[tuple[str, str]]) -> dict[str, Any]:
    cells = [
        {
            'value': None if math.isnan(row[number.name]) else row[number.name],
            'text': number.digits(row[number.name]) if not math.isnan(row[number.name]) else '',
            'mark': replace(number, value=row[number.name]).mark,
            'outlier': (row['run'], number.name) in unusual,
        }
        for number in EXPECTATIONS
    ]
    return {
        **{key: row[key] for key in ('run', 'subject', 'state', 'protocol', 'gates')},
        'cells': cells,
    }
