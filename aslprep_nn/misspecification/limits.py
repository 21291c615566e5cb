"""What a protocol cannot tell, in words."""

from __future__ import annotations

import torch

from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.misspecification.perfused import TOLD_FROM_NONE, is_perfused
from aslprep_nn.misspecification.third_parameter import Third, voxels_by_third
from aslprep_nn.testability import FEWEST_FOR_KAPPA, FEWEST_FOR_SCORE, FEWEST_TIMINGS, N_PARAMETERS


def limits_of(
    repetitions: Repetitions, fit: Fit, *, noise_is_known: bool = False
) -> tuple[str, ...]:
    """Say in full sentences which tests could not be made, and why."""
    if repetitions.n_timings == 1:
        return ('One delay cannot tell CBF from ATT, so there is no model to test.',)
    return (
        *_of_repetitions(repetitions, noise_is_known),
        *_of_timings(repetitions),
        *_of_fit(fit),
        *_of_perfusion(repetitions, fit),
    )


def _of_repetitions(repetitions: Repetitions, noise_is_known: bool) -> list[str]:
    counts = torch.bincount(repetitions.timing).tolist()
    fewest, most = min(counts), max(counts)
    sentences = []
    if most == 1:
        sentences.append(
            'No timing was measured twice (M = 1): noise and model cannot be tested apart, so '
            + (
                'kappa and the score tests are missing; the lack of fit takes the noise as given.'
                if noise_is_known
                else 'kappa, the lack of fit and the score tests are missing. Where the standard '
                'deviation of a measurement is known, give it to `assess` as `noise` for a lack '
                'of fit.'
            )
        )
    elif fewest == 1:
        sentences.append(
            'Some timings were measured once, so there is a single complete repetition (M = 1): '
            'kappa and the score tests are missing. The lack of fit takes its noise from the '
            'timings that were repeated.'
        )
    if fewest == FEWEST_FOR_KAPPA - 1:
        sentences.append(
            'With two repetitions (M = 2) kappa is infinite by construction and has no p-value.'
        )
    if 1 < fewest < FEWEST_FOR_SCORE:
        sentences.append(
            f'The score tests need at least {FEWEST_FOR_SCORE} repetitions; there are {fewest}, '
            'so no assumption can be named.'
        )
    if 1 < fewest < most:
        sentences.append(
            f'Timings were measured {fewest} to {most} times. The tests of the noise and the '
            f'score tests use the first {fewest} of each; the lack of fit uses all.'
        )
    return sentences


def _of_timings(repetitions: Repetitions) -> list[str]:
    sentences = []
    if repetitions.n_timings <= N_PARAMETERS:
        sentences.append(
            'Two timings are fitted exactly by CBF and ATT: lack of fit, score tests and the '
            'p-value of the trace are missing.'
        )
    if repetitions.n_timings == N_PARAMETERS + 1:
        sentences.append(
            'Three timings leave one direction that CBF and ATT cannot explain: whatever is wrong '
            'looks like tissue decay, and the other score tests are missing.'
        )
    if len(repetitions.acquisitions) > 1:
        sentences.append('Early and late delays are compared for a single acquisition only.')
    elif repetitions.n_timings < FEWEST_TIMINGS:
        sentences.append(
            f'Early and late delays cannot be compared with fewer than {FEWEST_TIMINGS} timings.'
        )
    elif len(repetitions.timing) == repetitions.n_timings < FEWEST_TIMINGS + 2:
        sentences.append(
            'Each half of the delays is fitted exactly and nothing was repeated, so the distance '
            'of early from late estimates cannot be compared with noise.'
        )
    return sentences


def _of_fit(fit: Fit) -> list[str]:
    sentences = []
    thirds = voxels_by_third(fit)
    if bool(thirds.get(Third.ARTERIAL_BLOOD_VOLUME, thirds[Third.NONE] & False).any()):
        n_voxels = int(thirds[Third.ARTERIAL_BLOOD_VOLUME].sum())
        sentences.append(
            f'In {n_voxels} voxels arterial blood was fitted too: the tests there are of three '
            'parameters, and none asks for arterial blood.'
        )
    if bool(thirds.get(Third.TISSUE_T1, thirds[Third.NONE] & False).any()):
        sentences.append('Tissue T1 was fitted too, so no test asks for it.')
    return sentences


def _of_perfusion(repetitions: Repetitions, fit: Fit) -> list[str]:
    without = int((~is_perfused(fit)).sum())
    can_be_scored = (
        int(torch.bincount(repetitions.timing).min()) >= FEWEST_FOR_SCORE
        and repetitions.n_timings > N_PARAMETERS
    )
    if not without or not can_be_scored:
        return []
    return [
        f'In {without} voxels CBF is less than {TOLD_FROM_NONE:g} of its standard deviations: '
        'there is no time course whose shape the score tests could question.'
    ]
