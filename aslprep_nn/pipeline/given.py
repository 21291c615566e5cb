"""Passing on CBF that was made elsewhere, labelled as such."""

from __future__ import annotations

import gzip
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import nibabel as nib

from aslprep_nn.bids import derivatives as bids
from aslprep_nn.bids.kinds import KINDS
from aslprep_nn.pipeline.bookkeeping import discard_previous, write_record
from aslprep_nn.pipeline.images import load_series
from aslprep_nn.report.records import RunRecord, RunState
from aslprep_nn.run import GivenRun
from aslprep_nn.settings import Settings
from aslprep_nn.version import __version__
from aslprep_nn.writing import write_atomically

KIND = 'given_cbf'
PROTOCOL = 'CBF given'


def pass_on(run: GivenRun, settings: Settings) -> RunRecord:
    """Write the CBF of a run under a name of its own, with a report that says what it is.

    Parameters
    ----------
    run
        What was read.
    settings
        Where to write.
    """
    started = time.time()
    discard_previous(run.name, settings)
    target = bids.derivative_path(settings, run, KIND)
    data, affine = load_series(run.series)
    image = nib.Nifti1Image(data[..., list(run.volumes)].mean(axis=-1), affine)
    image.header.set_xyzt_units('mm', 'sec')
    write_atomically(target, gzip.compress(image.to_bytes(), mtime=0))
    sidecar = target.with_name(target.name.replace('.nii.gz', '.json'))
    write_atomically(sidecar, bids.as_json(_fields(run, settings)))
    quality = target.with_name(f'{run.name}_desc-qualitycontrol_cbf.tsv')
    write_atomically(quality, f'protocol\n{PROTOCOL}\n'.encode())
    report = bids.figures_dir(settings, run) / f'{run.name}_desc-report_asl.json'
    write_atomically(report, bids.as_json(_report(run, settings)))
    record = RunRecord(
        run.name,
        run.subject,
        RunState.DONE,
        seconds=round(time.time() - started, 1),
        version=__version__,
    )
    made = (target, sidecar, quality, report)
    outputs = [str(path.relative_to(settings.output_dir)) for path in made]
    write_record(settings, record, {'outputs': outputs})
    return record


def _fields(run: GivenRun, settings: Settings) -> dict[str, Any]:
    fields: dict[str, Any] = {
        'Description': f'{KINDS[KIND].description} {" ".join(run.notes)}',
        'Sources': [bids.bids_uri(path, settings) for path in run.sources],
        'AslprepNNVersion': __version__,
    }
    return fields | ({'Units': run.unit} if run.unit else {})


def _report(run: GivenRun, settings: Settings) -> dict[str, Any]:
    """Say on the page of the subject what was done: nothing."""
    sentence = 'CBF was made elsewhere and is passed on as it is.'
    return {
        'run': run.name,
        'protocol': PROTOCOL,
        'verdict': {
            'word': 'Given, not estimated',
            'level': 'with_care',
            'sentence': sentence,
            'reasons': [],
        },
        'key_numbers': [],
        'quality': [],
        'plan': [asdict(row) for row in run.plan],
        'notes': run.notes,
        'trust': None,
        'methods': {'paragraphs': [sentence], 'references': [], 'markdown': sentence},
        'provenance': {
            'Version': f'aslprep_nn {__version__}',
            'Command': settings.command,
            'Inputs': ', '.join(bids.bids_uri(Path(path), settings) for path in run.sources),
        },
        'figures': [],
        'viewer': {'maps': []},
    }
