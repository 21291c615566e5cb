"""Accuracy: against truth, against an exhaustive search, and against the bounds."""

from __future__ import annotations

import random
import warnings
from collections.abc import Sequence
from dataclasses import replace

import torch
from scipy.optimize import OptimizeWarning
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.benchmark.scenarios import (
    BRAIN,
    KIDNEY,
    PCASL_6,
    PCASL_21,
    PROTOCOLS,
    Population,
    Row,
    Table,
    draw,
    irregular_protocol,
)
from aslprep_nn.estimation.benchmark.scipy_fit import fit_with_scipy
from aslprep_nn.estimation.exhaustive import search_exhaustively
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.information import fisher_information, smoothed_covariance
from aslprep_nn.estimation.least_squares import ATT_RANGE, fit_cbf_att
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.maps import FitStatus
from aslprep_nn.settings import Macrovascular
from aslprep_nn.signal.arterial import arterial_delta_m
from aslprep_nn.signal.kinetics import delta_m
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.protocol import Protocol

TRUE_CBF, TRUE_ATT = (
    grid.flatten().double()
    for grid in torch.meshgrid(
        torch.tensor([20.0, 60.0, 100.0]),
        torch.tensor([0.5, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.4]),
        indexing='ij',
    )
)


def recovery(n_irregular: int, seed: int = 1) -> Table:
    """Fit noise-free signals of 27 (CBF, ATT) pairs in many protocols."""
    rows: list[Row] = []
    for name, acquisitions in PROTOCOLS.items():
        rows.append({'protocol': name, **_recover([acquisitions])})
    generator = random.Random(seed)  # noqa: S311
    irregular = [(irregular_protocol(generator),) for _ in range(n_irregular)]
    rows.append({'protocol': f'{n_irregular} irregular ones', **_recover(irregular)})
    question = 'Is the noise-free truth found within .5 % and 5 ms, or the failure flagged?'
    return Table('recovery', question, tuple(rows))


def _recover(protocols: Sequence[tuple[Acquisition, ...]]) -> Row:
    counts = torch.zeros(4, dtype=torch.long)
    for acquisitions in protocols:
        parts = [delta_m(TRUE_CBF, TRUE_ATT, Protocol.of(a)) for a in acquisitions]
        fit = fit_cbf_att(torch.cat(parts, -1), acquisitions)
        right = (fit.parameters['cbf'] / TRUE_CBF - 1).abs() < 0.005
        right &= (fit.parameters['att'] - TRUE_ATT).abs() < 0.005
        flagged = ~torch.isin(fit.status, torch.tensor([FitStatus.CONVERGED, FitStatus.ON_KINK]))
        kinds = right, ~right & flagged, ~right & ~flagged, flagged
        counts += torch.stack([kind.sum() for kind in kinds])
    names = 'right', 'wrong and flagged', 'wrong and unflagged', 'flagged in all'
    return dict(zip(names, counts.tolist(), strict=True))


def optimum(n_voxels: int, n_scipy: int) -> Table:
    """Compare the cost reached with the least cost that exists."""
    rows = []
    for acquisition in (PCASL_6, PCASL_21):
        for organ, population in (('brain', BRAIN), ('kidney', KIDNEY)):
            for signal_to_noise in (10.0, 1.0, 1 / 3):
                case = _Case(acquisition, organ, population, signal_to_noise)
                rows += case.rows(n_voxels, n_scipy)
    question = 'How often is the cost within 1e-6 of the least one, and how often 1 % above it?'
    return Table('optimum', question, tuple(rows))


class _Case:
    def __init__(
        self, acquisition: Acquisition, organ: str, population: Population, ratio: float
    ) -> None:
        self.acquisition = replace(acquisition, t1_tissue=population.t1_tissue)
        self.organ, self.population, self.ratio = organ, population, ratio
        self.model = SignalModel.of([self.acquisition])

    def rows(self, n_voxels: int, n_scipy: int) -> list[Row]:
        _, _, signal = draw(self.acquisition, self.population, n_voxels, signal_to_noise=self.ratio)
        data = Repetitions.of([self.acquisition]).summarize(signal)
        first = min(self.acquisition.pld)
        least = search_exhaustively(self.model, data, (first, ATT_RANGE[1]))[2]
        fit = fit_cbf_att(signal.float(), self.acquisition)
        att = fit.parameters['att'].double().nan_to_num(first)
        rows = [self._row('cones', signal, fit.parameters['cbf'].double(), att, least)]
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', (OptimizeWarning, RuntimeWarning))
            found = torch.from_numpy(fit_with_scipy(signal[:n_scipy].numpy(), self.acquisition))
        cbf, att = found.nan_to_num(0).unbind(-1)
        return [*rows, self._row('scipy', signal[:n_scipy], cbf, att, least[:n_scipy])]

    def _row(self, fitter: str, signal: Tensor, cbf: Tensor, att: Tensor, least: Tensor) -> Row:
        misfit = signal.mT - self.model.linearize(cbf, att).delta_m
        excess = misfit.square().sum(0) / least - 1
        return {
            'PLDs': self.acquisition.n_measurements,
            'organ': self.organ,
            'SNR': f'x{self.ratio:.3g}',
            'fitter': fitter,
            'voxels': len(signal),
            'within 1e-6 [%]': round(100 * (excess < 1e-6).double().mean().item(), 2),
            'over 1 % [%]': round(100 * (excess > 0.01).double().mean().item(), 2),
            'worst excess': float(f'{excess.max().item():.2g}'),
        }


def scatter(n_voxels: int) -> Table:
    """Compare bias and scatter of estimates with the bounds, away from kinks and at them."""
    rows = []
    for acquisition, cbf, att in (
        (PCASL_6, 60.0, 1.25),
        (PCASL_6, 100.0, 0.77),
        (PCASL_6, 60.0, 1.0),
        (PCASL_21, 60.0, 1.15),
        (PCASL_21, 100.0, 0.77),
        (PCASL_21, 60.0, 1.0),
        (PCASL_21, 60.0, 1.5),
    ):
        for noise in (2e-4, 5e-4, 1e-3):
            compared = _scatter(acquisition, (cbf, att), noise, n_voxels)
            rows.append({'PLDs': acquisition.n_measurements, 'CBF': cbf, 'ATT': att, **compared})
    question = 'Do estimates scatter as the Cramér-Rao bound, or at kinks its smoothed form, says?'
    return Table('scatter', question, tuple(rows))


def _scatter(
    acquisition: Acquisition, truth: tuple[float, float], noise: float, n_voxels: int
) -> Row:
    cbf, att = (torch.tensor([value], dtype=torch.float64) for value in truth)
    signal = delta_m(cbf, att, Protocol.of(acquisition))
    generator = torch.Generator().manual_seed(0)
    shape = n_voxels, acquisition.n_measurements
    noisy = signal + noise * torch.randn(shape, generator=generator, dtype=torch.float64)
    fit = fit_cbf_att(noisy, acquisition)
    model, one = SignalModel.of([acquisition]), torch.ones(1, 1, dtype=torch.float64)
    sigma = torch.full_like(cbf, noise)
    plain = fisher_information(model, cbf, att, one).covariance(sigma)
    smoothed = smoothed_covariance(model, cbf, att, one, noise=sigma)
    distance = float((model.kinks() - att).abs().min() / plain.att.sqrt())
    row: Row = {'noise': noise, 'to a kink [sd]': round(distance, 1)}
    for name, true, bound, smooth in (
        ('CBF', cbf, plain.cbf, smoothed.cbf),
        ('ATT', att, plain.att, smoothed.att),
    ):
        estimates = fit.parameters[name.lower()].double()
        estimates = estimates[torch.isfinite(estimates)]
        row[f'{name} bias/sd'] = round(((estimates.mean() - true) / estimates.std()).item(), 3)
        row[f'{name} var/CRB'] = round((estimates.var() / bound).item(), 3)
        row[f'{name} core/CRB'] = round((_core_variance(estimates) / bound).item(), 3)
        row[f'{name} var/smoothed'] = round((estimates.var() / smooth).item(), 3)
    return row


def _core_variance(estimates: Tensor) -> Tensor:
    """Compute the variance of the normal distribution with the same central 68.3 %."""
    low, high = torch.quantile(estimates, estimates.new_tensor([0.15866, 0.84134])).unbind()
    return ((high - low) / 2).square()


def macrovascular(n_voxels: int) -> Table:
    """Claim arterial blood where there is some and where there is none."""
    rows: list[Row] = []
    for acquisition in (PCASL_6, PCASL_21):
        for noise in (3e-4, 1e-3, 3e-3):
            for volume in (0.0, 0.01, 0.02, 0.03):
                row = _claim(acquisition, noise, volume, n_voxels)
                plds = acquisition.n_measurements
                rows.append({'PLDs': plds, 'noise': noise, 'aBV': volume, **row})
    question = 'How often is an arterial term chosen, and what does it do to CBF and ATT?'
    return Table('macrovascular', question, tuple(rows))


def _claim(acquisition: Acquisition, noise: float, volume: float, n_voxels: int) -> Row:
    population = replace(BRAIN, cbf=(20, 100), att=(0.7, 2.0), noise=noise)
    cbf, att, signal = draw(acquisition, population, n_voxels)
    generator = torch.Generator().manual_seed(9)
    arrival = 0.2 + 0.5 * torch.rand(n_voxels, generator=generator, dtype=torch.float64)
    artery = arterial_delta_m(torch.full_like(cbf, volume), arrival, Protocol.of(acquisition))
    plain, auto = (
        fit_cbf_att(signal + artery, acquisition, macrovascular=choice)
        for choice in (Macrovascular.OFF, Macrovascular.AUTO)
    )
    found = auto.parameters['arterial_blood_volume']
    chosen, visible = ~found.isnan(), artery.any(-1)

    def error(fit: Fit, name: str, true: Tensor) -> float:
        return float((fit.parameters[name] - true).abs().nanmedian())

    return {
        'visible [%]': _percent(visible),
        'chosen [%]': _percent(chosen),
        'chosen where visible [%]': _percent(chosen[visible]),
        'median aBV': f'{found[chosen].median():.4f}' if bool(chosen.any()) else '-',
        'CBF error': round(error(auto, 'cbf', cbf), 2),
        'without it': round(error(plain, 'cbf', cbf), 2),
        'ATT error [ms]': round(1e3 * error(auto, 'att', att)),
        'without it [ms]': round(1e3 * error(plain, 'att', att)),
    }


def _percent(claims: Tensor) -> float | str:
    return round(100 * claims.double().mean().item(), 1) if len(claims) else '-'
