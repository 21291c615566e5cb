"""How well a wrong brain mask can be told by the brain of a template."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from aslprep_nn.benchmark.progress import one_by_one
from aslprep_nn.benchmark.scenes import Film, Readout, Scene, Suppression, film
from aslprep_nn.estimation.benchmark.scenarios import Row, Table
from aslprep_nn.preprocessing.mask import brain_mask
from aslprep_nn.preprocessing.reference import mean_control
from aslprep_nn.quality.template import SeenTemplate, Volume, bring_template, dice
from aslprep_nn.simulation.motion import MotionLevel, rigid_matrix
from aslprep_nn.simulation.phantom import draw_phantom
from aslprep_nn.simulation.t1w import t1w_image

Mask = NDArray[np.bool_]

#: Where the head lay in the session of the T1w, standard deviations [mm, degrees].
ELSEWHERE = (15.0, 5.0)
#: How far a mask is moved [mm], and what its volume is multiplied with, to be wrong.
MOVED, ENLARGED, REDUCED = 20.0, 2.0, 0.5
#: Slices of the middle that a slab keeps.
SLAB = 10


@dataclass(frozen=True)
class Found:
    """One head in one situation: the template found, and its overlap with masks."""

    seen: SeenTemplate
    brain: float
    mask: float
    moved: float
    enlarged: float
    reduced: float
    seconds: float


def template_table(seeds: Sequence[int]) -> Table:
    """Compare right and wrong masks with the template, the T1w being of another session.

    Parameters
    ----------
    seeds
        Each is a head, a place of it and a noise of its own.
    """
    situations = list(product((*Readout, None), ('M0', 'control')))
    rows = [
        _row(readout, image, [_look(readout, image, seed) for seed in seeds])
        for readout, image in one_by_one(situations, 'kinds of image compared')
    ]
    question = (
        'Does the template tell a right mask from a wrong one? Dice of what is hardest to tell, '
        f'{len(seeds)} seeds; controls with a tenth of their signal.'
    )
    return Table('template', question, tuple(rows))


def _row(readout: Readout | None, image: str, heads: Sequence[Found]) -> Row:
    found = [head for head in heads if not head.seen.obstacle] or list(heads)
    return {
        'readout': str(readout or f'slab of {SLAB} slices'),
        'reference': image,
        'registered': sum(not head.seen.obstacle for head in heads),
        'true brain': round(min(head.brain for head in found), 3),
        'mask of the app': round(min(head.mask for head in found), 3),
        f'moved {MOVED:g} mm': round(max(head.moved for head in found), 3),
        'twice as large': round(max(head.enlarged for head in found), 3),
        'half as large': round(max(head.reduced for head in found), 3),
        'correlation': round(min(head.seen.correlation for head in heads), 2),
        'gain': round(min(head.seen.gain for head in heads), 2),
        'CPU seconds': round(max(head.seconds for head in heads), 1),
    }


def _look(readout: Readout | None, image: str, seed: int) -> Found:
    suppression = Suppression.NONE if image == 'M0' else Suppression.STRONG
    scene = Scene(readout or Readout.VOLUME, suppression, MotionLevel.NONE, n_pairs=1)
    taken = film(scene, seed)
    shown = taken.m0 if image == 'M0' else mean_control(taken.series, taken.volume_types)
    reference, brain, mask = _slices(taken, shown, is_slab=readout is None)
    started = time.process_time()
    seen = bring_template(reference, _t1w_of_another_session(seed), seed=seed)
    seconds = time.process_time() - started
    return Found(
        seen,
        brain=dice(seen.brain, brain),
        mask=dice(seen.brain, mask),
        moved=max(dice(seen.brain, wrong) for wrong in _moved(mask, reference.affine)),
        enlarged=dice(seen.brain, _resized(mask, reference.affine, ENLARGED)),
        reduced=dice(seen.brain, _resized(mask, reference.affine, REDUCED)),
        seconds=seconds,
    )


def _slices(taken: Film, shown: np.ndarray, *, is_slab: bool) -> tuple[Volume, Mask, Mask]:
    """Return the image, the true brain and the mask of the app: in the middle slices of a slab."""
    first = (shown.shape[2] - SLAB) // 2 if is_slab else 0
    kept = slice(first, first + SLAB) if is_slab else slice(None)
    upwards = np.eye(4)
    upwards[2, 3] = first
    affine = taken.affine @ upwards
    image = shown[..., kept]
    return Volume(image, affine), taken.brain[..., kept], brain_mask(image, affine)


def _t1w_of_another_session(seed: int) -> Volume:
    rng = np.random.default_rng((seed, 3))
    t1w, affine = t1w_image(draw_phantom(np.random.default_rng(seed)), rng)
    where = np.concatenate(
        [rng.normal(0, ELSEWHERE[0], 3), np.deg2rad(rng.normal(0, ELSEWHERE[1], 3))]
    )
    return Volume(t1w, rigid_matrix(where) @ affine)


def _moved(mask: Mask, affine: np.ndarray) -> Iterator[Mask]:
    """Move a mask along each axis, both ways; across the slices only where they hold the head."""
    edges = np.linalg.norm(affine[:3, :3], axis=0)
    for axis in range(3 if mask.shape[2] > SLAB else 2):
        for way in (1, -1):
            by = [0.0, 0.0, 0.0]
            by[axis] = way * MOVED / edges[axis]
            yield ndimage.shift(mask.astype(float), by, order=1) > 0.5


def _resized(mask: Mask, affine: np.ndarray, factor: float) -> Mask:
    """Grow or shrink a mask along its surface until its volume is multiplied by a factor."""
    edges = np.linalg.norm(affine[:3, :3], axis=0)
    outside = ndimage.distance_transform_edt(~mask, sampling=edges)
    inside = ndimage.distance_transform_edt(mask, sampling=edges)
    depth = np.sort((outside - inside).ravel())
    wanted = min(round(factor * int(mask.sum())), mask.size - 1)
    return np.asarray(outside - inside < depth[wanted])
