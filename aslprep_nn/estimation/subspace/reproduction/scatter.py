"""Figure 4 of the paper: bias and scatter of estimates from coefficients, beside their bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.benchmark.evidence import Finding, Rule
from aslprep_nn.estimation.benchmark.scenarios import PCASL_21, Row, Table
from aslprep_nn.estimation.subspace.basis import Dictionary, Subspace
from aslprep_nn.estimation.subspace.bounds import bounds
from aslprep_nn.estimation.subspace.fingerprints import Fingerprints
from aslprep_nn.estimation.subspace.reproduction import reference
from aslprep_nn.estimation.subspace.reproduction.cases import (
    LOOK_LOCKER,
    LOOK_LOCKER_T1_CASE,
    MRF_CASE,
    PCASL_T1_CASE,
    Case,
    lobe,
)
from aslprep_nn.estimation.subspace.reproduction.matching import MatchingGrid
from aslprep_nn.estimation.subspace.reproduction.phase_graph import PulseTrain
from aslprep_nn.estimation.tissue_t1 import fit_cbf_att_t1
from aslprep_nn.signal.model import SignalModel

#: The paper's ratio of M0, or here also of the largest difference signal, to noise.
SIGNAL_TO_NOISE = 50.0
#: Weights that are compared, and sizes of subspace.
WEIGHTS = (0.0, 0.5)
N_COMPONENTS = (3, 4, 5, 8)
#: White matter of the paper's section III-D: T1 and T2 [s].
WHITE_MATTER = {'t1': 0.81, 't2': 0.025}
#: A voxel of grey matter, its ATT away from kinks: CBF [mL/100 g/min], ATT [s].
GREY_MATTER = {'cbf': 60.0, 'att': 1.3}

#: Perfusion protocols in which T1 is fitted too.
FITTED_CASES = ((PCASL_T1_CASE, PCASL_21), (LOOK_LOCKER_T1_CASE, LOOK_LOCKER))

#: Turns coefficients, ``(draw, component)``, in a subspace into estimates by parameter.
Estimate = Callable[[Tensor, Subspace], Mapping[str, Tensor]]


@dataclass(frozen=True)
class Scatter:
    """Bias and standard deviation of one parameter, relative to its true value.

    Parameters
    ----------
    parameter
        Its name.
    truth
        Its value.
    bias, std, exact_bound
        Mean error, standard deviation, and the root of the exact bound by number of components
        and weight [1].
    bias_error
        Standard error of the bias [1].
    uncompressed_bound
        Root of the bound of all measurements [1].
    """

    parameter: str
    truth: float
    bias: dict[tuple[int, float], float]
    std: dict[tuple[int, float], float]
    exact_bound: dict[tuple[int, float], float]
    bias_error: dict[tuple[int, float], float]
    uncompressed_bound: float


@dataclass(frozen=True)
class CaseScatter:
    """What estimates of one tissue are like in every subspace of a case."""

    case: Case
    parameters: tuple[Scatter, ...]


def fingerprinting_scatter(n_tissues: int, n_draws: int, seed: int) -> CaseScatter:
    """Match white matter against a dictionary, in subspaces of the MRF-FISP miniature."""
    train = PulseTrain(lobe(), n_orders=32)
    tissue = train.fingerprints(*(torch.tensor([v]).double() for v in WHITE_MATTER.values()))
    match = MatchingGrid.around_white_matter(train).match
    experiment = _Experiment(MRF_CASE, tissue, WHITE_MATTER, match, 1 / SIGNAL_TO_NOISE)
    return experiment.run(n_tissues, n_draws, seed)


def perfusion_scatter(
    case: Case, acquisition: Acquisition, *, n_tissues: int, n_draws: int, seed: int
) -> CaseScatter:
    """Fit CBF, ATT and T1 of grey matter in subspaces of a perfusion protocol."""
    t1 = torch.tensor([acquisition.t1_tissue]).double()
    point = (torch.tensor([value]).double() for value in GREY_MATTER.values())
    model = SignalModel.of([acquisition], t1_tissue=t1)
    tissue = Fingerprints.of(model, *point, t1_unknown=True)

    def estimate(coefficients: Tensor, subspace: Subspace) -> Mapping[str, Tensor]:
        return fit_cbf_att_t1(coefficients, acquisition, basis=subspace.vectors).parameters

    noise = float(tissue.signal.max()) / SIGNAL_TO_NOISE
    return _Experiment(case, tissue, GREY_MATTER, estimate, noise).run(n_tissues, n_draws, seed)


def scatter_table(found: Sequence[CaseScatter]) -> Table:
    """List bias and standard deviation by case, size and weight."""
    rows: list[Row] = []
    for one in found:
        for n, weight in one.parameters[0].std:
            row: Row = {'case': one.case.name, 'components': n, 'lambda': weight}
            for place, scatter in zip(('first', 'second'), one.parameters, strict=True):
                key = n, weight
                row[f'{place} parameter'] = scatter.parameter
                row[f'{place}: bias %'] = f'{100 * scatter.bias[key]:.2f}'
                row[f'{place}: sd %'] = f'{100 * scatter.std[key]:.2f}'
                row[f'{place}: bound %'] = f'{100 * scatter.exact_bound[key]:.2f}'
                row[f'{place}: all data %'] = f'{100 * scatter.uncompressed_bound:.2f}'
            rows.append(row)
    question = (
        'Bias and standard deviation of estimates from coefficients at a signal to noise ratio '
        'of 50, of the truth, beside the roots of B_ec and of B_u.'
    )
    return Table('scatter', question, tuple(rows))


def scatter_findings(found: CaseScatter) -> Iterator[Finding]:
    """Compare the MRF-FISP miniature at three components with the reference."""
    t1, t2 = found.parameters
    for weight, wanted in reference.MRF_T1_STD.items():
        yield Finding(
            'Figure 4',
            f'MRF-FISP, 3 components, lambda {weight:g}: standard deviation of T1 [%]',
            100 * t1.std[3, weight],
            float('nan'),
            wanted,
            note='the reference does not record its flip angles',
        )
    for weight, wanted in reference.MRF_T2_BIAS.items():
        yield Finding(
            'Figure 4',
            f'MRF-FISP, 3 components, lambda {weight:g}: bias of T2 [%]',
            100 * abs(t2.bias[3, weight]),
            100 * t2.bias_error[3, weight],
            wanted,
            note='the reference does not record its flip angles',
        )
    for scatter in found.parameters:
        name = scatter.parameter.upper()
        yield Finding(
            'Figure 4',
            f'MRF-FISP, 3 components: standard deviation of {name}, lambda .5 over 0',
            scatter.std[3, 0.5] / scatter.std[3, 0.0],
            float('nan'),
            1.0,
            rule=Rule.AT_MOST,
        )


@dataclass(frozen=True)
class _Experiment:
    """One tissue that is measured many times, and how its parameters are estimated."""

    case: Case
    tissue: Fingerprints
    truth: Mapping[str, float]
    estimate: Estimate
    noise: float

    def run(self, n_tissues: int, n_draws: int, seed: int) -> CaseScatter:
        """Estimate in every subspace; all of them see the same noise."""
        dictionary = Dictionary.of(self.case.make(n_tissues, seed))
        draw = torch.Generator().manual_seed(seed)
        white = torch.randn(n_draws, self.case.n_times, generator=draw, dtype=torch.float64)
        data = self.tissue.signal + self.noise * white
        whole = {weight: dictionary.subspace(weight) for weight in WEIGHTS}
        subspaces = {
            (n, weight): whole[weight].truncated(n) for n in N_COMPONENTS for weight in WEIGHTS
        }
        errors = {key: self._errors(data, subspace) for key, subspace in subspaces.items()}
        limits = {key: bounds(self.tissue, subspace) for key, subspace in subspaces.items()}
        parameters = []
        for place, (name, value) in enumerate(self.truth.items()):
            scale = self.noise / value
            own = {key: error[:, place] for key, error in errors.items()}
            std = {key: float(error.std()) for key, error in own.items()}
            least = limits[N_COMPONENTS[0], WEIGHTS[0]].uncompressed[0, place]
            parameters.append(
                Scatter(
                    parameter=name,
                    truth=value,
                    bias={key: float(error.mean()) for key, error in own.items()},
                    std=std,
                    exact_bound={
                        key: scale * float(limit.exact[0, place].sqrt())
                        for key, limit in limits.items()
                    },
                    bias_error={key: one / n_draws**0.5 for key, one in std.items()},
                    uncompressed_bound=scale * float(least.sqrt()),
                )
            )
        return CaseScatter(self.case, tuple(parameters))

    def _errors(self, data: Tensor, subspace: Subspace) -> Tensor:
        """Find errors relative to the truth, ``(draw, parameter)``."""
        found = self.estimate(subspace.compress(data), subspace)
        estimates = torch.stack([found[name] for name in self.truth], -1)
        return estimates / torch.tensor(list(self.truth.values())).to(estimates) - 1
