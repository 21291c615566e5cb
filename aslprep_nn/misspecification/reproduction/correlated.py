"""Does the false discovery rate hold where neighbouring voxels share noise, as in every image?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from aslprep_nn.estimation.benchmark.evidence import Finding, Rule
from aslprep_nn.estimation.benchmark.scenarios import Population, Row, Table
from aslprep_nn.misspecification.assessment import Assessment
from aslprep_nn.misspecification.multiplicity import VoxelClass, discoveries
from aslprep_nn.misspecification.reproduction.scenarios import (
    BRAIN,
    Organ,
    Scenario,
    Truth,
    fit_and_assess,
    generator_of,
    repeat,
    signal_of,
)

#: Voxels along each axis; noise wraps around so that it is equally smooth everywhere.
SHAPE = (14, 14, 8)
#: Width at half height of the noise's point spread [voxels].
WIDTHS = (2.0, 3.0, 4.0)
RATE = 0.05
#: Grey and white matter.
TISSUE = Population((30, 90), (0.5, 1.8), 0.002, 1.2)
N_REPETITIONS = 8
#: The p maps that claims are drawn from, beside the class map.
CLAIMS = {'noise': 'pnoise', 'lack of fit': 'pmodel', 'decay': 'pdecay', 'early-late': 'phausman'}
FWHM_PER_SIGMA = math.sqrt(8 * math.log(2))


@dataclass(frozen=True)
class Claims:
    """What was claimed in one map: voxels in all, and those of them where nothing is wrong."""

    claimed: int
    false: int

    @property
    def false_share(self) -> float:
        """The false discovery proportion, 0 where nothing is claimed."""
        return self.false / max(self.claimed, 1)


def correlated_evidence(n_maps: int, seed: int) -> tuple[Table, tuple[Finding, ...]]:
    """Measure false claims in maps without and with a region of wrong model.

    Without, every claim is false and the share of maps with any is what the rate bounds; with,
    the mean share of false claims is.

    Parameters
    ----------
    n_maps
        Of each kind.
    seed
        Of everything random.
    """
    rows: list[Row] = []
    findings: list[Finding] = []
    for place, width in enumerate(WIDTHS):
        for wrong in (False, True):
            maps = [
                _one_map(width, generator_of(seed, 900 + place, int(wrong), number), wrong=wrong)
                for number in range(n_maps)
            ]
            row: Row = {
                'FWHM [voxels]': width,
                'truth': 'outflow in a third' if wrong else 'correct everywhere',
            }
            for name in maps[0]:
                shares = np.array([one[name].false_share for one in maps])
                row[name] = f'{shares.mean():.3f}'
                findings.append(_finding(name, width, shares, wrong=wrong))
            rows.append(row)
    question = (
        'What share of the claims at q = .05 is false, on average over '
        f'{n_maps} maps of {math.prod(SHAPE)} voxels? In a correct map every claim is, so that '
        'it is the share of maps with any. The class map asks two questions, each at q.'
    )
    return Table('false discoveries', question, tuple(rows)), tuple(findings)


def _one_map(width: float, generator: torch.Generator, *, wrong: bool) -> dict[str, Claims]:
    n_voxels = math.prod(SHAPE)
    organ = replace(BRAIN, population=TISSUE, n_repetitions=N_REPETITIONS)
    truth = Truth.draw(TISSUE, n_voxels, generator)
    is_wrong = torch.zeros(SHAPE, dtype=torch.bool)
    is_wrong[: SHAPE[0] // 3] = wrong
    is_wrong = is_wrong.flatten()
    signal = torch.where(
        is_wrong[:, None, None],
        _signal(Scenario.OUTFLOW, truth, organ, generator),
        _signal(Scenario.CORRECT, truth, organ, generator),
    )
    data = signal.flatten(1) + TISSUE.noise * smooth_noise(signal[0].numel(), width, generator)
    found = fit_and_assess(data, repeat(organ.protocol, N_REPETITIONS))[1]
    return {name: _count(claimed, is_wrong) for name, claimed in _claims(found)}


def smooth_noise(n_measurements: int, width: float, generator: torch.Generator) -> Tensor:
    """Draw normal noise that is smooth in space and has variance 1, ``(voxel, measurement)``.

    Parameters
    ----------
    n_measurements
        Independent of each other.
    width
        At half height of the Gaussian it is smoothed with [voxels].
    generator
        Of the noise.
    """
    noise = torch.randn((*SHAPE, n_measurements), generator=generator, dtype=torch.float32)
    sigma = width / FWHM_PER_SIGMA
    smooth = ndimage.gaussian_filter(noise.numpy(), sigma, mode='wrap', axes=(0, 1, 2))
    point = np.zeros(SHAPE)
    point[0, 0, 0] = 1
    spread = ndimage.gaussian_filter(point, sigma, mode='wrap')
    return torch.from_numpy(smooth / math.sqrt((spread**2).sum())).double().flatten(0, 2)


def _claims(found: Assessment) -> Iterator[tuple[str, Tensor]]:
    for name, key in CLAIMS.items():
        yield name, discoveries(found.statistics[key], RATE)
    yield 'class map', found.classes != VoxelClass.CONSISTENT


def _count(claimed: Tensor, is_wrong: Tensor) -> Claims:
    return Claims(int(claimed.sum()), int((claimed & ~is_wrong).sum()))


def _signal(scenario: Scenario, truth: Truth, organ: Organ, generator: torch.Generator) -> Tensor:
    return signal_of(scenario, truth, organ.protocol, organ.n_repetitions, generator)


def _finding(name: str, width: float, shares: np.ndarray, *, wrong: bool) -> Finding:
    """Demand the rate, up to twice the simulation error."""
    error = float(shares.std() / math.sqrt(len(shares)))
    what = 'false share of claims, outflow in a third' if wrong else 'maps with a false claim'
    return Finding(
        'false discoveries',
        f'FWHM {width:g}, {name}: {what}',
        float(shares.mean()),
        error,
        RATE + 2 * math.sqrt(RATE * (1 - RATE) / len(shares)),
        rule=Rule.AT_MOST,
    )
