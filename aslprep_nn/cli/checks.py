"""What options may not say together, and folders that cannot serve."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from aslprep_nn.errors import Problem
from aslprep_nn.settings import Estimator, M0Method, Organ, Plugin

#: What each engine may be told; Dask with a ``cluster`` takes what its class takes.
PLUGIN_ARGUMENTS = {
    Plugin.LOCAL: (),
    Plugin.LINEAR: (),
    Plugin.MULTIPROC: (),
    Plugin.SLURM: ('sbatch_args', 'template', 'max_jobs', 'poll'),
    Plugin.DASK: ('scheduler', 'scheduler_file', 'cluster'),
}


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


def plugin_problems(words: Sequence[str]) -> list[Problem]:
    """Refuse an engine that is not here, and arguments that it would silently ignore."""
    name, *given = words
    option = f'--nipype-plugin {name}'
    if name not in list(Plugin):
        remedy = 'Use one of them; the queueing systems other than SLURM are reached by Dask.'
        return [Problem('--nipype-plugin', '', name, ', '.join(Plugin), remedy)]
    known = PLUGIN_ARGUMENTS[Plugin(name)]
    is_open = name == Plugin.DASK and any(word.startswith('cluster=') for word in given)
    problems = []
    for word in given:
        key, equals, _ = word.partition('=')
        if not equals or not (key in known or is_open):
            expected = ' or '.join(f'{known_key}=…' for known_key in known) or 'no argument'
            remedy = 'Write KEY=VALUE; put a following folder before the option.'
            problems.append(Problem(option, 'argument', word, expected, remedy))
    return problems + _absent_software(Plugin(name), 'cluster' if is_open else '')


def _absent_software(plugin: Plugin, cluster: str) -> list[Problem]:
    """Name the libraries and commands that an engine needs and that are not installed."""
    problems = []
    modules = {Plugin.DASK: ('distributed', 'dask_jobqueue')[: 2 if cluster else 1]}
    for module in modules.get(plugin, ()):
        if find_spec(module) is None:
            expected, remedy = 'installed', 'Install it: pip install "aslprep_nn[cluster]".'
            problems.append(
                Problem(f'--nipype-plugin {plugin}', module, 'absent', expected, remedy)
            )
    if plugin is Plugin.SLURM and shutil.which('sbatch') is None:
        expected, remedy = 'on the PATH', 'Start the app where jobs can be submitted.'
        problems.append(Problem(f'--nipype-plugin {plugin}', 'sbatch', 'absent', expected, remedy))
    return problems


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
