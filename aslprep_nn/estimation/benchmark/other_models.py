"""Models whose intervals are not cones: the fan of halved cones against an exhaustive search."""

from __future__ import annotations

import time
from dataclasses import replace

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.estimation.benchmark.scenarios import (
    BRAIN,
    KIDNEY,
    PCASL_6,
    PCASL_21,
    Population,
    Row,
    Table,
    acquire,
    draw,
)
from aslprep_nn.estimation.exhaustive import search_exhaustively
from aslprep_nn.estimation.least_squares import ATT_RANGE, fit_cbf_att
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.maps import FitStatus
from aslprep_nn.signal.continuous import OutflowKinetics
from aslprep_nn.signal.dispersion import DispersedKinetics
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.pulsed import PulsedBolusKinetics
from aslprep_nn.signal.response import Kinetics

PASL_10 = acquire(LabelingType.PASL, [0.3 * i for i in range(1, 11)], 0.8, 0.98)
CASES: tuple[tuple[str, Acquisition, Kinetics, Population], ...] = (
    ('dispersed bolus', PCASL_6, DispersedKinetics(), BRAIN),
    ('dispersed bolus', PCASL_21, DispersedKinetics(), BRAIN),
    ('outflow', PCASL_6, OutflowKinetics(), KIDNEY),
    ('outflow', PCASL_21, OutflowKinetics(), KIDNEY),
    ('pulsed bolus', PASL_10, PulsedBolusKinetics(), BRAIN),
)


def other_models(n_voxels: int) -> Table:
    """Compare the cost reached with the least cost that exists, model by model."""
    rows: list[Row] = [
        {
            'model': name,
            'timings': acquisition.n_measurements,
            **_compare(acquisition, kinetics, population, n_voxels),
        }
        for name, acquisition, kinetics, population in CASES
    ]
    return Table(
        'models', 'Is the optimum global for models that bend between kinks, too?', tuple(rows)
    )


def _compare(
    acquisition: Acquisition, kinetics: Kinetics, population: Population, n_voxels: int
) -> Row:
    acquisition = replace(acquisition, t1_tissue=population.t1_tissue)
    model = SignalModel.of([acquisition], [kinetics])
    cbf, att, plain = draw(acquisition, population, n_voxels)
    noise = plain - SignalModel.of([acquisition]).linearize(cbf, att).delta_m.mT
    signal = model.linearize(cbf, att).delta_m.mT + noise
    data = Repetitions.of([acquisition]).summarize(signal)
    first = min(acquisition.pld)
    least = search_exhaustively(model, data, (first, ATT_RANGE[1]))[2]
    start = time.perf_counter()
    fit = fit_cbf_att(signal.float(), acquisition, kinetics=[kinetics])
    seconds = time.perf_counter() - start
    point = fit.parameters['cbf'].double(), fit.parameters['att'].double().nan_to_num(first)
    excess = (signal.mT - model.linearize(*point).delta_m).square().sum(0) / least - 1
    return {
        'voxels': n_voxels,
        'within 1e-6 [%]': round(100 * (excess < 1e-6).double().mean().item(), 2),
        'over 1 % [%]': round(100 * (excess > 0.01).double().mean().item(), 2),
        'worst excess': float(f'{excess.max().item():.2g}'),
        'fit [us/voxel]': round(1e6 * seconds / n_voxels, 1),
        'on a kink [%]': round(100 * (fit.status == FitStatus.ON_KINK).double().mean().item(), 1),
    }
