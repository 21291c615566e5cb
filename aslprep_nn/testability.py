"""Which tests of noise and model a protocol allows: a matter of counting."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from aslprep_nn.acquisition import Acquisition

#: Fewer repetitions than this leave kappa without a distribution: at 2, one eigenvalue is 0.
FEWEST_FOR_KAPPA = 3
#: Fewer than this leave a t distribution whose tails say nothing.
FEWEST_FOR_SCORE = 4
#: Fewer than this make a covariance that says too little.
FEWEST_FOR_SANDWICH = 4
#: As many timings CBF and ATT fit exactly.
N_PARAMETERS = 2
#: Fewer timings than this cannot be halved into subsets that tell CBF from ATT.
FEWEST_TIMINGS = 4


class TrustTest(StrEnum):
    """A question about noise or model, in the words of the plan."""

    NOISE = 'noise between repetitions'
    FIT = 'lack of fit'
    ASSUMPTIONS = 'which assumption is wrong'
    HALVES = 'early against late delays'


def repetition_counts(acquisition: Acquisition) -> tuple[int, ...]:
    """Count the measurements of each timing."""
    timings = zip(acquisition.pld, acquisition.labeling_duration, strict=True)
    return tuple(Counter(timings).values())


def possible_tests(acquisition: Acquisition) -> tuple[TrustTest, ...]:
    """List the questions that a protocol can answer.

    Noise is seen where timings were repeated; misfit where there are more timings than
    parameters, and some repetition to compare it with; early and late delays can be compared
    even without repetitions, because the residuals then tell the noise.
    """
    counts = repetition_counts(acquisition)
    fewest, most, n_timings = min(counts), max(counts), len(counts)
    possible = {
        TrustTest.NOISE: n_timings > 1 and fewest >= FEWEST_FOR_KAPPA,
        TrustTest.FIT: n_timings > N_PARAMETERS and most > 1,
        TrustTest.ASSUMPTIONS: n_timings > N_PARAMETERS and fewest >= FEWEST_FOR_SCORE,
        TrustTest.HALVES: n_timings >= FEWEST_TIMINGS,
    }
    return tuple(test for test, is_possible in possible.items() if is_possible)
