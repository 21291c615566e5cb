"""What options may not say together, and folders that cannot serve."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from aslprep_nn.errors import Problem
from aslprep_nn.settings import Estimator, M0Method, Organ


def estimator_problems(
    estimators: Sequence[Estimator], primary: str | None, weights: Path | None
) -> list[Problem]:
    """Check that the primary estimator is one of them, and that weights are a file."""
    problems = []
    if primary is not None and primary not in estimators:
        expected = f'one of the estimators, {" ".join(estimators)}'
        remedy = f'Add {primary} to --estimator.'
        problems.append(Problem('--primary', '', primary, expected, remedy))
    if weights is not None and not weights.is_file():
        expected = 'a file of weights, <name>.safetensors'
        problems.append(Problem(str(weights), '--weights', 'no file', expected, 'Check the path.'))
    return problems


def organ_problems(organ: str, m0_method: str) -> list[Problem]:
    """Refuse what only a head has."""
    if organ == Organ.BRAIN or m0_method != M0Method.REFERENCE:
        return []
    expected = 'voxelwise: the reference regions lie in the head'
    remedy = 'Leave --m0-method or --organ out.'
    return [Problem(f'--organ {organ}', '--m0-method', m0_method, expected, remedy)]


def folder_problems(bids_dir: Path, to_write: Mapping[str, Path]) -> list[Problem]:
    """Check the folders before hours are spent on them."""
    if not bids_dir.is_dir():
        return [
            Problem(
                str(bids_dir), '', 'not a folder', 'a BIDS dataset', 'Check the first argument.'
            )
        ]
    problems = []
    for name, folder in to_write.items():
        if _is_input(folder, bids_dir):
            problems.append(
                Problem(
                    str(folder),
                    name,
                    'inside the dataset',
                    'a folder outside it, or inside its derivatives/',
                    'Choose another folder: input is never written to.',
                )
            )
        elif not problems:
            problems += _writing_problems(name, folder)
    return problems


def _is_input(folder: Path, bids_dir: Path) -> bool:
    """Tell whether writing to a folder would write to the dataset."""
    if not folder.is_relative_to(bids_dir):
        return False
    parts = folder.relative_to(bids_dir).parts
    return not parts or parts[0] != 'derivatives'


def _writing_problems(name: str, folder: Path) -> list[Problem]:
    """Make the folder and a file in it; say what stands in the way."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        found = f'not writable ({error.strerror})'
        remedy = 'Choose another folder, or change its permissions.'
        return [Problem(str(folder), name, found, 'a folder to write to', remedy)]
    return []
