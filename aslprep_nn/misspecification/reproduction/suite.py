"""All experiments of the reproduction, in full or quickly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aslprep_nn.estimation.benchmark.evidence import Finding
from aslprep_nn.estimation.benchmark.scenarios import Table
from aslprep_nn.misspecification.reproduction import (
    convergence,
    correlated,
    coverage,
    early_late,
    gates,
    literal,
    own_t1,
    phantoms,
    region_levels,
    strata,
)
from aslprep_nn.misspecification.reproduction.convergence import OrganConvergence
from aslprep_nn.misspecification.reproduction.early_late import Scatter, SubsetMaps
from aslprep_nn.misspecification.reproduction.own_t1 import OwnT1Maps
from aslprep_nn.misspecification.reproduction.scenarios import ORGANS, Scenario

#: Told about each experiment as it begins.
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Effort:
    """How much is simulated.

    Parameters
    ----------
    n_voxels
        Of each case.
    n_gate_voxels
        Of each organ and number of repetitions of the gates, at least 10,000.
    n_convergence, n_wrong
        Of Figure 1: voxels of the correct model (the paper has 8,000), and of each other.
    n_scatter
        Of Figure 3.
    n_maps
        Of the false discoveries, for each smoothness, without and with a wrong region.
    n_regions
        Maps whose regions are tested, for each protocol and kind of noise; at least 4.
    """

    n_voxels: int
    n_gate_voxels: int
    n_convergence: int
    n_wrong: int
    n_scatter: int
    n_maps: int
    n_regions: int


FULL = Effort(
    n_voxels=20_000,
    n_gate_voxels=40_000,
    n_convergence=8000,
    n_wrong=1000,
    n_scatter=2000,
    n_maps=200,
    n_regions=104,
)
QUICK = Effort(
    n_voxels=2000,
    n_gate_voxels=10_000,
    n_convergence=1000,
    n_wrong=200,
    n_scatter=300,
    n_maps=10,
    n_regions=4,
)


@dataclass(frozen=True)
class Reproduction:
    """Everything that was found.

    Parameters
    ----------
    convergence
        Figure 1, one per organ.
    subset_maps
        Figure 2, one per row.
    scatter
        Figure 3, one per organ.
    own_t1
        Figure 4, one per organ.
    findings
        Numbers beside what they should be.
    tables
        What else was measured.
    """

    convergence: tuple[OrganConvergence, ...]
    subset_maps: tuple[SubsetMaps, ...]
    scatter: tuple[Scatter, ...]
    own_t1: tuple[OwnT1Maps, ...]
    findings: tuple[Finding, ...]
    tables: tuple[Table, ...]


def reproduce(effort: Effort, seed: int, progress: Progress) -> Reproduction:
    """Run every experiment; the same seed gives the same numbers."""
    progress('gates')
    findings = [*gates.gate_findings(effort.n_gate_voxels, seed)]
    tables = []
    for name, experiment in _experiments(effort, seed):
        progress(name)
        table, found = experiment()
        tables.append(table)
        findings += found
    progress('Figure 1')
    curves = tuple(
        convergence.organ_convergence(organ, effort.n_convergence, effort.n_wrong, seed)
        for organ in ORGANS
    )
    progress('Figures 2 to 4')
    scatter = tuple(early_late.scatter(organ, effort.n_scatter, seed) for organ in ORGANS)
    slices = phantoms.brain_slice(seed), phantoms.kidney_slice(seed)
    rows = *((one, Scenario.CORRECT) for one in slices), (slices[1], Scenario.OUTFLOW)
    return Reproduction(
        convergence=curves,
        subset_maps=tuple(early_late.subset_maps(*row, seed) for row in rows),
        scatter=scatter,
        own_t1=tuple(own_t1.own_t1_maps(one, seed) for one in slices),
        findings=(
            *convergence.convergence_findings(curves),
            *early_late.subset_findings(effort.n_voxels, seed),
            *early_late.scatter_findings(scatter),
            *findings,
            *literal.rician_findings(effort.n_voxels // 4, seed),
            *literal.equation_4_findings(),
        ),
        tables=(*tables, early_late.scatter_table(scatter)),
    )


Experiment = Callable[[], tuple[Table, tuple[Finding, ...]]]


def _experiments(effort: Effort, seed: int) -> Iterator[tuple[str, Experiment]]:
    n_voxels = effort.n_voxels
    yield 'scenarios', lambda: gates.scenario_table(n_voxels, seed)
    yield 'outflow', lambda: (gates.outflow_sensitivity(n_voxels // 4, seed), ())
    yield 'strata', lambda: strata.strata_table(n_voxels, seed)
    yield 'tails', lambda: (strata.tail_table(effort.n_gate_voxels, seed), ())
    yield 'noise', lambda: (strata.noise_table(n_voxels // 2, seed), ())
    yield 'own T1', lambda: own_t1.own_t1_evidence(n_voxels, seed)
    yield 'readings', lambda: literal.readings_table(n_voxels // 4, seed)
    yield 'false discoveries', lambda: correlated.correlated_evidence(effort.n_maps, seed)
    yield 'coverage', lambda: (coverage.coverage_table(n_voxels, seed), ())
    yield 'regions', lambda: (region_levels.region_level_table(effort.n_regions, seed), ())
    yield (
        'region power',
        lambda: (region_levels.region_power_table(effort.n_regions // 4, seed), ()),
    )
