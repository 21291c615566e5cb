"""Figure 6 of the paper, in simulation: R1 from MRF-FISP in subspaces of several sizes.

T2 is measured along with it, because one tissue says little about all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from aslprep_nn.estimation.benchmark.evidence import Finding, Rule
from aslprep_nn.estimation.benchmark.scenarios import Row, Table
from aslprep_nn.estimation.subspace.basis import Dictionary
from aslprep_nn.estimation.subspace.reproduction.cases import MRF_CASE, TISSUES, lobe
from aslprep_nn.estimation.subspace.reproduction.matching import MatchingGrid
from aslprep_nn.estimation.subspace.reproduction.phase_graph import PulseTrain
from aslprep_nn.estimation.subspace.reproduction.scatter import SIGNAL_TO_NOISE

#: The paper's sizes and weights.
N_COMPONENTS, WEIGHTS = (3, 4, 10), (0.0, 0.3)
#: Tissues are matched against as many entries along each axis as they have values there,
#: times this.
FINENESS = 2
#: Measurements of each tissue that are averaged on the maps.
N_REPEATED = 16


@dataclass(frozen=True)
class PlaneMaps:
    """Errors over a plane of grey and white matter.

    Parameters
    ----------
    t1, t2
        True values along the axes [s].
    r1_error
        Mean relative error of R1 by number of components and weight, ``(t2, t1)`` [1].
    r1_rms, t2_rms
        Root mean squares of the relative errors of single measurements, likewise.
    """

    t1: Tensor
    t2: Tensor
    r1_error: dict[tuple[int, float], Tensor]
    r1_rms: dict[tuple[int, float], Tensor]
    t2_rms: dict[tuple[int, float], Tensor]


def plane_maps(n_values: int, n_tissues: int, seed: int) -> PlaneMaps:
    """Measure, compress and match every tissue of a plane several times.

    The paper's scan has a brain and streaks of undersampling; here are all its tissues and
    white noise.
    """
    brain = TISSUES[0]
    t1 = torch.linspace(*brain.t1, n_values, dtype=torch.float64)
    t2 = torch.linspace(*brain.t2, n_values, dtype=torch.float64)
    train = PulseTrain(lobe(), n_orders=brain.n_orders)
    fine = [
        torch.linspace(*bounds, FINENESS * (n_values - 1) + 1, dtype=torch.float64)
        for bounds in (brain.t1, brain.t2)
    ]
    grid = MatchingGrid.of(train, *fine)
    true_t2, true_t1 = (part.flatten() for part in torch.meshgrid(t2, t1, indexing='ij'))
    draw = torch.Generator().manual_seed(seed)
    clean = train.signal(true_t1, true_t2).repeat(N_REPEATED, 1)
    noise = torch.randn(clean.shape, generator=draw, dtype=torch.float64)
    data = clean + noise / SIGNAL_TO_NOISE
    dictionary = Dictionary.of(MRF_CASE.make(n_tissues, seed))
    truth = {'t1': true_t1.repeat(N_REPEATED), 't2': true_t2.repeat(N_REPEATED)}
    mean, r1_rms, t2_rms = {}, {}, {}
    for n in N_COMPONENTS:
        for weight in WEIGHTS:
            subspace = dictionary.subspace(weight).truncated(n)
            found = grid.match(subspace.compress(data), subspace)
            r1_error, t2_error = (
                error.reshape(N_REPEATED, n_values, -1)
                for error in (truth['t1'] / found['t1'] - 1, found['t2'] / truth['t2'] - 1)
            )
            mean[n, weight] = r1_error.mean(0)
            r1_rms[n, weight] = r1_error.square().mean(0).sqrt()
            t2_rms[n, weight] = t2_error.square().mean(0).sqrt()
    return PlaneMaps(t1, t2, mean, r1_rms, t2_rms)


def plane_findings(found: PlaneMaps) -> Iterator[Finding]:
    """Compare errors with and without the bounds in the weight, averaged over all tissues."""
    n, (plain, weighted) = N_COMPONENTS[0], WEIGHTS
    for name, rms in (('R1', found.r1_rms), ('T2', found.t2_rms)):
        yield Finding(
            'Figure 6',
            f'MRF-FISP, {n} components, mean over tissues: error of {name}, '
            f'lambda {weighted:g} over {plain:g}',
            float(rms[n, weighted].mean() / rms[n, plain].mean()),
            float('nan'),
            1.0,
            rule=Rule.AT_MOST,
        )


def plane_table(found: PlaneMaps) -> Table:
    """List the errors of R1 over the whole plane."""
    rows: list[Row] = []
    for (n, weight), error in found.r1_error.items():
        rows.append(
            {
                'components': n,
                'lambda': weight,
                'mean |bias| of R1 %': f'{100 * float(error.abs().mean()):.2f}',
                'rms error of R1 %': _percent(found.r1_rms[n, weight]),
                'rms error of T2 %': _percent(found.t2_rms[n, weight]),
            }
        )
    question = (
        'How wrong are R1 and T2 of grey and white matter, over all T1 and T2, in each subspace?'
    )
    return Table('maps', question, tuple(rows))


def _percent(rms: Tensor) -> str:
    return f'{100 * float(rms.square().mean().sqrt()):.2f}'
