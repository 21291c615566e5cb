"""Blood that arrives before the first delay: whether the fitter says that it cannot tell when."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.benchmark.scenarios import BRAIN, Row, Table, pcasl
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.maps import FitStatus
from aslprep_nn.signal.kinetics import delta_m
from aslprep_nn.signal.protocol import Protocol

N_REPETITIONS = 8
POPULATION = replace(BRAIN, cbf=(20, 100), att=(0.3, 2.0))
#: A protocol, and how much later than the first one the slice is read out [s].
CASES = (
    (pcasl((0.7, 1.0, 1.3, 1.6, 1.9, 2.2, 2.6) * N_REPETITIONS, 1.8), 0.0),
    (pcasl((0.25, 0.5, 0.75, 1.0, 1.25, 1.5) * N_REPETITIONS, 1.8), 0.8),
)
#: Arrivals this close to the first delay on either side are not counted [s].
EARLIER, LATER = 0.02, 0.3


def early_arrival(n_voxels: int) -> Table:
    """Count voxels whose early arrival passes for a later one, and what intervals cover."""
    rows = [
        _row(acquisition, late, noise, n_voxels)
        for acquisition, late in CASES
        for noise in (5e-4, 1e-3, 2e-3)
    ]
    question = 'Is an arrival before the first delay told from one after it?'
    return Table('early', question, tuple(rows))


def _row(acquisition: Acquisition, late: float, noise: float, n_voxels: int) -> Row:
    generator = torch.Generator().manual_seed(1)

    def uniform(bounds: tuple[float, float]) -> Tensor:
        unit = torch.rand(n_voxels, generator=generator, dtype=torch.float64)
        return bounds[0] + (bounds[1] - bounds[0]) * unit

    cbf, att = uniform(POPULATION.cbf), uniform(POPULATION.att)
    delay = torch.full_like(cbf, late)
    signal = delta_m(cbf, att, Protocol.of(acquisition, slice_delay=delay))
    scatter = torch.randn(signal.shape, generator=generator, dtype=torch.float64)
    fit = fit_cbf_att((signal + noise * scatter).float(), acquisition, slice_delay=delay)
    told = fit.status != FitStatus.ATT_NOT_IDENTIFIABLE
    first = min(acquisition.pld) + late

    def covered(name: str, truth: Tensor, voxels: Tensor) -> float:
        near = (fit.parameters[name] - truth).abs() < 1.96 * fit.std[name]
        return round(near[voxels].double().mean().item(), 2)

    return {
        'first delay [s]': round(first, 2),
        'noise': noise,
        'early, not flagged [%]': _percent(told[att < first - EARLIER]),
        'late, flagged [%]': _percent(~told[att > first + LATER]),
        'CBF covered': covered('cbf', cbf, told),
        'ATT covered': covered('att', att, told),
        'CBF covered, flagged': covered('cbf', cbf, ~told),
    }


def _percent(claims: Tensor) -> float:
    return round(100 * claims.double().mean().item(), 1)
