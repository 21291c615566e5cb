"""What the tests found, in sentences that a clinician can read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from aslprep_nn.misspecification.fixed_parameter import T1_PRECISION, T1_RANGE
from aslprep_nn.misspecification.multiplicity import VoxelClass
from aslprep_nn.misspecification.summary import FixedT1Test
from aslprep_nn.misspecification.trust import CLASSIFYING
from aslprep_nn.report.drawn_map import percent
from aslprep_nn.report.regions import BoolArray, gm_like
from aslprep_nn.report.results import RunResults, Trust
from aslprep_nn.report.trust_numbers import noise_at_the_rim, trust_numbers
from aslprep_nn.report.trust_tests import (
    LEVEL,
    TrustTest,
    claim_threshold,
    is_classified,
    is_tested,
    tests_made,
)

#: Rejections are called as many as by chance up to so many times as many; neighbours resemble
#: each other, so their number varies more than that of independent voxels.
ABOUT_CHANCE = 1.5
#: Unequal noise in a smaller share of the brain is not worth a sentence.
WORTH_A_SENTENCE = 0.01
#: What no test of repetitions within a voxel can see.
UNSEEN = (
    'No test can see a wrong labelling efficiency, M0 or partition coefficient, which only rescale '
    'CBF, or delays that are all wrong by the same time: nothing found is not proof.'
)
ONE_DELAY = 'One delay cannot tell CBF from arrival, so there is no curve to test.'
NOT_MADE = 'Noise and model were not tested in this run (see --misspecification).'
NOTHING_TESTED = 'Noise and model could not be tested in any voxel.'
NOT_CLASSIFIED = (
    'Noise and model could not be tested apart in any voxel; what else was asked is below.'
)


def trust_sentences(results: RunResults) -> tuple[str, ...]:
    """Sum up the tests of a run: all together, then the noise."""
    trust = results.trust
    if trust is None:
        return (NOT_MADE if 'att' in results.maps else ONE_DELAY,)
    if not is_tested(trust):
        return (NOTHING_TESTED,)
    if not is_classified(trust):
        return (NOT_CLASSIFIED,)
    numbers = trust_numbers(results, gm_like(results))
    return (*_overall(results, trust, numbers), *_noise(results, trust, numbers))


def test_sentences(results: RunResults) -> Iterator[tuple[TrustTest, str]]:
    """Yield each test that could be made with what it found, beside what chance gives."""
    trust = results.trust
    if trust is None or not is_tested(trust):
        return
    bright = gm_like(results)
    for test in tests_made(trust):
        yield test, _of_test(test, results, trust, bright)


def trust_limits(results: RunResults) -> tuple[str, ...]:
    """Say what could not be tested, and what never can be."""
    if results.trust is None:
        return ()
    return (*results.trust.summary.limits, *((UNSEEN,) if is_tested(results.trust) else ()))


def fixed_t1_sentence(test: FixedT1Test, results: RunResults) -> str:
    """Say whether a group of voxels would rather have its own T1, and what that changes."""
    group = f'The {test.region} ({test.n_voxels} voxels)'
    if math.isnan(test.p):
        return (
            f'{group} could not be asked whether their tissue T1 is the {test.t1_before:.3g} s '
            'assumed for all: that takes four complete repetitions, and delays that tell it.'
        )
    if not test.p < LEVEL:
        return (
            f'{group} give no reason to doubt the tissue T1 of {test.t1_before:.3g} s that was '
            f'assumed for all (p = {p_words(test.p)}; {test.t1_after:.3g} s fits best).'
        )
    if not _is_inside(test.t1_after):
        low, high = T1_RANGE
        suspect = ', such as label in arteries,' if test.t1_after < test.t1_before else ''
        return (
            f'{group} do not follow the curve that a tissue T1 of {test.t1_before:.3g} s gives '
            f'(p {_p_relation(test.p)}), but no T1 from {low:g} to {high:g} s mends it: the best '
            f'lies at the end of that range. Something else{suspect} is wrong, and the CBF at that '
            'T1 means nothing.'
        )
    unit = ' mL/100 g/min' if results.has_m0 else ' times the median'
    is_shorter = test.t1_after < test.t1_before
    outflow = ' Label that flows out again would look alike.' if is_shorter else ''
    return (
        f'{group} would rather have a tissue T1 of {test.t1_after:.3g} s than the '
        f'{test.t1_before:.3g} s assumed for all (p {_p_relation(test.p)}). With it the curve is '
        f'found wrong in {percent(test.misfit_after)} of them instead of '
        f'{percent(test.misfit_before)}, and their median CBF is {test.cbf_after:.3g} instead of '
        f'{test.cbf_before:.3g}{unit}.{outflow}'
    )


def _is_inside(t1: float) -> bool:
    """Tell whether the search for T1 ended between its limits."""
    low, high = T1_RANGE
    return low + 2 * T1_PRECISION < t1 < high - 2 * T1_PRECISION


def p_words(p: float) -> str:
    """Write a p-value for people; a dash where there is none."""
    if math.isnan(p):
        return '–'
    return '<.001' if p < 0.001 else f'{p:.2g}'.removeprefix('0') if p < 1 else '1'


def _p_relation(p: float) -> str:
    words = p_words(p)
    return f'< {words[1:]}' if words.startswith('<') else f'= {words}'


def _overall(results: RunResults, trust: Trust, numbers: Mapping[str, float]) -> Iterator[str]:
    n_tested = int(np.isfinite(trust.classes[gm_like(results)]).sum())
    if n_tested:
        made = {test.p for test in tests_made(trust)}
        is_model_tested = bool(made & {*CLASSIFYING} - {'pnoise'})
        yield (
            f'The {"kinetic model with its noise" if is_model_tested else "assumed noise"} is '
            f'consistent with {percent(numbers["fraction_consistent"])} of the {n_tested} '
            'grey-matter-like voxels that could be tested.'
        )
    claimed = int((trust.classes > VoxelClass.CONSISTENT).sum())
    rate = trust.summary.false_discovery_rate
    n_brain = int(np.isfinite(trust.classes).sum())
    if not claimed:
        yield f'Nothing was found in any of the {n_brain} voxels tested in the brain.'
        return
    yield (
        f'Something was found in {claimed} of the {n_brain} voxels tested in the brain; '
        f'about {max(1, round(rate * claimed))} of these claims may be false (false discovery rate '
        f'{100 * rate:g} %).'
    )


def _noise(results: RunResults, trust: Trust, numbers: Mapping[str, float]) -> Iterator[str]:
    tested = trust.classes[np.isfinite(trust.classes)]
    share = float((tested == VoxelClass.NOISE).mean())
    if share >= WORTH_A_SENTENCE:
        where = ', mostly at the rim: motion' if noise_at_the_rim(results) else ''
        yield (
            f'Between repetitions the estimates scatter {numbers["noise_ratio"]:.2g} times as much '
            f'as assumed in {percent(share)} of the brain{where}.'
        )


def _of_test(test: TrustTest, results: RunResults, trust: Trust, bright: BoolArray) -> str:
    p = np.where(results.mask, trust.maps[test.p], np.nan)
    is_bright = bool(np.isfinite(p[bright]).any())
    region, words = (bright, 'grey-matter-like') if is_bright else (results.mask, 'brain')
    tested = p[region][np.isfinite(p[region])]
    rejected, expected = int((tested < LEVEL).sum()), LEVEL * tested.size
    n_claimed = int((p <= claim_threshold(p, trust.summary.false_discovery_rate)).sum())
    return (
        f'{test.finding} in {percent(rejected / tested.size)} of {tested.size} {words} voxels '
        f'(p < .05), {_beside_chance(rejected, expected)} by chance ({expected:.0f} voxels). '
        f'Claimed by this test alone, in the brain: {n_claimed or "none"}.'
    )


def _beside_chance(found: int, expected: float) -> str:
    if found > ABOUT_CHANCE * expected:
        return f'{found / expected:.2g} times as many as'
    return 'about as many as' if found * ABOUT_CHANCE >= expected else 'fewer than'
