"""The page on input that is wrong.

``PYTHONPATH=tests python -m malformed.document`` writes it, and the picture on it.
"""

import io
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from datasets import Subject, write_dataset
from malformed.files import FILES, HARMLESS, IMAGES, NAMES, TEXTS, Damage
from malformed.metadata import CALIBRATION, CONTEXT, LABELING, METADATA, MISSING, TIMING, Wrong
from rich.console import Console, Group

from aslprep_nn.bids.query import find_series, open_dataset
from aslprep_nn.bids.reader import read_runs
from aslprep_nn.bids.vendors import HELP, Vendor
from aslprep_nn.cli.plan import listing
from aslprep_nn.settings import Settings

PAGE = Path(__file__).parents[2] / 'docs' / 'input-problems.md'
PICTURE = PAGE.with_name('input-problems.svg')
WIDTH = 100
#: Ten problems in four runs; the fifth is healthy.
TEN = {
    '01': ('delay in µs', 'efficiency in percent and quotes', 'no duration from Siemens'),
    '02': ('capital letters', 'M0 repetition time in quotes'),
    '03': ('a field stated twice', 'series cut off'),
    '04': ('pulses without suppression', 'M0 that was not fetched'),
}
INTRODUCTION = """# Input that is wrong

<!-- Written by `PYTHONPATH=tests python -m malformed.document`; edit tests/malformed instead. -->

Whatever is wrong with a dataset is said at once, before anything is computed, by `--dry-run` and \
in `logs/plan.json`, and when the app runs in its log, in the reports and in `logs/status.json`: \
the file, the field, the value found, what was expected, and what to do. A problem that many runs \
share is listed once. Runs without a problem are processed; the exit code is then 1, and 65 where \
no run is left. Nothing that is stated and wrong is replaced by a default.

A listing of ten problems, as `--dry-run` prints it and as it looks on a terminal:
"""
VENDORS = """## Where a missing value stands

Sidecars written from DICOM lack what the header lacks. The message for a missing field names the \
places below (those of the scanner in `Manufacturer`, where that is stated) and where to write \
the value: into the sidecar of the series, or once for all series into `asl.json` (`m0scan.json`) \
at the top of the dataset; a sidecar nearer to the image wins. Sources: the fields that dcm2niix \
reads (its `BIDS/README.md` and `GE/README.md`), DICOM PS3.3 C.8.13.5.14, the BIDS specification \
and its examples asl001 to asl005, and ExploreASL issues 1130 (Siemens XA) and 1516 (GE eASL).
"""
CASES = """## What is held by tests

Each row is a dataset of the tests: it is refused with the field and the words shown, and a \
healthy run beside all of them is processed.
"""
FUZZING = """## Texts that nobody wrote

`PYTHONPATH=tests python -m malformed.fuzz --cases 100000 --seed 1` reads sidecars and aslcontext \
files made by [Hypothesis](https://hypothesis.readthedocs.io): good ones with fields changed, \
missing, repeated, of any type, in any encoding, cut or with bytes put in. Any outcome but a plan \
or a refusal in our own words is counted as unhandled and ends it with 1. A few hundred cases are \
part of the tests.
"""


def page() -> str:
    """Write the whole page."""
    text = console_of(ten_problems()).export_text(clear=False)
    lines = [line.rstrip() for line in text.splitlines()]
    return '\n'.join(
        [
            INTRODUCTION,
            '```',
            *lines,
            '```',
            f'\n![The listing of a dry run]({PICTURE.name})\n',
            VENDORS,
            *_vendor_table(),
            f'\n{CASES}',
            *_tables(),
            FUZZING,
        ]
    )


def picture() -> str:
    """Draw the listing as a terminal shows it; its letters come from the reader's machine."""
    drawn = console_of(ten_problems()).export_svg(
        title='aslprep_nn /study /out participant --dry-run', unique_id='listing'
    )
    return re.sub(r'@font-face \{.*?\}\s*', '', drawn, flags=re.DOTALL)


def console_of(content: Group) -> Console:
    """Print to nowhere, and remember it."""
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system='truecolor'
    )
    console.print(content)
    return console


def ten_problems() -> Group:
    """Read a dataset of five runs with ten problems."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / 'study'
        subjects = [Subject(label) for label in (*TEN, '05')]
        for subject in subjects:
            _spoil(subject, TEN.get(subject.label, ()))
        write_dataset(root, *subjects)
        for label, names in TEN.items():
            for name in names:
                _damage(root / f'sub-{label}' / 'perf' / f'sub-{label}', name)
        layout = open_dataset(root)
        return listing(read_runs(layout, find_series(layout), Settings(root, root, root)))


def _spoil(subject: Subject, names: Sequence[str]) -> None:
    for name in names:
        if name in METADATA:
            METADATA[name].spoil(subject)


def _damage(stem: Path, name: str) -> None:
    if name in FILES:
        FILES[name].damage(Path(f'{stem}_{FILES[name].file}'))


def _vendor_table() -> list[str]:
    head = ['| field | ' + ' | '.join(Vendor) + ' | option |', '|---|---|---|---|---|']
    rows = [
        f'| `{field}` | '
        + ' | '.join(known.places.get(vendor, '') for vendor in Vendor)
        + (f' | `{known.option}` |' if known.option else ' | |')
        for field, known in HELP.items()
    ]
    return head + rows


def _tables() -> list[str]:
    families = {
        'Missing values': MISSING,
        'Labelling': LABELING,
        'Timing': TIMING,
        'Calibration': CALIBRATION,
        'aslcontext.tsv': CONTEXT,
        'Text files': TEXTS,
        'Images': IMAGES,
        'Names': NAMES,
    }
    lines = []
    for family, rows in families.items():
        lines += [f'### {family}\n', '| what | file | field | found |', '|---|---|---|---|']
        lines += [_row(name, wrong) for name, wrong in rows.items()]
        lines.append('')
    return [*lines, f'Harmless, and processed: {"; ".join(HARMLESS)}.\n']


def _row(name: str, wrong: Wrong | Damage) -> str:
    found = wrong.found.replace('|', '\\|')
    file = getattr(wrong, 'blamed', '') or wrong.file
    return f'| {name} | `{file}` | {wrong.field} | `{found}` |'


if __name__ == '__main__':
    PAGE.write_text(page(), encoding='utf-8')
    PICTURE.write_text(picture(), encoding='utf-8')
