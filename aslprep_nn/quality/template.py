"""Whether a brain mask lies where the brain of a template does, seen through a T1w."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import NamedTuple

import ants
import numpy as np
from nilearn.datasets import load_mni152_brain_mask, load_mni152_template
from numpy.typing import NDArray
from scipy import ndimage

from aslprep_nn.maps import FloatArray
from aslprep_nn.preprocessing.across_contrasts import Moves, mutual_information, register
from aslprep_nn.preprocessing.motion import registration_obstacle
from aslprep_nn.preprocessing.resample import resample_volume

#: Edge of the voxels that T1w and template are registered in [mm].
VOXEL_SIZE = 2.0

#: How far around its brain the template, which has no skull, says that a T1w is dark [mm].
RIM = 8.0

#: Correlation of T1w and template, within brain and rim, from which one is found in the other.
LEAST_CORRELATION = 0.6

#: A head is found where it agrees better with the T1w by this factor than displaced so far [mm].
LEAST_GAIN, DISPLACEMENT = 1.1, 20.0

#: Of the images compared, before comparing: noise must not hide agreement [voxels].
SMOOTHING = 1.0


@dataclass(frozen=True)
class TemplateOverlap:
    """How a brain mask overlaps with the brain of a template.

    Parameters
    ----------
    dice
        Of both inside the field of view [1]; NaN where it could not be told.
    obstacle
        Why it could not be told, as a clause; '' where it could.
    """

    dice: float = math.nan
    obstacle: str = ''

    def as_json(self) -> str:
        """Write it down."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> TemplateOverlap:
        """Read what `as_json` wrote."""
        return cls(**json.loads(text))


class Volume(NamedTuple):
    """Values, ``(x, y, z)``, and their voxel to world, RAS [mm]."""

    data: FloatArray
    affine: FloatArray


def template_overlap(
    mask: NDArray[np.bool_],
    reference: Volume,
    t1w: Volume,
    *,
    fov_mask: NDArray[np.bool_],
    seed: int,
) -> TemplateOverlap:
    """Compare a brain mask with the brain of MNI152 (Fonov et al. 2011), Dice in the slices.

    The template is registered to the T1w affinely and the T1w to the series rigidly. The brain
    of the template then comes to the grid of the series by one interpolation. Where one of the
    registrations has evidently failed, its result says nothing about the mask, and none is given.

    Parameters
    ----------
    mask
        The brain of the series, ``(x, y, z)``.
    reference
        The image it was made from, on the same grid.
    t1w
        Of the same head, with or without skull; NaN is read as air.
    fov_mask
        The voxels that were measured, on the grid of the mask; nothing else is compared.
    seed
        Of the sampling of the metric. With it one thread is used, and results repeat exactly.
    """
    if registration_obstacle(mask.shape, reference.affine):
        return TemplateOverlap(obstacle='the series has too few slices or too large voxels')
    ants.config.set_ants_deterministic(on=True, seed_value=seed)
    head = average_blocks(Volume(np.nan_to_num(t1w.data), t1w.affine), VOXEL_SIZE)
    in_t1w, correlation = find_template(head)
    if correlation < LEAST_CORRELATION:
        return TemplateOverlap(
            obstacle='the template could not be registered to it (their correlation is '
            f'{correlation:.2f}, at least {LEAST_CORRELATION:g} is needed)'
        )
    position, gain = find_series(reference, head, around=in_t1w)
    if gain < LEAST_GAIN:
        return TemplateOverlap(
            obstacle='it could not be registered to the series (they agree '
            f'{gain:.2f} times as well as when displaced by {DISPLACEMENT:g} mm, at least '
            f'{LEAST_GAIN:g} is needed)'
        )
    whole = whole_template()
    to_template = np.linalg.inv(in_t1w) @ position
    brain = resample_volume(*whole, mask.shape, reference.affine, to_template) > 0.5
    return TemplateOverlap(dice(mask & fov_mask, brain & fov_mask))


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return twice the common volume over the sum of both; NaN where both are empty."""
    both = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / both if both else math.nan


def average_blocks(image: Volume, size: float) -> Volume:
    """Average blocks of voxels into voxels of about a size [mm], or leave coarser ones alone."""
    edges = np.linalg.norm(image.affine[:3, :3], axis=0)
    factors = np.maximum(1, np.round(size / edges)).astype(int).clip(max=image.data.shape)
    counts = np.array(image.data.shape) // factors
    kept = image.data[tuple(slice(n * factor) for n, factor in zip(counts, factors, strict=True))]
    blocks = kept.reshape(np.column_stack([counts, factors]).ravel())
    to_fine = np.diag([*factors, 1.0])
    to_fine[:3, 3] = (factors - 1) / 2
    return Volume(np.asarray(blocks.mean(axis=(1, 3, 5))), image.affine @ to_fine)


@lru_cache(maxsize=1)
def whole_template() -> Volume:
    """Return the brain of the template, ventricles included, in voxels of 1 mm, 1 or 0."""
    image = load_mni152_brain_mask(resolution=1, threshold=0.2)
    brain = ndimage.binary_fill_holes(image.get_fdata(dtype=np.float32) > 0)
    return Volume(brain.astype(np.float32), np.asarray(image.affine))


@lru_cache(maxsize=1)
def template_image() -> Volume:
    """Return the T1w of the template, coarse; NaN further from its brain than `RIM`.

    It comes without skull. A rim of zeros around the brain stands for fluid and bone, which are
    dark; of what follows nothing is known, and NaN keeps it out of every comparison.
    """
    image = load_mni152_template(resolution=1)
    bright = Volume(image.get_fdata(dtype=np.float32), np.asarray(image.affine))
    coarse, affine = average_blocks(bright, VOXEL_SIZE)
    brain = average_blocks(whole_template(), VOXEL_SIZE).data > 0.5
    return Volume(np.where(_within_rim(brain, affine), coarse, np.nan), affine)


def _within_rim(brain: NDArray[np.bool_], affine: FloatArray) -> NDArray[np.bool_]:
    edges = np.linalg.norm(affine[:3, :3], axis=0)
    return np.asarray(ndimage.distance_transform_edt(~brain, sampling=edges) <= RIM)


def find_template(head: Volume) -> tuple[FloatArray, float]:
    """Register the template to a T1w: rigidly, then affinely.

    Headers do not tell where a head lies. Starts are tried until one ends well: the centre of
    what is bright, the origin of the world, the middle of the field of view.

    Parameters
    ----------
    head
        The T1w.

    Returns
    -------
    The template-to-T1w transform, world to world, RAS [mm], and the correlation of both within
    brain and rim of the template.
    """
    template = template_image()
    best: FloatArray = np.eye(4)
    correlation = -math.inf
    for start in _starts(head):
        found = start
        for moves in (Moves.RIGIDLY, Moves.AFFINELY):
            found = register(
                *(template.data, head.data, template.affine),
                volume_affine=head.affine,
                start=found,
                moves=moves,
            )
        reached = _correlation(template, head, found)
        if reached > correlation:
            best, correlation = found, reached
        if correlation >= LEAST_CORRELATION:
            break
    return best, correlation


def _starts(head: Volume) -> Iterator[FloatArray]:
    """Yield where the template may be put first, ``(4, 4)`` [mm]."""
    centre = _centre(whole_template().data > 0, whole_template().affine)
    yield _shift(_centre(head.data > head.data.mean(), head.affine) - centre)
    yield np.eye(4)
    yield _shift(_centre(np.ones(head.data.shape, dtype=bool), head.affine) - centre)


def find_series(reference: Volume, head: Volume, *, around: FloatArray) -> tuple[FloatArray, float]:
    """Register a T1w to the reference of a series, rigidly.

    Both were taken of one head, as a rule in one session: the headers are one start, and the
    centre of both brains is the other.

    Parameters
    ----------
    reference
        M0 or control; NaN is ignored.
    head
        The T1w.
    around
        The template-to-T1w transform, which tells where its brain is.

    Returns
    -------
    The series-to-T1w transform, world to world, RAS [mm], and how many times as well as when
    displaced by `DISPLACEMENT` the images agree: by mutual information, against the best of the
    six directions.
    """
    image = np.nan_to_num(reference.data)
    brain = _centre(whole_template().data > 0, around @ whole_template().affine)
    seen = _centre(image > image.mean(), reference.affine)
    found = [
        register(
            *(reference.data, head.data, reference.affine),
            volume_affine=head.affine,
            start=start,
            moves=Moves.RIGIDLY,
        )
        for start in (np.eye(4), _shift(brain - seen))
    ]
    agreement = [_agreement(reference, head, position) for position in found]
    best = int(np.argmax(agreement))
    shifts = DISPLACEMENT * np.concatenate([np.eye(3), -np.eye(3)])
    elsewhere = max(_agreement(reference, head, _shift(by) @ found[best]) for by in shifts)
    return found[best], agreement[best] / elsewhere if elsewhere > 0 else 0.0


def _correlation(template: Volume, head: Volume, position: FloatArray) -> float:
    """Correlate T1w and template where the template is known; 0 where they do not meet."""
    seen = resample_volume(*head, template.data.shape, template.affine, position)
    common = np.isfinite(template.data) & np.isfinite(seen)
    if not common.any() or not np.ptp(seen[common]):
        return 0.0
    return float(np.corrcoef(template.data[common], seen[common])[0, 1])


def _agreement(reference: Volume, head: Volume, position: FloatArray) -> float:
    """Return the mutual information of the series and a T1w, 0 where they do not meet [nat]."""
    seen = resample_volume(*head, reference.data.shape, reference.affine, position)
    common = np.isfinite(reference.data) & np.isfinite(seen)
    if not common.any():
        return 0.0
    images = (
        ndimage.gaussian_filter(np.where(common, values, 0), SMOOTHING)[common]
        for values in (reference.data, seen)
    )
    return float(mutual_information(*images).mean())


def _centre(voxels: NDArray[np.bool_], affine: FloatArray) -> FloatArray:
    """Return the mean place of voxels, ``(3,)`` [mm]; of all where there are none."""
    chosen = voxels if voxels.any() else np.ones_like(voxels)
    middle = [
        np.average(np.arange(n), weights=_along(chosen, axis))
        for axis, n in enumerate(chosen.shape)
    ]
    return np.asarray((affine @ np.array([*middle, 1.0]))[:3])


def _along(voxels: NDArray[np.bool_], axis: int) -> NDArray[np.int_]:
    """Count voxels along an axis, ``(n,)``."""
    others = tuple(other for other in range(3) if other != axis)
    return np.asarray(voxels.sum(axis=others))


def _shift(by: FloatArray) -> FloatArray:
    """Return the translation by a vector [mm], ``(4, 4)``."""
    matrix = np.eye(4)
    matrix[:3, 3] = by
    return matrix
