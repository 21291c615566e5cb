"""All tables of the benchmark of preprocessing, in full or quickly."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aslprep_nn.benchmark.corruption import corruption_table
from aslprep_nn.benchmark.masks import mask_table
from aslprep_nn.benchmark.motion import ALL_SCENES, QUICK_SCENES, motion_table
from aslprep_nn.benchmark.routes import largest_voxels_table, routes_table
from aslprep_nn.benchmark.template import template_table
from aslprep_nn.estimation.benchmark.scenarios import Table

SEEDS = range(5)
#: How long M0 recovers [s].
REPETITION_TIMES = (1.0, 1.5, 2.0, 2.5, 4.0, 7.0, 10.0)


def preprocessing_tables(*, quick: bool) -> Mapping[str, Callable[[], Table]]:
    """List the tables by name; each is made when it is called.

    Parameters
    ----------
    quick
        Minutes instead of hours: one seed, one scene, the same questions.
    """
    seeds = SEEDS[:1] if quick else SEEDS
    scenes, with_m0 = (QUICK_SCENES, (True,)) if quick else (ALL_SCENES, (True, False))
    return {
        'motion': lambda: motion_table(seeds, scenes, with_m0),
        'corruption': lambda: corruption_table(seeds, 4 if quick else 8),
        'mask': lambda: mask_table(seeds),
        'largest-voxels': lambda: largest_voxels_table(seeds),
        'template': lambda: template_table(seeds),
        'routes': lambda: routes_table(seeds, (1.0, 10.0) if quick else REPETITION_TIMES),
    }
