"""Figure 6 of the paper, in simulation: R1 from MRF-FISP in subspaces of several sizes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

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
    r1_rms
        Root mean square of the relative error of single measurements, likewise.
    """

    t1: Tensor
    t2: Tensor
    r1_error: dict[tuple[int, float], Tensor]
    r1_rms: dict[tuple[int, float], Tensor]


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
    mean, rms = {}, {}
    for n in N_COMPONENTS:
        for weight in WEIGHTS:
            subspace = dictionary.subspace(weight).truncated(n)
            found = grid.match(subspace.compress(data), subspace)['t1']
            error = (true_t1.repeat(N_REPEATED) / found - 1).reshape(N_REPEATED, n_values, -1)
            mean[n, weight] = error.mean(0)
            rms[n, weight] = error.square().mean(0).sqrt()
    return PlaneMaps(t1, t2, mean, rms)


def plane_table(found: PlaneMaps) -> Table:
    """List the errors of R1 over the whole plane."""
    rows: list[Row] = []
    for (n, weight), error in found.r1_error.items():
        rows.append(
            {
                'components': n,
                'lambda': weight,
                'mean |bias| of R1 %': f'{100 * float(error.abs().mean()):.2f}',
                'rms error %': f'{100 * float(found.r1_rms[n, weight].square().mean().sqrt()):.2f}',
            }
        )
    question = 'How wrong is R1 of grey and white matter, over all T1 and T2, in each subspace?'
    return Table('maps', question, tuple(rows))
