"""All tables of the benchmark of the tests, in full or quickly."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from aslprep_nn.estimation.benchmark.scenarios import Table
from aslprep_nn.misspecification.benchmark import speed


def trust_tables(*, quick: bool) -> Mapping[str, Callable[[], Table]]:
    """List the tables by name; each is made when it is called.

    Parameters
    ----------
    quick
        Seconds instead of minutes: fewer voxels, the same questions.
    """
    tables = {
        'parts': lambda: speed.parts(10_000 if quick else 40_000),
        'scaling': lambda: speed.scaling(10**3 if quick else 10**6),
    }
    if torch.cuda.is_available():
        tables['accelerator'] = lambda: speed.on_accelerator(10**5 if quick else 10**6)
    return tables
