"""What the methods text says of the estimators beside least squares."""

from __future__ import annotations

from collections.abc import Iterator

from aslprep_nn.estimation.hybrid import SMOOTHING_OF_ATT, SMOOTHING_OF_CBF
from aslprep_nn.report.results import RunResults
from aslprep_nn.settings import Estimator


def describe_estimators(results: RunResults) -> Iterator[str]:
    """Write who else estimated, with what, and who was asked for and did not."""
    estimation = results.estimation
    if Estimator.HYBRID in estimation.estimators:
        yield (
            'In a hybrid fit, arterial transit time was fitted to data smoothed within slices by '
            f'a Gaussian with a standard deviation of {SMOOTHING_OF_ATT:g} voxels, and cerebral '
            f'blood flow, at that transit time, to data smoothed by {SMOOTHING_OF_CBF:g} voxels.'
        )
    if estimation.weights is not None:
        weights = estimation.weights
        yield (
            'Both were also estimated by a convolutional network that is told the amplitude of '
            'the signal and corrects the posterior mean of each voxel by its surroundings. It was '
            f'trained on simulations only (weights {weights.name}, SHA-256 {weights.sha256[:12]}, '
            f'bias counting {weights.dial:g} times as much as scatter).'
        )
    if len(estimation.estimators) > 1 or estimation.primary is not Estimator.LEAST_SQUARES:
        yield f'The primary estimate is that of {estimation.primary.label}.'
    for refused in estimation.not_offered:
        facts = '; '.join(
            f'{problem.field or problem.file} is {problem.found}' for problem in refused.problems
        )
        yield f'{refused.estimator.label.capitalize()} was asked for and not used: {facts}.'
