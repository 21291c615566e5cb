"""How estimates settle as repetitions become more: the same fit of subsets of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.information import smoothed_covariance
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.estimation.voxel_groups import VoxelGroup, voxel_groups
from aslprep_nn.maps import FitStatus
from aslprep_nn.misspecification.pooled_scores import common_repetitions
from aslprep_nn.misspecification.projections import Projections
from aslprep_nn.misspecification.sandwich import ScoreCovariance
from aslprep_nn.misspecification.summary import Convergence
from aslprep_nn.misspecification.vectors import RepetitionVectors, complete_sets
from aslprep_nn.misspecification.voxel_tests import with_arterial
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.response import Kinetics
from aslprep_nn.testability import N_PARAMETERS

#: Fewer repetitions than this have no subsets to compare.
FEWEST = 3
#: Numbers of repetitions looked at, at most.
MOST_SIZES = 14
#: Voxels handled at once, and matrices drawn to find the medians of eigenvalues.
CHUNK, N_MATRICES = 2**13, 2**15


def convergence(
    relative_delta_m: Tensor,
    acquisition: Acquisition | Sequence[Acquisition],
    fit: Fit,
    *,
    n_draws: int,
    seed: int,
    n_voxels: int = 1000,
    slice_delay: Tensor | None = None,
    t1_tissue: Tensor | None = None,
    kinetics: Sequence[Kinetics] | None = None,
    device: torch.device | str = 'cpu',
) -> Convergence | None:
    """Refit subsets of the repetitions and follow kappa, bias and scatter with their number.

    After Figure 1 of Wang, Tamir & Bush, with subsets drawn without replacement. Drawn with
    replacement, as there, some repetitions come twice, which inflates kappa although nothing is
    wrong (`reproduce wang` shows by how much).

    Subsets of m of M repetitions overlap, so their estimates scatter less than those of m new
    repetitions; dividing the variance by 1 - m/M corrects for it (sampling from a finite
    population; Cochran 1977, theorem 2.2). All M have a single subset: there the standard deviation
    is the jackknife's, from the subsets that lack one.

    Parameters
    ----------
    relative_delta_m, acquisition, fit, slice_delay, t1_tissue, kinetics, device
        As in `assess`.
    n_draws
        Distinct subsets of each size, all of them where there are fewer; with 0 nothing is done.
    seed
        Of voxels and subsets.
    n_voxels
        How many voxels to look at, drawn from those whose ATT is identifiable and that lack no
        repetition but those that most voxels lack.

    Returns
    -------
    None where there are too few repetitions, or no such voxels.
    """
    acquisitions = (acquisition,) if isinstance(acquisition, Acquisition) else tuple(acquisition)
    repetitions = Repetitions.of(acquisitions)
    common = common_repetitions(relative_delta_m, repetitions)
    count = len(common)
    generator = torch.Generator().manual_seed(seed)
    measured = relative_delta_m[:, complete_sets(repetitions)[:, common].flatten()].sum(-1)
    voxels = _sample(torch.isfinite(measured), fit, n_voxels, generator)
    if n_draws < 1 or count < FEWEST or repetitions.n_timings < 2 or not len(voxels):
        return None
    values = {name: fit.parameters[name][voxels].to(device).double() for name in ('cbf', 'att')}
    vectors = RepetitionVectors.of(relative_delta_m[voxels].to(device).double(), repetitions)
    sample = _Sample(
        vectors.at(common.to(device)).values,
        repetitions,
        kinetics,
        None if slice_delay is None else slice_delay[voxels],
        None if t1_tissue is None else t1_tissue[voxels],
    )
    sizes = _sizes(count)
    columns: dict[str, list[float]] = {name: [] for name in _SERIES}
    scatter = {'cbf': math.nan, 'att': math.nan}
    for size in sizes:
        subsets = _subsets(count, size, n_draws, generator)
        found = sample.refit(subsets)
        bound = sample.bound(size, values['cbf'], values['att'])
        for name, estimates in (('cbf', found.cbf), ('att', found.att)):
            if size < count:
                scatter[name] = _scatter(estimates, size, count)
            columns[f'std_{name}'].append(scatter[name] / math.sqrt(size))
            columns[f'bias_{name}'].append(abs(_median(estimates.mean(0) - values[name])))
            columns[f'bound_{name}'].append(bound[name])
        smallest = found.smallest * (size > N_PARAMETERS)
        columns['kappa'].append(_median(found.largest / smallest))
        columns['lambda_max'].append(_median(found.largest))
        columns['lambda_min'].append(_median(smallest))
        for name, value in _null(size, repetitions.n_timings).items():
            columns[name].append(value)
    series = {name: tuple(column) for name, column in columns.items()}
    return Convergence(n_voxels=len(voxels), n_draws=n_draws, n_repetitions=sizes, **series)


_SERIES = tuple(
    name
    for name in Convergence.__dataclass_fields__
    if name not in ('n_voxels', 'n_draws', 'n_repetitions')
)


class _Estimates(NamedTuple):
    """What subsets gave, ``(subset, voxel)`` each: the fit and the eigenvalues of P."""

    cbf: Tensor
    att: Tensor
    largest: Tensor
    smallest: Tensor


@dataclass(frozen=True)
class _Sample:
    """Some voxels with complete repetitions, ``values`` ``(repetition, timing, voxel)``."""

    values: Tensor
    repetitions: Repetitions
    kinetics: Sequence[Kinetics] | None
    slice_delay: Tensor | None
    t1_tissue: Tensor | None

    def refit(self, subsets: Tensor) -> _Estimates:
        """Fit each subset of the repetitions, ``(subset, member)``."""
        n_subsets, n_voxels = len(subsets), self.values.shape[-1]
        delay, t1 = (
            None if each is None else each.repeat(n_subsets)
            for each in (self.slice_delay, self.t1_tissue)
        )
        means = torch.cat([self.values[subset].mean(0).mT for subset in subsets])
        fit = fit_cbf_att(
            means,
            self.repetitions.acquisitions,
            slice_delay=delay,
            t1_tissue=t1,
            kinetics=self.kinetics,
            dtype=torch.float64,
            device=self.values.device,
        )
        found = fit.parameters['cbf'], fit.parameters['att']
        eigenvalues = torch.full((2, len(means)), torch.nan).to(means)
        for group in voxel_groups(len(means), delay, t1):
            for chunk in group.chunks(CHUNK):
                places = torch.arange(len(means))[chunk]
                members = subsets[places // n_voxels].mT.unsqueeze(1)
                timings = torch.arange(self.values.shape[1]).unsqueeze(-1)
                values = self.values[members, timings, places % n_voxels]
                model = self._model(group, None if t1 is None else t1[chunk])
                cbf, att = (parameter[chunk] for parameter in found)
                eigenvalues[:, chunk] = torch.stack(_eigenvalues(values, model, cbf, att))
        shape = n_subsets, n_voxels
        return _Estimates(*(each.reshape(shape) for each in (*found, *eigenvalues)))

    def bound(self, size: int, cbf: Tensor, att: Tensor) -> dict[str, float]:
        """Promise the standard deviation of estimates from so many repetitions."""
        count = self.values.shape[0]
        centered = self.values - self.values.mean(0)
        degrees = self.repetitions.n_timings * (count - 1)
        noise = (centered.square().sum((0, 1)) / degrees).sqrt()
        weight = torch.full_like(self.values[0, :, :1], size)
        std = torch.full((2, len(cbf)), torch.nan).to(cbf)
        for group in voxel_groups(len(cbf), self.slice_delay, self.t1_tissue):
            here = group.voxels
            model = self._model(group, None if self.t1_tissue is None else self.t1_tissue[here])
            covariance = smoothed_covariance(model, cbf[here], att[here], weight, noise=noise[here])
            std[:, here] = torch.stack([covariance.cbf, covariance.att]).sqrt()
        return dict(zip(('cbf', 'att'), map(_median, std), strict=True))

    def _model(self, group: VoxelGroup, t1_tissue: Tensor | None) -> SignalModel:
        return SignalModel.of(
            self.repetitions.acquisitions,
            self.kinetics,
            slice_delay=group.slice_delay,
            t1_tissue=t1_tissue,
            device=self.values.device,
        )


def null_kappa(p: float, count: int) -> float:
    """Find the kappa that a share ``p`` of voxels exceed where noise is as assumed.

    The inverse of `p_of_kappa`: with W = p^(2/(M-2)), kappa solves 4 kappa/(1+kappa)^2 = W.
    """
    if count <= N_PARAMETERS:
        return math.inf
    sphericity: float = p ** (2 / (count - 2))
    return (2 - sphericity + 2 * math.sqrt(1 - sphericity)) / sphericity


def _null(count: int, n_timings: int) -> dict[str, float]:
    largest, smallest = _null_eigenvalues(count, n_timings)
    return {
        'kappa_null': null_kappa(0.5, count),
        'kappa_null_low': null_kappa(0.95, count),
        'kappa_null_high': null_kappa(0.05, count),
        'lambda_max_null': largest,
        'lambda_min_null': smallest,
    }


def _null_eigenvalues(count: int, n_timings: int) -> tuple[float, float]:
    """Draw the medians of the eigenvalues of P where noise is as assumed.

    M - 1 deviations in the plane of CBF and ATT make a Wishart matrix (Bartlett 1933); the noise
    level that it is compared with rests on them and on the N - 2 other directions.
    """
    generator = np.random.default_rng(0)
    degrees = count - 1
    first = generator.chisquare(degrees, N_MATRICES)
    both = generator.standard_normal(N_MATRICES)
    second = generator.chisquare(degrees - 1, N_MATRICES) if degrees > 1 else np.zeros(N_MATRICES)
    trace, determinant = first + both**2 + second, first * second
    gap = np.sqrt(np.maximum(trace**2 - 4 * determinant, 0))
    others = (n_timings - N_PARAMETERS) * degrees
    noise = trace + (generator.chisquare(others, N_MATRICES) if others else 0)
    unit = 2 * noise / n_timings
    return float(np.median((trace + gap) / unit)), float(np.median((trace - gap) / unit))


def _sample(measured: Tensor, fit: Fit, n_voxels: int, generator: torch.Generator) -> Tensor:
    """Draw measured voxels whose fit can be relied on, in ascending order."""
    told = (fit.status == FitStatus.CONVERGED) | (fit.status == FitStatus.ON_KINK)
    usable = told & (fit.parameters['cbf'] > 0) & ~with_arterial(fit)
    candidates = (usable.cpu() & measured.cpu()).nonzero().squeeze(-1)
    drawn = torch.randperm(len(candidates), generator=generator)[:n_voxels]
    return candidates[drawn.sort().values]


def _sizes(count: int) -> tuple[int, ...]:
    """List numbers of repetitions from 2 to all, every one where there are few.

    The last but one is among them: the jackknife needs it.
    """
    spread = np.geomspace(2, count - 1, MOST_SIZES - 1).round().astype(int)
    every = range(2, count + 1)
    return tuple(every if count <= MOST_SIZES else [*np.unique(spread).tolist(), count])


def _subsets(count: int, size: int, n_draws: int, generator: torch.Generator) -> Tensor:
    """Draw distinct subsets, ``(subset, size)``; all where there are no more than that."""
    if math.comb(count, size) <= n_draws:
        return torch.tensor(list(combinations(range(count), size)))
    drawn: set[tuple[int, ...]] = set()
    while len(drawn) < n_draws:
        members = torch.randperm(count, generator=generator)[:size]
        drawn.add(tuple(members.sort().values.tolist()))
    return torch.tensor(sorted(drawn))


def _eigenvalues(
    values: Tensor, model: SignalModel, cbf: Tensor, att: Tensor
) -> tuple[Tensor, Tensor]:
    here = model.linearize(cbf, att)
    complete = torch.ones_like(values[:, 0], dtype=torch.bool)
    vectors = RepetitionVectors(values, complete)
    plane = torch.stack([here.d_cbf, here.d_att])
    along = Projections.of(vectors, plane, here.delta_m, n_parameters=N_PARAMETERS)
    spread = ScoreCovariance.along(along.orthogonalized()).spread(vectors.variance)
    return spread.largest, spread.smallest


def _scatter(estimates: Tensor, size: int, count: int) -> float:
    """Estimate the standard deviation of an estimate from one repetition, to be over root m.

    What each voxel's M repetitions show has M - 1 degrees of freedom, so that its median over
    voxels falls short by the median of chi-squared over its mean (Wilson & Hilferty 1931, PNAS
    17:684).
    """
    n_possible = math.comb(count, size)
    of_subsets = estimates.var(0) * (n_possible - 1) / n_possible
    variance = of_subsets * size / (1 - size / count)
    shortfall = (1 - 2 / (9 * (count - 1))) ** 3
    return math.sqrt(_median(variance) / shortfall)


def _median(values: Tensor) -> float:
    return float(values.nanmedian())
