"""Whether a brain mask lies where the brain of a template does, seen through a T1w."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from nilearn.datasets import load_mni152_brain_mask, load_mni152_template
from numpy.typing import NDArray
from scipy import ndimage, signal

from aslprep_nn.maps import FloatArray
from aslprep_nn.preprocessing.across_contrasts import (
    Moves,
    mutual_information,
    register,
    repeat_exactly,
)
from aslprep_nn.preprocessing.motion import registration_obstacle
from aslprep_nn.preprocessing.resample import resample_volume

#: Edge of the voxels that T1w and template are registered in [mm].
VOXEL_SIZE = 2.0

#: No T1w is longer than this along any axis of the world [mm].
LARGEST_EXTENT = 1000.0

#: Steps in which a T1w is searched for the template first [mm], and the least variance of its
#: values, relative to the largest, with which they correlate: air does with anything.
SHIFT_STEP, SMALLEST_SHARE = 8.0, 0.05

#: How far around its brain the template, which has no skull, says that a T1w is dark [mm].
RIM = 8.0

#: Correlation of T1w and template, within brain and rim, from which one is found in the other.
LEAST_CORRELATION = 0.65

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


class SeenTemplate(NamedTuple):
    """The brain of the template as a series sees it, and how surely.

    Parameters
    ----------
    brain
        ``(x, y, z)`` on the grid of the series; empty where it was not found.
    obstacle
        Why it was not found, as a clause; '' where it was.
    correlation
        Of T1w and template.
    gain
        How many times as well T1w and series agree as when displaced.
    """

    brain: NDArray[np.bool_]
    obstacle: str = ''
    correlation: float = math.nan
    gain: float = math.nan


def template_overlap(
    mask: NDArray[np.bool_],
    reference: Volume,
    t1w: Volume,
    *,
    fov_mask: NDArray[np.bool_],
    seed: int,
) -> TemplateOverlap:
    """Compare a brain mask with the brain of the template, inside the field of view.

    Parameters
    ----------
    mask
        The brain of the series, ``(x, y, z)``.
    reference, t1w, seed
        As of `bring_template`.
    fov_mask
        The voxels that were measured, ``(x, y, z)``; nothing else is compared.
    """
    found = bring_template(reference, t1w, seed=seed)
    if found.obstacle:
        return TemplateOverlap(obstacle=found.obstacle)
    return TemplateOverlap(dice(mask & fov_mask, found.brain & fov_mask))


def bring_template(reference: Volume, t1w: Volume, *, seed: int) -> SeenTemplate:
    """Bring the brain of MNI152 (Fonov et al. 2011) to a series by way of a T1w.

    The template is registered to the T1w affinely and the T1w to the series rigidly; its brain
    then comes to the grid of the series by one interpolation. Where one of the registrations
    has evidently failed there is no brain, for it would be in the wrong place.

    Parameters
    ----------
    reference
        The image that the series is aligned to; NaN is ignored.
    t1w
        Of the same head, with or without skull; what is not finite is read as air.
    seed
        Of the sampling of the metric. With it one thread is used, and results repeat exactly.
    """
    nothing: NDArray[np.bool_] = np.zeros(reference.data.shape, dtype=bool)
    if registration_obstacle(nothing.shape, reference.affine):
        return SeenTemplate(nothing, 'the series has too few slices or too large voxels')
    extent = float(np.ptp(_bounds(t1w), axis=0).max())
    if extent > LARGEST_EXTENT:
        obstacle = f'it is {extent:.4g} mm long, at most {LARGEST_EXTENT:g} mm can be a head'
        return SeenTemplate(nothing, obstacle)
    repeat_exactly(seed)
    coarse = average_blocks(t1w, VOXEL_SIZE)
    head = Volume(np.where(np.isfinite(coarse.data), coarse.data, 0), coarse.affine)
    in_t1w, correlation = find_template(head)
    if correlation < LEAST_CORRELATION:
        obstacle = (
            'the template could not be registered to it (their correlation is '
            f'{correlation:.2f}, at least {LEAST_CORRELATION:g} is needed)'
        )
        return SeenTemplate(nothing, obstacle, correlation)
    position, gain = find_series(reference, head, around=in_t1w)
    if gain < LEAST_GAIN:
        obstacle = (
            f'it could not be registered to the series (they agree {gain:.2f} times as well as '
            f'when displaced by {DISPLACEMENT:g} mm, at least {LEAST_GAIN:g} is needed)'
        )
        return SeenTemplate(nothing, obstacle, correlation, gain)
    to_template = np.linalg.inv(in_t1w) @ position
    grid = reference.data.shape[:3]
    brain = resample_volume(*whole_template(), grid, reference.affine, to_template)
    return SeenTemplate(brain > 0.5, '', correlation, gain)


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
    """Register the template to a T1w: by a shift, then rigidly, then affinely.

    Mutual information finds what is near, and headers do not tell where a head lies. Of all
    shifts the one is the start at which both correlate best.

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
    found = best_shift(average_blocks(template, SHIFT_STEP), average_blocks(head, SHIFT_STEP))
    for size, moves in ((2 * VOXEL_SIZE, Moves.RIGIDLY), (VOXEL_SIZE, Moves.AFFINELY)):
        fixed, moving = average_blocks(template, size), average_blocks(head, size)
        moved = register(
            *(fixed.data, moving.data, fixed.affine),
            volume_affine=moving.affine,
            start=found,
            moves=moves,
        )
        if _correlation(template, head, moved) > _correlation(template, head, found):
            found = moved
    return found, _correlation(template, head, found)


def best_shift(template: Volume, head: Volume) -> FloatArray:
    """Return the shift of the template at which it correlates best with a T1w, ``(4, 4)`` [mm].

    Sums over the template's voxels at every shift are convolutions, in steps of its voxels.

    Parameters
    ----------
    template
        Along the axes of the world, in voxels of `SHIFT_STEP`; NaN where it is not known.
    head
        The T1w.
    """
    low, high = _bounds(head)
    grid = np.diag([SHIFT_STEP, SHIFT_STEP, SHIFT_STEP, 1.0])
    grid[:3, 3] = low
    x, y, z = np.ceil((high - low) / SHIFT_STEP).astype(int) + 1
    image = np.nan_to_num(resample_volume(*head, (x, y, z), grid))
    known = np.isfinite(template.data)
    varying = np.where(known, template.data - np.nanmean(template.data), 0)
    total, squares, product = (
        signal.correlate(values, weights, mode='full', method='fft')
        for values, weights in (
            (image, known.astype(float)), (image**2, known.astype(float)), (image, varying),
        )
    )  # fmt: skip
    variance = squares - total**2 / known.sum()
    score = product / np.sqrt(np.maximum(variance, SMALLEST_SHARE * variance.max()))
    best = np.unravel_index(int(np.argmax(score)), score.shape)
    steps = np.array(best) - (np.array(known.shape) - 1)
    return _shift(low + SHIFT_STEP * steps - template.affine[:3, 3])


def _bounds(image: Volume) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and highest world coordinates of the voxels of an image [mm]."""
    corners = np.stack(np.meshgrid(*((0, n - 1) for n in image.data.shape), indexing='ij'))
    world = image.affine[:3, :3] @ corners.reshape(3, -1) + image.affine[:3, 3:]
    return world.min(axis=1), world.max(axis=1)


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
