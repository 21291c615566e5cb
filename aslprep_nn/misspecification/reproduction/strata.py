"""Where do the tests keep their level? Kinds of voxels, of protocols and of noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.benchmark.evidence import Finding, Share
from aslprep_nn.estimation.benchmark.scenarios import PROTOCOLS, Population, Row, Table, pcasl
from aslprep_nn.maps import FitStatus
from aslprep_nn.misspecification.assessment import Assessment
from aslprep_nn.misspecification.reproduction.gates import TESTS, assessed, rates
from aslprep_nn.misspecification.reproduction.scenarios import (
    BRAIN,
    KIDNEY,
    Organ,
    Scenario,
    Truth,
    fit_and_assess,
    generator_of,
    repeat,
    signal_of,
)
from aslprep_nn.signal.kinetics import delta_m
from aslprep_nn.signal.protocol import Protocol

SIX_DELAYS = (0.25, 0.5, 1.0, 1.5, 2.0, 2.5)
#: Grey and white matter seen by six delays.
TISSUE = Population((30, 90), (0.5, 1.8), 0.001, 1.2)
#: A level within this distance of .05 is kept.
KEPT = 0.02
#: The voxels whose best ATT is a delay or the end of a bolus, wherever the truth is.
FITTED_ON_KINK = 'fitted on a kink, 6 PLDs'
TAIL_LEVELS = (0.05, 0.01, 0.001)


WITHOUT_ATT = 'without perfusion noise chooses ATT, and with it the direction that is tested'
ONE_PARAMETER = 'at a kink ATT was not adapted, so N - 2 degrees of freedom are one too few'
CHOSEN = 'a few per cent of voxels, chosen by their noise; levels hold over all voxels'
#: Why a test does not keep its level somewhere, by stratum and test.
NOTES = {
    ('no perfusion', 'duration'): WITHOUT_ATT,
    ('no perfusion', 'dispersion'): WITHOUT_ATT,
    ('no perfusion', 'arterial'): WITHOUT_ATT,
    (FITTED_ON_KINK, 'lack of fit'): ONE_PARAMETER,
    (FITTED_ON_KINK, 'duration'): CHOSEN,
    (FITTED_ON_KINK, 'dispersion'): CHOSEN,
    (FITTED_ON_KINK, 'arterial'): CHOSEN,
}


@dataclass(frozen=True)
class Stratum:
    """A kind of voxel in which nothing is wrong.

    Parameters
    ----------
    name
        For people.
    acquisition
        All measurements.
    population
        Of the voxels.
    change_truth, drop
        What else is particular: of the truth, or of the measurements.
    oversampled
        How many times as many voxels are drawn, of which the table shows a rare part.
    """

    name: str
    acquisition: Acquisition
    population: Population
    change_truth: Callable[[Truth], Truth] = lambda truth: truth
    drop: Callable[[Tensor], Tensor] = lambda data: data
    oversampled: int = 1


def strata() -> tuple[Stratum, ...]:
    """List the kinds of voxels: weak, early, on a kink; few, unequal or missing repetitions."""
    six, many = pcasl(SIX_DELAYS, 1.5), BRAIN.protocol
    eight = repeat(six, 8)
    tissue = replace(TISSUE, noise=BRAIN.population.noise)
    return (
        Stratum('21 PLDs, M = 8', repeat(many, 8), tissue),
        Stratum('21 PLDs, M = 4', repeat(many, 4), tissue),
        Stratum('21 PLDs, M = 50', repeat(many, 50), tissue),
        Stratum('low CBF (5-20)', repeat(many, 8), replace(tissue, cbf=(5, 20)), oversampled=10),
        Stratum('no perfusion', repeat(many, 8), replace(tissue, cbf=(0, 0))),
        Stratum('6 PLDs, M = 8', eight, TISSUE),
        Stratum('6 PLDs, M = 4', repeat(six, 4), TISSUE),
        Stratum('ATT below the first PLD', eight, replace(TISSUE, att=(0.05, 0.2))),
        Stratum('ATT on a kink, 6 PLDs', eight, TISSUE, _on_kinks),
        Stratum('ATT on a kink, 21 PLDs', repeat(many, 8), tissue, _on_kinks),
        Stratum(FITTED_ON_KINK, eight, TISSUE, oversampled=5),
        Stratum('5 PLDs x 6 6 6 10 15', PROTOCOLS['5 PLDs x 6 6 6 10 15'][0], TISSUE),
        Stratum('a measurement missing', eight, TISSUE, drop=_without_one),
        Stratum('kidney (0-900)', repeat(KIDNEY.protocol, 8), KIDNEY.population),
    )


def strata_table(n_voxels: int, seed: int) -> tuple[Table, tuple[Finding, ...]]:
    """Measure the rate of false alarms of every test in every stratum."""
    rows: list[Row] = []
    findings: list[Finding] = []
    for place, stratum in enumerate(strata()):
        found = _assess(stratum, n_voxels, generator_of(seed, 500 + place))
        rows.append({'stratum': stratum.name, **rates(found)})
        findings += _levels(stratum.name, found)
    question = (
        'What share of correct voxels has p < .05, by kind of voxel? Asked: .03 to .07. The '
        'search for arterial blood is conservative by construction; – where there is no test.'
    )
    return Table('strata', question, tuple(rows)), tuple(findings)


def tail_table(n_voxels: int, seed: int) -> Table:
    """Measure how often correct voxels have p-values far below .05, which maps depend on."""
    rows: list[Row] = []
    for organ in (BRAIN, KIDNEY):
        null = assessed(organ, Scenario.CORRECT, 8, n_voxels, seed)
        for level in TAIL_LEVELS:
            shares = {
                test: f'{1e3 * Share.below(null.statistics[name], level).value:.2f}'
                for test, name in TESTS.items()
            }
            rows.append({'organ': organ.name, 'expected': f'{1e3 * level:g}', **shares})
    question = (
        'How many correct voxels in a thousand have p < .05, .01 and .001 (M = 8)? Control of '
        'the false discovery rate in a map depends on the smallest p-values.'
    )
    return Table('tails', question, tuple(rows))


def noise_table(n_voxels: int, seed: int) -> Table:
    """Measure which tests keep their level when noise is not independent and normal."""
    rows: list[Row] = []
    for place, (name, make) in enumerate(_NOISES.items()):
        for organ in (BRAIN, KIDNEY):
            generator = generator_of(seed, 700 + place)
            truth = Truth.draw(organ.population, n_voxels, generator)
            data = make(truth, organ, generator).flatten(1)
            found = fit_and_assess(data, repeat(organ.protocol, organ.n_repetitions))[1]
            rows.append({'noise': name, 'organ': organ.name, **rates(found)})
    question = 'The signal is as assumed and the noise is not: what share of voxels has p < .05?'
    return Table('noise', question, tuple(rows))


def _assess(stratum: Stratum, n_voxels: int, generator: torch.Generator) -> Assessment:
    n_voxels *= stratum.oversampled
    truth = stratum.change_truth(Truth.draw(stratum.population, n_voxels, generator))
    signal = delta_m(truth.cbf, truth.att, Protocol.of(stratum.acquisition))
    noise = torch.randn(signal.shape, generator=generator, dtype=torch.float64)
    data = stratum.drop(signal + stratum.population.noise * noise)
    fit, found = fit_and_assess(data, stratum.acquisition)
    if stratum.name != FITTED_ON_KINK:
        return found
    on_kink = fit.status == FitStatus.ON_KINK
    statistics = {name: values[on_kink] for name, values in found.statistics.items()}
    return replace(found, statistics=statistics, classes=found.classes[on_kink])


def _levels(stratum: str, found: Assessment) -> Iterator[Finding]:
    for test, name in TESTS.items():
        share = Share.below(found.statistics[name])
        if share.says_something:
            quantity = f'{stratum}: {test}, false alarms'
            note = NOTES.get((stratum, test), '')
            yield Finding('strata', quantity, share.value, share.error, 0.05, KEPT, note=note)


def _on_kinks(truth: Truth) -> Truth:
    """Move arrivals to delays that both protocols have."""
    delays = torch.tensor([0.5, 1.0], dtype=torch.float64)
    return replace(truth, att=delays[torch.arange(len(truth.att)) % 2])


def _without_one(data: Tensor) -> Tensor:
    dropped = data.clone()
    dropped[::2, 7] = torch.nan
    return dropped


def _normal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def _signal(scenario: Scenario, truth: Truth, organ: Organ, generator: torch.Generator) -> Tensor:
    return signal_of(scenario, truth, organ.protocol, organ.n_repetitions, generator)


def _fluctuating(truth: Truth, organ: Organ, generator: torch.Generator) -> Tensor:
    signal = _signal(Scenario.FLOW, truth, organ, generator)
    return signal + organ.population.noise * _normal(signal.shape, generator)


def _autoregressive(correlation: float) -> Callable[[Truth, Organ, torch.Generator], Tensor]:
    def make(truth: Truth, organ: Organ, generator: torch.Generator) -> Tensor:
        signal = _signal(Scenario.CORRECT, truth, organ, generator)
        fresh = _normal(signal.shape, generator)
        noise = fresh[..., :1]
        for timing in range(1, signal.shape[-1]):
            new = (1 - correlation**2) ** 0.5 * fresh[..., timing : timing + 1]
            noise = torch.cat([noise, correlation * noise[..., -1:] + new], -1)
        return signal + organ.population.noise * noise

    return make


def _growing(truth: Truth, organ: Organ, generator: torch.Generator) -> Tensor:
    signal = _signal(Scenario.CORRECT, truth, organ, generator)
    size = torch.linspace(0.5, 1.5, signal.shape[-1], dtype=torch.float64)
    return signal + organ.population.noise * size * _normal(signal.shape, generator)


def _noisier_repetition(truth: Truth, organ: Organ, generator: torch.Generator) -> Tensor:
    signal = _signal(Scenario.CORRECT, truth, organ, generator)
    size = torch.ones(organ.n_repetitions, 1, dtype=torch.float64)
    size[-1] = 3
    return signal + organ.population.noise * size * _normal(signal.shape, generator)


def _heavy_tailed(truth: Truth, organ: Organ, generator: torch.Generator) -> Tensor:
    signal = _signal(Scenario.CORRECT, truth, organ, generator)
    # Student's t with 5 degrees of freedom, scaled to variance 1.
    squares = _normal((5, *signal.shape), generator).square()
    noise: Tensor = math.sqrt(3 / 5) * _normal(signal.shape, generator) / squares.mean(0).sqrt()
    return signal + organ.population.noise * noise


_NOISES: dict[str, Callable[[Truth, Organ, torch.Generator], Tensor]] = {
    'flow fluctuates by 20 %': _fluctuating,
    'AR(1) between delays, .3': _autoregressive(0.3),
    'AR(1) between delays, .6': _autoregressive(0.6),
    'grows threefold with the delay': _growing,
    'one repetition three times as noisy': _noisier_repetition,
    'heavy tails (t, 5 degrees)': _heavy_tailed,
}
