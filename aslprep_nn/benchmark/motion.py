"""How well motion is undone: displacement, contrast taken for motion, harm to CBF, cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import ants
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.benchmark.progress import one_by_one
from aslprep_nn.benchmark.scenes import Film, Readout, Scene, Suppression, film
from aslprep_nn.calibration.slice_timing import slice_delay
from aslprep_nn.estimation.benchmark.scenarios import Row, Table
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.maps import FloatArray
from aslprep_nn.preprocessing.across_contrasts import register
from aslprep_nn.preprocessing.motion import estimate_motion
from aslprep_nn.preprocessing.pairs import pair_volumes, subtract_label
from aslprep_nn.preprocessing.reference import sharpest_control
from aslprep_nn.preprocessing.resample import resample_series, resample_volume

#: Takes a film and the reference to align to; gives reference-to-volume transforms.
Method = Callable[[Film, FloatArray], FloatArray]
#: Every n-th voxel of the brain tells where all of it is.
SPARSE = 7


def motion_table(seeds: Sequence[int], scenes: Sequence[Scene], with_m0: Sequence[bool]) -> Table:
    """Compare motion correction with ANTs and with none, in the same run.

    Parameters
    ----------
    seeds
        Each is a head, a path and a noise of its own.
    scenes
        The situations.
    with_m0
        Whether an M0 volume is the reference; all cases that are asked for.
    """
    marks: dict[tuple[str, str, str, str], list[Marks]] = {}
    for scene, seed in one_by_one(list(product(scenes, seeds)), 'films aligned'):
        taken = film(scene, seed)
        for has_m0 in with_m0:
            for name, method in METHODS.items():
                m0 = 'M0' if has_m0 else 'control'
                key = (str(scene.readout), str(scene.suppression), m0, name)
                marks.setdefault(key, []).append(judge(taken, method, has_m0=has_m0))
    rows = [_row(key, of_seeds) for key, of_seeds in marks.items()]
    question = (
        f'How far are volumes from where they belong? {len(seeds)} seeds; drift and jumps; '
        '24 volumes at 6 delays. Error: mean displacement in the brain, averaged over volumes. '
        'CBF: mean absolute difference in grey matter from that at the true positions.'
    )
    return Table('motion', question, tuple(rows))


@dataclass(frozen=True)
class Marks:
    """How a method did on one film.

    Parameters
    ----------
    error
        Mean displacement of the brain from where it belongs, ``(volume,)`` [mm].
    shift
        Mean displacement of labels relative to controls [mm].
    cbf
        Mean absolute difference of grey-matter CBF from that at the true positions
        [mL/100 g/min].
    seconds
        Processor time per volume.
    """

    error: FloatArray
    shift: float
    cbf: float
    seconds: float


def judge(taken: Film, method: Method, *, has_m0: bool) -> Marks:
    """Let a method undo the motion of a film and compare it with the truth.

    Without M0 there is no true position of the reference: one rigid offset, common to all
    volumes, is then free.
    """
    reference = taken.m0 if has_m0 else sharpest_control(taken.series, taken.volume_types)
    start = time.process_time()
    found = method(taken, reference)
    seconds = (time.process_time() - start) / len(found)
    true = taken.motion.matrices
    offset = np.eye(4) if has_m0 else _mean_rigid(np.linalg.inv(true) @ found)
    displaced = _displacement(taken, found - true @ offset)
    label = np.array(taken.volume_types) == VolumeType.LABEL
    shift = displaced[label].mean(axis=0) - displaced[~label].mean(axis=0)
    return Marks(
        error=np.linalg.norm(displaced, axis=-1).mean(axis=-1),
        shift=float(np.linalg.norm(shift, axis=-1).mean()),
        cbf=_difference_in_cbf(taken, found, true @ offset, offset),
        seconds=seconds,
    )


def _row(key: tuple[str, str, str, str], marks: Sequence[Marks]) -> Row:
    readout, suppression, reference, method = key
    error = np.concatenate([mark.error for mark in marks])
    return {
        'readout': readout,
        'suppression': suppression,
        'reference': reference,
        'method': method,
        'error [mm]': round(float(error.mean()), 3),
        'worst volume [mm]': round(float(error.max()), 2),
        'label shift [mm]': round(max(mark.shift for mark in marks), 3),
        'CBF [mL/100 g/min]': round(float(np.mean([mark.cbf for mark in marks])), 2),
        'CPU [s/volume]': round(float(np.mean([mark.seconds for mark in marks])), 2),
    }


def _displacement(taken: Film, difference: FloatArray) -> FloatArray:
    """Return where matrices of differences take the brain, ``(volume, voxel, 3)`` [mm]."""
    voxels = np.argwhere(taken.brain)[::SPARSE]
    points = np.column_stack([voxels, np.ones(len(voxels))]) @ taken.affine.T
    return np.asarray((points @ difference.transpose(0, 2, 1))[..., :3])


def _mean_rigid(transforms: FloatArray) -> FloatArray:
    mean = transforms.mean(axis=0)
    mean[:3, :3] = Rotation.from_matrix(transforms[:, :3, :3]).mean().as_matrix()
    return np.asarray(mean)


def _difference_in_cbf(
    taken: Film, found: FloatArray, true: FloatArray, offset: FloatArray
) -> float:
    """Fit the series as found and as it truly lay, and compare in grey matter."""
    grid = taken.brain.shape
    grey, m0 = (
        resample_volume(values.astype(float), taken.affine, grid, taken.affine, offset)
        for values in (taken.grey_matter, taken.true_m0)
    )
    voxels = (grey > 0.5) & (m0 > 0)
    cbf = [_cbf(taken, transforms, voxels, m0) for transforms in (found, true)]
    return float(np.nanmean(np.abs(cbf[0] - cbf[1])))


def _cbf(
    taken: Film, transforms: FloatArray, voxels: NDArray[np.bool_], m0: FloatArray
) -> FloatArray:
    still, _ = resample_series(taken.series, taken.affine, transforms)
    pairs = pair_volumes(taken.volume_types, taken.timings)
    relative = subtract_label(still, pairs)[voxels] / m0[voxels][:, None]
    delay = slice_delay(taken.acquisition, taken.brain.shape)[voxels]
    fit = fit_cbf_att(
        torch.from_numpy(relative), taken.acquisition, slice_delay=torch.from_numpy(delay.copy())
    )
    return np.asarray(fit.parameters['cbf'].numpy())


def _not_at_all(taken: Film, _reference: FloatArray) -> FloatArray:
    return np.tile(np.eye(4), (taken.series.shape[-1], 1, 1))


def _bold_rigid(taken: Film, reference: FloatArray) -> FloatArray:
    """Register every volume on its own, as ANTs offers for functional series."""
    ants.config.set_ants_deterministic(on=True, seed_value=1)
    volumes = np.moveaxis(taken.series, -1, 0)
    return np.stack([register(reference, volume, taken.affine) for volume in volumes])


def _ours(taken: Film, reference: FloatArray) -> FloatArray:
    return estimate_motion(
        taken.series,
        reference,
        taken.affine,
        seed=1,
        groups=taken.timings,
        volume_types=taken.volume_types,
    )


METHODS: Mapping[str, Method] = {
    'none': _not_at_all,
    'ANTs BOLDRigid': _bold_rigid,
    'ours': _ours,
}

ALL_SCENES = tuple(Scene(readout, kind) for readout in Readout for kind in Suppression)
QUICK_SCENES = (Scene(Readout.SLICES, Suppression.STRONG),)
