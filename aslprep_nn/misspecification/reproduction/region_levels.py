"""Do the tests of whole regions keep their level, and what do they find?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.benchmark.evidence import Share
from aslprep_nn.estimation.benchmark.scenarios import Population, Row, Table, pcasl
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.misspecification.assessment import assess
from aslprep_nn.misspecification.regions import region_tests
from aslprep_nn.misspecification.reproduction.correlated import SHAPE, smooth_noise
from aslprep_nn.misspecification.reproduction.gates import TESTS
from aslprep_nn.misspecification.reproduction.scenarios import (
    BRAIN,
    Scenario,
    Truth,
    generator_of,
    repeat,
    signal_of,
)
from aslprep_nn.misspecification.reproduction.strata import SIX_DELAYS, TISSUE
from aslprep_nn.misspecification.summary import RegionTests

#: Width at half height of smooth noise [voxels].
WIDTH = 2.5
#: Each map is a region, and so is each of so many equal parts of it.
N_PARTS = 8
#: The tests that regions have.
REGION_TESTS = {test: name for test, name in TESTS.items() if test != 'early-late'}
#: A protocol that begins so late that few voxels surely arrive after its first delay.
LATE_DELAYS = (0.7, 1.0, 1.4, 1.8, 2.2, 2.6, 3.0)


@dataclass(frozen=True)
class Scan:
    """A protocol, how often it is run through, and the voxels it measures."""

    name: str
    protocol: Acquisition
    n_repetitions: int
    population: Population


SIX_BY_EIGHT = Scan('6 PLDs, M = 8', pcasl(SIX_DELAYS, 1.5), 8, TISSUE)
SCANS = (
    Scan('21 PLDs, M = 10', BRAIN.protocol, 10, replace(TISSUE, noise=BRAIN.population.noise)),
    SIX_BY_EIGHT,
    Scan('6 PLDs, M = 4', pcasl(SIX_DELAYS, 1.5), 4, TISSUE),
    Scan('first PLD .7 s, M = 8', pcasl(LATE_DELAYS, 1.5), 8, replace(TISSUE, att=(0.3, 2.0))),
)


def region_level_table(n_maps: int, seed: int) -> Table:
    """Measure how often correct regions have p < .05."""
    rows: list[Row] = []
    for place, scan in enumerate(SCANS):
        for is_smooth in (False, True):
            generator = generator_of(seed, 1100 + place, int(is_smooth))
            maps = [
                _one_map(Scenario.CORRECT, scan, generator, is_smooth=is_smooth)
                for _ in range(n_maps)
            ]
            for regions in ([one for whole, parts in maps for one in parts], [m[0] for m in maps]):
                row: Row = {
                    'protocol': scan.name,
                    'noise': 'smooth' if is_smooth else 'independent',
                    'voxels': regions[0].n_voxels,
                    'regions': len(regions),
                }
                rows.append({**row, **_shares(regions)})
    question = (
        'What share of correct regions has p < .05? CBF 30-90, ATT .5-1.8 s (the last protocol: '
        f'.3-2 s); smooth noise is {WIDTH:g} voxels wide.'
    )
    return Table('regions', question, tuple(rows))


def region_power_table(n_maps: int, seed: int) -> Table:
    """Measure which wrong models are found in regions, and in their voxels."""
    rows: list[Row] = []
    for place, scenario in enumerate(Scenario):
        generator = generator_of(seed, 1200 + place)
        regions = [
            one
            for _ in range(n_maps)
            for one in _one_map(scenario, SIX_BY_EIGHT, generator, is_smooth=True)[1]
        ]
        alone = {
            test: f'{sum(one.rejected[name] for one in regions) / len(regions):.2f}'
            for test, name in REGION_TESTS.items()
        }
        truth = str(scenario)
        rows.append({'truth': truth, 'of': f'{regions[0].n_voxels} voxels', **_shares(regions)})
        rows.append({'truth': truth, 'of': 'one voxel', **alone})
    question = (
        f'What share of regions, and of their voxels, has p < .05? {SIX_BY_EIGHT.name}, noise '
        f'.001 that is {WIDTH:g} voxels wide.'
    )
    return Table('region power', question, tuple(rows))


def _one_map(
    scenario: Scenario, scan: Scan, generator: torch.Generator, *, is_smooth: bool
) -> tuple[RegionTests, Sequence[RegionTests]]:
    """Test a map as a whole, and its parts."""
    n_voxels = math.prod(SHAPE)
    truth = Truth.draw(scan.population, n_voxels, generator)
    signal = signal_of(scenario, truth, scan.protocol, scan.n_repetitions, generator).flatten(1)
    noise = (
        smooth_noise(signal.shape[1], WIDTH, generator)
        if is_smooth
        else torch.randn(signal.shape, generator=generator, dtype=torch.float64)
    )
    data, acquisition = (
        signal + scan.population.noise * noise,
        repeat(scan.protocol, scan.n_repetitions),
    )
    fit = fit_cbf_att(data, acquisition)
    part = torch.arange(n_voxels) * N_PARTS // n_voxels
    regions = {'all': part >= 0} | {str(index): part == index for index in range(N_PARTS)}
    found = region_tests(data, acquisition, fit, assess(data, acquisition, fit), regions)
    return found[0], found[1:]


def _shares(regions: Sequence[RegionTests]) -> Row:
    """Give the share of regions with p < .05, by test."""
    return {
        test: str(Share.below(torch.tensor([one.p[name] for one in regions])))
        for test, name in REGION_TESTS.items()
    }
