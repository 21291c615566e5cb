"""Every score of an evaluation as plain records, to the last digit."""

from __future__ import annotations

import math
from collections.abc import Iterator

from aslprep_nn.evaluation.scores import Parameter, Region, Results
from aslprep_nn.evaluation.suite import Evaluation

Record = dict[str, str | float | list[float] | None]


def score_records(found: Evaluation) -> Iterator[Record]:
    """List the scores of every estimator, at its best setting, in every condition and region."""
    lesions = (*found.foci, *found.late_foci, *found.tumours)
    experiments = {
        'physics known': found.known,
        'correlated noise': found.correlated,
        'fine structure': found.fine,
        'wrong physics': found.wrong,
        'protocols': found.protocols,
        'voxelwise random': found.voxelwise,
        'lesions': tuple(one.results for one in lesions),
    }
    for name, results in experiments.items():
        for one in results:
            for parameter in Parameter:
                yield from _records(name, one, parameter)


def _records(name: str, results: Results, parameter: Parameter) -> Iterator[Record]:
    for region in Region:
        for family in results.families:
            key = results.best_setting(family, parameter, region)
            score = results.sums[key].score(parameter, region)
            if score.n == 0:
                continue
            numbers: Record = {n: _number(value) for n, value in score._asdict().items()}
            yield {
                'experiment': name,
                'condition': str(results.condition),
                'parameter': parameter.name,
                'region': region.words,
                'estimator': str(family),
                'setting': list(key.setting),
                **numbers,
            }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
