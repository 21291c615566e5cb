"""The measurements and what every estimator makes of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.evaluation.conditions import Condition, measured
from aslprep_nn.evaluation.estimators import Estimates, Family, Key, estimate_all
from aslprep_nn.evaluation.phantoms import MIDDLE, Phantoms
from aslprep_nn.evaluation.scores import (
    Parameter,
    Ratio,
    Region,
    Results,
    Sums,
    Truth,
    bootstrap_ratio,
)
from aslprep_nn.network.model import AmplitudeAwareNetwork


def run_condition(
    phantoms: Phantoms,
    condition: Condition,
    network: AmplitudeAwareNetwork | None,
    seed: int,
    *,
    total_variation: bool = False,
) -> Results:
    """Measure phantoms and score every estimator.

    Parameters
    ----------
    phantoms, condition, seed
        What is measured, how, and with which noise.
    network, total_variation
        See `estimate_all`.
    """
    parts: dict[Key, list[Sums]] = defaultdict(list)
    batches = measured(phantoms, condition, seed)
    for part, batch in zip(phantoms.chunks(), batches, strict=True):
        truth = Truth.of(part, batch)
        found = estimate_all(batch, network, total_variation=total_variation)
        for key, estimates in found.items():
            parts[key].append(Sums.of(estimates, truth))
    return Results(condition, {key: Sums.join(sums) for key, sums in parts.items()})


class Recovery(NamedTuple):
    """How much of the lesions is found, 1 for all.

    Parameters
    ----------
    explained, asked
        Change of an estimate along the true change, and the true change squared, summed over the
        lesions of each phantom, ``(parameter, phantom)``.
    """

    explained: Tensor
    asked: Tensor

    def ratio(self, parameter: Parameter) -> Ratio:
        """Pool all phantoms."""
        return bootstrap_ratio(self.explained[parameter], self.asked[parameter])


@dataclass(frozen=True)
class LesionResults:
    """Lesions measured twice: as they are, and as if they were not there.

    Parameters
    ----------
    results
        Scores where they are.
    recoveries
        By estimator and setting.
    """

    results: Results
    recoveries: Mapping[Key, Recovery]

    def recovery(self, family: Family, parameter: Parameter) -> Ratio:
        """Find what the setting recovers that has the least error in the whole brain.

        A baseline is tuned for the image, not for the lesions that nobody knows of.
        """
        key = self.results.best_setting(family, parameter, Region.BRAIN)
        return self.recoveries[key].ratio(parameter)


def run_lesions(
    healthy: Phantoms,
    diseased: Phantoms,
    condition: Condition,
    network: AmplitudeAwareNetwork | None,
    seed: int,
) -> LesionResults:
    """Measure the same brains with and without lesions, with the same noise.

    The contrast that an estimator recovers is then free of noise, of its bias in healthy tissue
    and of any choice of a reference region: the slope of the change of the estimate against the
    true change.
    """
    sums: dict[Key, list[Sums]] = defaultdict(list)
    recoveries: dict[Key, list[Recovery]] = defaultdict(list)
    pairs = zip(
        diseased.chunks(),
        measured(diseased, condition, seed),
        measured(healthy, condition, seed),
        strict=True,
    )
    for part, with_lesions, without in pairs:
        truth, healthy_truth = Truth.of(part, with_lesions), Truth.of(part, without)
        change = (truth.values - healthy_truth.values) * truth.regions[Region.LESION]
        before = estimate_all(without, network)
        for key, after in estimate_all(with_lesions, network).items():
            sums[key].append(Sums.of(after, truth))
            recoveries[key].append(_recovery(before[key], after, change))
    return LesionResults(
        Results(condition, {key: Sums.join(parts) for key, parts in sums.items()}),
        {
            key: Recovery(*(torch.cat(parts, -1) for parts in zip(*all_parts, strict=True)))
            for key, all_parts in recoveries.items()
        },
    )


def _recovery(before: Estimates, after: Estimates, change: Tensor) -> Recovery:
    found = (after.values - before.values).nanmean(1).nan_to_num(0)
    explained, asked = (found * change).sum((-1, -2)), change.square().sum((-1, -2))
    return Recovery(explained.double(), asked.double())


def template_correlation(
    phantoms: Phantoms, condition: Condition, network: AmplitudeAwareNetwork | None, seed: int
) -> Mapping[Key, Tensor]:
    """Correlate maps of uniform phantoms with the grey matter that is not in them.

    Returns
    -------
    Mean of the correlations of all phantoms, by estimator: CBF and ATT, ``(parameter,)``.
    """
    found: dict[Key, list[Tensor]] = defaultdict(list)
    batches = measured(phantoms, condition, seed)
    for part, batch in zip(phantoms.chunks(), batches, strict=True):
        inside = batch.mask[:, MIDDLE]
        gray = part.stacks.gray_matter[:, MIDDLE]
        for key, estimates in estimate_all(batch, network).items():
            values = estimates.values[:, 0]
            found[key].append(
                torch.stack(
                    [
                        _correlation(*row)
                        for row in zip(values.movedim(1, 0), gray, inside, strict=True)
                    ]
                )
            )
    return {key: torch.cat(parts).mean(0) for key, parts in found.items()}


def _correlation(values: Tensor, gray: Tensor, inside: Tensor) -> Tensor:
    """Correlate each of two maps ``(parameter, x, y)`` with another over a mask."""
    rows = torch.cat([gray.unsqueeze(0), values])[:, inside]
    rows = rows[:, rows.isfinite().all(0)]
    return torch.corrcoef(rows)[0, 1:].nan_to_num(0)
