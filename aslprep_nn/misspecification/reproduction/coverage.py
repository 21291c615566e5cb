"""How many estimates lie within the standard deviations that are given with them?"""

from __future__ import annotations

import torch
from torch import Tensor

from aslprep_nn.estimation.benchmark.scenarios import Row, Table
from aslprep_nn.misspecification.reproduction.scenarios import (
    BRAIN,
    Scenario,
    Truth,
    fit_and_assess,
    generator_of,
    measure,
    repeat,
)
from aslprep_nn.misspecification.sandwich import standard_deviations

#: A normal distribution has .683 of its values within the first and .950 within the second.
MULTIPLES = (1.0, 1.96)


def coverage_table(n_voxels: int, seed: int) -> Table:
    """Compare what the bound, the repetitions and the larger of both cover."""
    rows: list[Row] = []
    for scenario in (Scenario.CORRECT, Scenario.FLOW):
        for count in (4, 8):
            generator = generator_of(seed, 1300 + count, list(Scenario).index(scenario))
            truth = Truth.draw(BRAIN.population, n_voxels, generator)
            data = measure(scenario, truth, BRAIN, count, generator)
            fit, found = fit_and_assess(data, repeat(BRAIN.protocol, count))
            distance = (fit.parameters['cbf'] - truth.cbf).abs()
            std = {
                'bound alone': fit.std['cbf'],
                'repetitions alone': found.statistics['stdcbf'],
                'the larger': standard_deviations(found, fit)['cbf'],
            }
            row: Row = {'truth': str(scenario), 'repetitions': count}
            rows.append({**row, **{name: _covered(distance, one) for name, one in std.items()}})
    question = (
        'What share of CBF estimates lies within one standard deviation of the truth, and within '
        '1.96? Brain, 21 delays, noise .002; .68 and .95 are right.'
    )
    return Table('coverage', question, tuple(rows))


def _covered(distance: Tensor, std: Tensor) -> str:
    known = torch.isfinite(distance) & torch.isfinite(std)
    within, within_more = (
        float((distance <= multiple * std)[known].double().mean()) for multiple in MULTIPLES
    )
    return f'{within:.2f} ({within_more:.2f})'
