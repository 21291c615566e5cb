"""The page of one subject: all its runs in one file that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from aslprep_nn.report.figures import Mime
from aslprep_nn.report.html import data_uri, render
from aslprep_nn.report.records import RunRecord, RunState, read_records
from aslprep_nn.version import __version__
from aslprep_nn.writing import write_atomically

#: Figures of a page may take this much, encoded, so that the page stays below 8 MB.
MOST_BYTES = 7_200_000
SECTIONS = ('glance', 'maps', 'data', 'trust', 'motion', 'mask', 'estimators')


def write_subject_page(output_dir: Path, subject: str) -> Path:
    """Assemble ``sub-<label>.html`` from what the runs of a subject left behind.

    Parameters
    ----------
    output_dir
        The derivatives: ``sub-<label>/**/figures`` and ``logs/runs`` are read.
    subject
        Its label, without ``sub-``.

    Returns
    -------
    The page.
    """
    records = read_records(output_dir, subject)
    unfinished = [record for record in records if record.state is not RunState.DONE]
    reports = _reports(output_dir, subject, without={record.run for record in unfinished})
    missing = {r.run for r in records} - {r.run for r in unfinished} - {r['run'] for r in reports}
    runs = _embed(reports, {record.run: record for record in records})
    page = render(
        'subject.html',
        subject=subject,
        runs=runs,
        unfinished=unfinished,
        missing=sorted(missing),
        version=__version__,
    )
    path = output_dir / f'sub-{subject}.html'
    write_atomically(path, page.encode())
    return path


def _reports(output_dir: Path, subject: str, *, without: set[str]) -> list[dict[str, Any]]:
    """Read the runs' facts; an older result of a run that now failed is left out."""
    found = (output_dir / f'sub-{subject}').glob('**/figures/*_desc-report_asl.json')
    reports = []
    for path in sorted(found):
        report = json.loads(path.read_text(encoding='utf-8'))
        if report['run'] not in without:
            reports.append({**report, 'folder': path.parent})
    return reports


def _embed(
    reports: Sequence[dict[str, Any]], records: dict[str, RunRecord]
) -> list[dict[str, Any]]:
    """Put the images into the facts, those of the first screens first, as many as fit."""
    room = MOST_BYTES
    for images in _by_importance(reports):
        for folder, image in images:
            uri = data_uri(image.get('mime', Mime.PNG), (folder / image['file']).read_bytes())
            room -= len(uri)
            image['uri'] = uri if room >= 0 else ''
    return [
        {
            'trust': None,  # a report that an earlier version left has none
            'estimators': None,
            'gates': [],
            **report,
            'sections': {
                section: [f for f in report['figures'] if f['section'] == section]
                for section in SECTIONS
            },
            'viewer': _viewer(report['viewer']),
            'key': [_named(report['quality'], name) for name in report['key_numbers']],
            'record': records.get(report['run']),
        }
        for report in reports
    ]


def _by_importance(
    reports: Sequence[dict[str, Any]],
) -> Iterator[list[tuple[Path, dict[str, Any]]]]:
    """Yield the images of all runs, with their folders, group by group."""
    for section in SECTIONS:
        yield [
            (report['folder'], figure)
            for report in reports
            for figure in report['figures']
            if figure['section'] == section
        ]
    yield [(report['folder'], sprite) for report in reports for sprite in report['viewer']['maps']]


def _viewer(facts: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the slice slider needs; None where its images found no room."""
    maps = [sprite for sprite in facts['maps'] if sprite['uri']]
    if not maps or len(maps) < len(facts['maps']):
        return None
    legends = [{k: v for k, v in sprite.items() if k not in ('uri', 'file')} for sprite in maps]
    return {
        'facts': json.dumps({**facts, 'maps': legends}, ensure_ascii=False),
        'images': [{'uri': sprite['uri'], 'label': sprite['label']} for sprite in maps],
    }


def _named(numbers: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(number for number in numbers if number['name'] == name)
