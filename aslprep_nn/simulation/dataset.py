"""A simulated study on disk: raw BIDS, and the truth as its derivatives."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from aslprep_nn.errors import Problem, UsageError
from aslprep_nn.maps import FloatArray
from aslprep_nn.simulation.motion import MotionLevel
from aslprep_nn.simulation.phantom import draw_phantom
from aslprep_nn.simulation.protocols import PROTOCOLS, Preset, ScanProtocol
from aslprep_nn.simulation.scanner import Scan, scan
from aslprep_nn.simulation.sidecars import (
    IGNORED_BY_VALIDATOR,
    MOTION_COLUMNS,
    TRUE_MAPS,
    asl_sidecar,
    context_rows,
    m0_sidecar,
    motion_sidecar,
    raw_description,
    truth_description,
    truth_sidecar,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Study:
    """What to simulate.

    Parameters
    ----------
    preset
        The protocols.
    n_subjects
        How many subjects; they take turns with the preset's protocols. None: one each.
    seed
        Of everything random. Each subject has its own stream, so more subjects do not change
        the first ones.
    snr
        Mean M0 of the brain over the noise's standard deviation in one volume; infinite for
        no noise, None for the protocol's own.
    motion_level
        How restless the subjects are.
    subtracted
        Whether the scanner gives control minus label instead of both.
    """

    preset: Preset
    n_subjects: int | None = None
    seed: int = 0
    snr: float | None = None
    motion_level: MotionLevel = MotionLevel.MILD
    subtracted: bool = False

    @property
    def protocols(self) -> tuple[ScanProtocol, ...]:
        """The protocol of each subject."""
        own = PROTOCOLS[self.preset]
        n_subjects = len(own) if self.n_subjects is None else self.n_subjects
        return tuple(
            replace(protocol, snr=self.snr or protocol.snr, subtracted=self.subtracted)
            for protocol in (own[index % len(own)] for index in range(n_subjects))
        )

    def __str__(self) -> str:
        facts = [f'preset {self.preset}', f'seed {self.seed}', f'motion {self.motion_level}']
        facts += [f'SNR {self.snr:g}'] if self.snr else []
        facts += ['subtracted by the scanner'] if self.subtracted else []
        return ', '.join(facts)


def write_study(root: Path, study: Study) -> None:
    """Simulate a study and write it; the same study gives the same bytes.

    Parameters
    ----------
    root
        An empty or absent folder.
    study
        What to simulate.

    Raises
    ------
    UsageError
        If the folder holds something already.
    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UsageError(
            Problem(str(root), '', 'not empty', 'a new or empty folder', 'Choose another one.')
        )
    protocols = study.protocols
    subjects = [f'{index:02d}' for index in range(1, len(protocols) + 1)]
    _write_top_level(root, study, subjects)
    streams = np.random.SeedSequence(study.seed).spawn(len(protocols))
    for subject, protocol, stream in zip(subjects, protocols, streams, strict=True):
        logger.info('sub-%s: %s', subject, protocol.name)
        rng = np.random.default_rng(stream)
        phantom = draw_phantom(rng)
        run = scan(phantom, protocol, motion_level=study.motion_level, rng=rng)
        write_raw(root, subject, run)
        write_truth(root / 'derivatives' / 'truth', subject, run)


def write_raw(root: Path, subject: str, run: Scan) -> None:
    """Write what a scanner would have given.

    Parameters
    ----------
    root
        The dataset.
    subject
        Label of the subject.
    run
        What was acquired.
    """
    stem = root / f'sub-{subject}' / 'perf' / f'sub-{subject}'
    protocol = run.protocol
    _write_image(Path(f'{stem}_asl.nii.gz'), _as_scanned(run.series, run.noise), protocol)
    _write_json(Path(f'{stem}_asl.json'), asl_sidecar(protocol))
    _write_lines(Path(f'{stem}_aslcontext.tsv'), context_rows(protocol.series))
    if run.m0scan is not None:
        _write_image(Path(f'{stem}_m0scan.nii.gz'), _as_scanned(run.m0scan, run.noise), protocol)
        _write_json(Path(f'{stem}_m0scan.json'), m0_sidecar(protocol, subject))


def write_truth(root: Path, subject: str, run: Scan) -> None:
    """Write what the estimates should be.

    Parameters
    ----------
    root
        The derivative dataset.
    subject
        Label of the subject.
    run
        What was acquired.
    """
    stem = root / f'sub-{subject}' / 'perf' / f'sub-{subject}'
    for field, true_map in TRUE_MAPS.items():
        file = f'{stem}_{true_map.name}'
        _write_image(Path(f'{file}.nii.gz'), getattr(run.truth, field), run.protocol)
        _write_json(Path(f'{file}.json'), truth_sidecar(true_map, run.protocol, subject))
    matrices = run.motion.matrices[:, :3].reshape(-1, 12)
    rows = np.concatenate([run.motion.parameters, matrices], axis=1)
    table = ['\t'.join(f'{number:.9f}' for number in row) for row in rows]
    _write_lines(Path(f'{stem}_desc-motion_timeseries.tsv'), ['\t'.join(MOTION_COLUMNS), *table])
    _write_json(Path(f'{stem}_desc-motion_timeseries.json'), motion_sidecar())


def _as_scanned(signal: FloatArray, noise: float) -> NDArray[Any]:
    """Round to whole scanner units, except where there is no noise to hide the rounding."""
    return signal if noise == 0 else np.rint(signal).astype(np.int16)


def _write_top_level(root: Path, study: Study, subjects: Sequence[str]) -> None:
    name = f'Simulated ASL ({study.preset})'
    truth = root / 'derivatives' / 'truth'
    _write_json(root / 'dataset_description.json', raw_description(name, str(study)))
    _write_json(truth / 'dataset_description.json', truth_description(name, str(study)))
    _write_lines(root / '.bidsignore', IGNORED_BY_VALIDATOR)
    _write_lines(truth / '.bidsignore', IGNORED_BY_VALIDATOR)
    _write_lines(root / 'participants.tsv', ['participant_id', *(f'sub-{s}' for s in subjects)])
    readme = _README.format(name=name, study=study)
    _write_lines(root / 'README.md', readme.splitlines())


def _write_image(path: Path, values: NDArray[Any], protocol: ScanProtocol) -> None:
    """Write a NIfTI whose bytes depend on its content alone: no time stamp, no file name."""
    stored = {np.dtype(np.float64): np.float32, np.dtype(np.bool_): np.uint8}
    data = values.astype(stored.get(values.dtype, values.dtype))
    image = nib.Nifti1Image(data, protocol.grid.affine)
    image.header.set_xyzt_units('mm', 'sec')
    image.set_qform(protocol.grid.affine, code=1)
    image.set_sform(protocol.grid.affine, code=1)
    if data.ndim == 4:
        image.header['pixdim'][4] = protocol.repetition_time
    _write(path, gzip.compress(image.to_bytes(), compresslevel=6, mtime=0))


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    _write(path, (json.dumps(content, indent=2, ensure_ascii=False) + '\n').encode())


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    _write(path, ('\n'.join(lines) + '\n').encode())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


_README = """# {name}

Made by `aslprep_nn-tools simulate` ({study}); no person was scanned. The anatomy derives from the
symmetric ICBM 152 template of 2009 (Fonov et al. 2011) as nilearn ships it: copyright 1993-2009
Louis Collins, McConnell Brain Imaging Centre, Montreal Neurological Institute, McGill University,
whose licence permits use, modification and distribution with this notice.

What is true (CBF, ATT, M0, T1, tissue fractions, brain, head motion) is in `derivatives/truth`.
"""
