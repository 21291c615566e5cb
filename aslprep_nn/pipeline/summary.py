"""What concerns more than one run: subject pages, status, citation, dataset description."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from aslprep_nn.bids.derivatives import as_json, write_dataset_description
from aslprep_nn.errors import Problem
from aslprep_nn.pipeline.lock import claim_shared_files
from aslprep_nn.report.page import write_subject_page
from aslprep_nn.report.records import read_records
from aslprep_nn.settings import Settings
from aslprep_nn.version import __version__
from aslprep_nn.writing import PART, write_atomically


def write_pages(settings: Settings, subjects: Iterable[str]) -> None:
    """Write the pages of subjects from what the records of their runs say now."""
    with claim_shared_files(settings):
        for subject in subjects:
            write_subject_page(settings.output_dir, subject)


def write_summary(settings: Settings, problems: Sequence[Problem] = ()) -> None:
    """Write the files at the top of the output folder, from the records of all runs in it.

    Other processes may be at the same: who comes last writes what all of them recorded.

    Parameters
    ----------
    settings
        Where.
    problems
        Of the dataset as a whole; those of a run are in its record.
    """
    with claim_shared_files(settings):
        _discard_parts(settings.output_dir)
        write_dataset_description(settings, _citation(settings))
        _write_status(settings, problems)


def write_tables(settings: Settings, expected: Sequence[str]) -> Path:
    """Write the table and the page over all runs; return the page.

    Parameters
    ----------
    settings
        Where.
    expected
        The runs of the dataset: those without a record are listed as missing.
    """
    # It draws; who hands out runs does not, and stays small.
    from aslprep_nn.report.group import write_group  # noqa: PLC0415

    with claim_shared_files(settings):
        _, page = write_group(settings.output_dir, expected)
    return page


def _write_status(settings: Settings, problems: Sequence[Problem]) -> None:
    records = [asdict(record) for record in read_records(settings.output_dir)]
    whole = [asdict(problem) for problem in problems]
    status = {'version': __version__, 'problems': whole, 'runs': records}
    write_atomically(settings.output_dir / 'logs' / 'status.json', as_json(status))


def _discard_parts(output_dir: Path) -> None:
    """Remove what a killed process was writing: nobody else writes these while we may."""
    for folder in (output_dir, output_dir / 'logs'):
        for path in folder.glob(f'.*{PART}'):
            path.unlink(missing_ok=True)


def _citation(settings: Settings) -> str:
    """Collect the methods text of every protocol found, each once."""
    folders = ('sub-*/figures', 'sub-*/ses-*/figures')  # not **, which looks into every folder
    reports = sorted(
        path
        for folder in folders
        for path in settings.output_dir.glob(f'{folder}/*_desc-report_asl.json')
    )
    texts = [
        json.loads(path.read_text(encoding='utf-8'))['methods']['markdown'] for path in reports
    ]
    return '\n\n'.join(dict.fromkeys(texts)) + '\n'
