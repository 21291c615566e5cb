"""What the methods text says of the tests that were made."""

from __future__ import annotations

import math
from collections.abc import Iterator

from aslprep_nn.misspecification.summary import TrustSummary
from aslprep_nn.report.results import RunResults
from aslprep_nn.report.trust_tests import is_classified, is_tested, tests_made

#: The tests of one deviation each, by the assumption that they question.
ASSUMPTIONS = {
    'pdecay': 'the decay of label in tissue, by T1 or outflow',
    'ptau': 'the labelling duration',
    'pdispersion': 'that label arrives all at once',
    'parterial': 'that no label is left in arteries',
}
#: Tests whose p-values are combined over the voxels of a region.
COMBINED = ('pnoise', 'ptrace', 'pmodel')


def describe_tests(results: RunResults) -> Iterator[str]:
    """Write how noise and model were tested; nothing where they were not."""
    trust = results.trust
    if trust is None or not is_tested(trust):
        return
    made = {test.p for test in tests_made(trust)}
    if is_classified(trust):
        yield 'Noise and signal model were tested in every voxel (Wang et al.).'
    yield from _of_noise(made)
    yield from _of_model(made)
    if not is_classified(trust):
        return
    yield (
        'Each voxel was given the class that explains it best, at a false discovery rate of '
        f'{100 * trust.summary.false_discovery_rate:g} % over the brain (Benjamini and Hochberg, '
        '1995).'
    )
    yield from _of_summary(trust.summary)


def _of_noise(made: set[str]) -> Iterator[str]:
    if 'pnoise' in made:
        yield (
            'The covariance of the estimates that the repetitions show (White, 1982) was divided '
            'by the Cramér-Rao bound; the ratio of its eigenvalues, kappa, has the null '
            'distribution of a test of sphericity (Mauchly, 1940).'
        )
    if 'ptrace' in made:
        yield 'Its trace was compared with the noise in all other directions by an F test.'


def _of_model(made: set[str]) -> Iterator[str]:
    if 'pmodel' in made:
        yield (
            'The mean signal was compared with the fitted curve by the F test for lack of fit '
            'against the scatter of the repetitions.'
        )
    questioned = [words for name, words in ASSUMPTIONS.items() if name in made]
    if questioned:
        yield (
            f'Assumptions were questioned one by one ({"; ".join(questioned)}): a t test over '
            'repetitions of the residuals along the change of the signal that a deviation would '
            'make, less what CBF and transit time can explain of it. It holds for any noise within '
            'a repetition.'
        )
    if 'phausman' in made:
        yield (
            'Estimates from the early and the late half of the delays were compared in units of '
            'their covariance (Hausman, 1978; Chow, 1960), each estimate one Gauss-Newton step '
            'from the fit of all delays.'
        )


def _of_summary(summary: TrustSummary) -> Iterator[str]:
    known = {name for each in summary.regions for name, p in each.p.items() if not math.isnan(p)}
    if known & set(COMBINED):
        yield (
            'Over regions, p-values were combined by the Cauchy method, which tolerates '
            'dependence between voxels (Liu and Xie, 2020).'
        )
    if known & set(ASSUMPTIONS):
        yield (
            'Before a t test of a region, the residuals of its voxels were added up, less what '
            'the curvature of the model adds in simulated repetitions (Wu, 1986): dependence '
            'between voxels does no harm there.'
        )
    if summary.convergence is not None:
        yield (
            f'Convergence with the number of repetitions was followed in up to '
            f'{summary.convergence.n_draws} subsets of each size, drawn without replacement.'
        )
    if summary.fixed_t1 is not None:
        yield (
            f'The {summary.fixed_t1.region} were fitted once more with the tissue T1 that suits '
            'them best.'
        )
