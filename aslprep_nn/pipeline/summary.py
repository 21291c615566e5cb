"""What concerns more than one run: subject pages, status, citation, dataset description."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from aslprep_nn.bids.derivatives import as_json, write_dataset_description
from aslprep_nn.errors import Problem
from aslprep_nn.report.page import write_subject_page
from aslprep_nn.report.records import read_records
from aslprep_nn.settings import Settings
from aslprep_nn.version import __version__
from aslprep_nn.writing import write_atomically


def write_summary(
    settings: Settings, subjects: Sequence[str], problems: Sequence[Problem] = ()
) -> None:
    """Write the files at the top of the output folder.

    Parameters
    ----------
    settings
        Where.
    subjects
        Whose pages to write anew.
    problems
        Of the dataset as a whole; those of a run are in its record.
    """
    write_dataset_description(settings, _citation(settings))
    for subject in subjects:
        write_subject_page(settings.output_dir, subject)
    records = [asdict(record) for record in read_records(settings.output_dir)]
    whole = [asdict(problem) for problem in problems]
    status = {'version': __version__, 'problems': whole, 'runs': records}
    write_atomically(settings.output_dir / 'logs' / 'status.json', as_json(status))


def _citation(settings: Settings) -> str:
    """Collect the methods text of every protocol found, each once."""
    reports = sorted(settings.output_dir.glob('sub-*/**/figures/*_desc-report_asl.json'))
    texts = [
        json.loads(path.read_text(encoding='utf-8'))['methods']['markdown'] for path in reports
    ]
    return '\n\n'.join(dict.fromkeys(texts)) + '\n'
