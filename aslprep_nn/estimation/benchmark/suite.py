"""All tables of the benchmark, in full or quickly."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping

import torch

from aslprep_nn.estimation.benchmark import accuracy, speed
from aslprep_nn.estimation.benchmark.early_arrival import early_arrival
from aslprep_nn.estimation.benchmark.other_models import other_models
from aslprep_nn.estimation.benchmark.scenarios import Table


def benchmark_tables(*, quick: bool) -> Mapping[str, Callable[[], Table]]:
    """List the tables by name; each is made when it is called.

    Parameters
    ----------
    quick
        A minute instead of a quarter of an hour: fewer voxels, the same questions.
    """
    tables = {
        'recovery': lambda: accuracy.recovery(100 if quick else 2000),
        'optimum': lambda: accuracy.optimum(*((300, 50) if quick else (5000, 300))),
        'models': lambda: other_models(100 if quick else 1000),
        'scatter': lambda: accuracy.scatter(4000 if quick else 40000),
        'macrovascular': lambda: accuracy.macrovascular(1000 if quick else 5000),
        'speed': lambda: speed.against_scipy(50_000 if quick else 200_000),
        'scaling': lambda: speed.scaling(10**4 if quick else 10**7),
    }
    tables['early'] = lambda: early_arrival(1000 if quick else 6000)
    if shutil.which('g++') and not quick:
        tables['compiled'] = lambda: speed.compiled(200_000)
    if torch.cuda.is_available():
        tables['accelerator'] = lambda: speed.on_accelerator(10**6 if quick else 10**7)
    return tables
