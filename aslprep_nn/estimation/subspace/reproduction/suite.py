"""All experiments of the reproduction, in full or quickly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aslprep_nn.estimation.benchmark.evidence import Finding
from aslprep_nn.estimation.benchmark.scenarios import Table
from aslprep_nn.estimation.subspace.reproduction import compression, maps, scatter
from aslprep_nn.estimation.subspace.reproduction.cases import CASES, MRF_CASE
from aslprep_nn.estimation.subspace.reproduction.compression import CaseLosses
from aslprep_nn.estimation.subspace.reproduction.maps import PlaneMaps
from aslprep_nn.estimation.subspace.reproduction.scatter import CaseScatter

#: Told about each experiment as it begins.
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Effort:
    """How much is simulated.

    Parameters
    ----------
    n_perfused, n_fingerprints
        Tissues that subspaces are made from, and as many that they are measured on: perfused
        ones, and those of the MRF-FISP miniature, which cost more.
    n_samples
        Least number of bounds whose order is checked.
    n_draws, n_fits
        Noisy measurements that are matched, and that are fitted.
    n_plane
        Values of T1, and of T2, on the maps.
    """

    n_perfused: int
    n_fingerprints: int
    n_samples: int
    n_draws: int
    n_fits: int
    n_plane: int


FULL = Effort(
    n_perfused=4000,
    n_fingerprints=300,
    n_samples=200_000,
    n_draws=4000,
    n_fits=1000,
    n_plane=24,
)
QUICK = Effort(
    n_perfused=1500,
    n_fingerprints=100,
    n_samples=100_000,
    n_draws=1000,
    n_fits=200,
    n_plane=12,
)


@dataclass(frozen=True)
class SubspaceReproduction:
    """Everything that was found.

    Parameters
    ----------
    losses
        Figure 2, one per case.
    scatter
        Figure 4, one per case that is estimated.
    plane
        Figure 6.
    findings
        Numbers beside what they should be.
    tables
        What else was measured.
    """

    losses: tuple[CaseLosses, ...]
    scatter: tuple[CaseScatter, ...]
    plane: PlaneMaps
    findings: tuple[Finding, ...]
    tables: tuple[Table, ...]


def reproduce(effort: Effort, seed: int, progress: Progress) -> SubspaceReproduction:
    """Run every experiment; the same seed gives the same numbers."""
    losses = []
    for case in CASES:
        progress(case.name)
        n = effort.n_fingerprints if case is MRF_CASE else effort.n_perfused
        losses.append(compression.measure_case(case, n, seed))
    progress('order of bounds')
    ordered = compression.order_findings(effort.n_samples, effort.n_fingerprints, seed)
    order = tuple(ordered)
    progress('estimates')
    matched = scatter.fingerprinting_scatter(effort.n_fingerprints, effort.n_draws, seed)
    fitted = (
        scatter.perfusion_scatter(
            *fitted_case, n_tissues=effort.n_perfused, n_draws=effort.n_fits, seed=seed
        )
        for fitted_case in scatter.FITTED_CASES
    )
    estimates = (matched, *fitted)
    progress('maps')
    plane = maps.plane_maps(effort.n_plane, effort.n_fingerprints, seed)
    return SubspaceReproduction(
        losses=tuple(losses),
        scatter=estimates,
        plane=plane,
        findings=(
            *order,
            *compression.compression_findings(losses),
            *scatter.scatter_findings(matched),
            *maps.plane_findings(plane),
        ),
        tables=(
            compression.compression_table(losses),
            compression.weighting_table(losses),
            scatter.scatter_table(estimates),
            maps.plane_table(plane),
        ),
    )
