"""The one file that every BIDS dataset must have."""

from __future__ import annotations

from pathlib import Path

from aslprep_nn.bids.sidecar import read_object
from aslprep_nn.errors import MetadataError, Problem

NAME = 'dataset_description.json'
EXPECTED = 'a JSON object with Name and BIDSVersion'
REMEDY = 'Mend it, or use --skip-bids-validation.'


def description_problems(bids_dir: Path) -> tuple[Problem, ...]:
    """Say what is wrong with ``dataset_description.json``.

    Parameters
    ----------
    bids_dir
        The dataset.
    """
    path = bids_dir / NAME
    if not path.exists():
        return (Problem(NAME, '', 'absent', EXPECTED, REMEDY),)
    try:
        content = read_object(path, NAME)
    except MetadataError as error:
        return error.problems
    missing = [field for field in ('Name', 'BIDSVersion') if not content.get(field)]
    return tuple(Problem(NAME, field, 'absent', 'a word', REMEDY) for field in missing)
