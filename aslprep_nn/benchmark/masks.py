"""How well the brain is found in M0 and in suppressed controls."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from aslprep_nn.benchmark.progress import one_by_one
from aslprep_nn.benchmark.scenes import Readout, Scene, Suppression, film
from aslprep_nn.estimation.benchmark.scenarios import Row, Table
from aslprep_nn.preprocessing.mask import brain_mask
from aslprep_nn.preprocessing.reference import mean_control
from aslprep_nn.quality.template import dice
from aslprep_nn.simulation.motion import MotionLevel


def mask_table(seeds: Sequence[int]) -> Table:
    """Compare masks with the true brain of a head that lies still.

    Parameters
    ----------
    seeds
        Each is a head and a noise of its own.
    """
    rows: list[Row] = []
    scenes = list(product(Readout, (Suppression.NONE, Suppression.STRONG)))
    for readout, suppression in one_by_one(scenes, 'kinds of image masked'):
        scene = Scene(readout, suppression, MotionLevel.NONE, n_pairs=1)
        overlaps = []
        for seed in seeds:
            taken = film(scene, seed)
            control = mean_control(taken.series, taken.volume_types)
            overlaps.append(
                [
                    dice(brain_mask(image, taken.affine), taken.brain)
                    for image in (taken.m0, control)
                ]
            )
        rows.append(
            {
                'readout': str(readout),
                'suppression': str(suppression),
                'M0, worst seed': round(min(m0 for m0, _ in overlaps), 3),
                'control, worst seed': round(min(control for _, control in overlaps), 3),
            }
        )
    return Table('mask', f'Is the brain found? Dice, {len(seeds)} seeds.', tuple(rows))
