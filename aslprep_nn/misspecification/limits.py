"""What a protocol cannot tell, in words."""

from __future__ import annotations

import torch
from torch import Tensor

from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.misspecification.perfused import TOLD_FROM_NONE, is_perfused
from aslprep_nn.misspecification.third_parameter import Third, voxels_by_third
from aslprep_nn.misspecification.three_parameters import FEWEST_FOR_THREE
from aslprep_nn.testability import FEWEST_FOR_KAPPA, FEWEST_FOR_SCORE, FEWEST_TIMINGS, N_PARAMETERS


def limits_of(
    repetitions: Repetitions, fit: Fit, complete: Tensor, *, noise_is_known: bool = False
) -> tuple[str, ...]:
    """Say in full sentences which tests could not be made, and why.

    Parameters
    ----------
    repetitions
        Of the protocol.
    fit
        Of the voxels.
    complete
        Complete repetitions of each voxel, ``(voxel,)``.
    noise_is_known
        Whether the standard deviation of a measurement was given.
    """
    if repetitions.n_timings == 1:
        return ('One delay cannot tell CBF from ATT, so there is no model to test.',)
    typical = typical_count(complete)
    return (
        *_of_protocol(repetitions, noise_is_known),
        *_of_repetitions(repetitions, complete, typical),
        *_of_timings(repetitions),
        *_of_fit(repetitions, fit, typical),
        *_of_perfusion(repetitions, fit, typical),
    )


def typical_count(complete: Tensor) -> int:
    """Find how many complete repetitions most voxels have; 0 without voxels."""
    return int(complete.mode().values) if len(complete) else 0


def _of_protocol(repetitions: Repetitions, noise_is_known: bool) -> list[str]:
    counts = torch.bincount(repetitions.timing).tolist()
    fewest, most = min(counts), max(counts)
    if most == 1:
        return [
            'No timing was measured twice (M = 1): noise and model cannot be tested apart, so '
            + (
                'kappa and the score tests are missing; the lack of fit takes the noise as given.'
                if noise_is_known
                else 'kappa, the lack of fit and the score tests are missing. Where the standard '
                'deviation of a measurement is known, give it to `assess` as `noise` for a lack '
                'of fit.'
            )
        ]
    if fewest == 1:
        return [
            'Some timings were measured once, so there is a single complete repetition (M = 1): '
            'kappa and the score tests are missing. The lack of fit takes its noise from the '
            'timings that were repeated.'
        ]
    if fewest < most:
        return [
            f'Timings were measured {fewest} to {most} times. The tests of the noise and the '
            f'score tests use the first {fewest} of each; the lack of fit uses all.'
        ]
    return []


def _of_repetitions(repetitions: Repetitions, complete: Tensor, typical: int) -> list[str]:
    """Say what missing measurements, and few repetitions, take from the tests of the noise."""
    fewest = int(torch.bincount(repetitions.timing).min())
    if fewest == 1 or not len(complete):
        return []
    sentences = []
    left, n_voxels = torch.unique(complete[complete < fewest], return_counts=True)
    if len(left):
        listed = ', '.join(
            f'{count} in {n} voxels'
            for count, n in zip(left.tolist(), n_voxels.tolist(), strict=True)
        )
        sentences.append(
            'A missing measurement takes its whole repetition from the tests of the noise and '
            f'the score tests: of {fewest} repetitions {listed} are complete.'
        )
    if typical == FEWEST_FOR_KAPPA - 1:
        sentences.append(
            'With two repetitions (M = 2) kappa is infinite by construction and has no p-value.'
        )
    if typical < FEWEST_FOR_KAPPA - 1:
        sentences.append(
            f'Kappa needs at least {FEWEST_FOR_KAPPA} complete repetitions; most voxels have '
            f'{typical}.'
        )
    if typical < FEWEST_FOR_SCORE:
        sentences.append(
            f'The score tests need at least {FEWEST_FOR_SCORE} repetitions; there are {typical}, '
            'so no assumption can be named.'
        )
    elif bool((complete < FEWEST_FOR_SCORE).any()):
        sentences.append(
            f'In {int((complete < FEWEST_FOR_SCORE).sum())} voxels fewer than {FEWEST_FOR_SCORE} '
            'repetitions are complete, so that no assumption can be named there.'
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


def _of_fit(repetitions: Repetitions, fit: Fit, typical: int) -> list[str]:
    thirds = voxels_by_third(fit)
    n_arterial, n_t1 = (
        int(thirds[third].sum()) if third in thirds else 0
        for third in (Third.ARTERIAL_BLOOD_VOLUME, Third.TISSUE_T1)
    )
    if not n_arterial + n_t1:
        return []
    sentences = []
    if n_arterial:
        sentences.append(
            f'In {n_arterial} voxels arterial blood was fitted too: the tests there are of three '
            'parameters, and none asks for arterial blood.'
        )
    if n_t1:
        sentences.append('Tissue T1 was fitted too, so no test asks for it.')
    if 1 < typical < FEWEST_FOR_THREE:
        sentences.append(
            f'Where a third parameter was fitted kappa needs at least {FEWEST_FOR_THREE} '
            f'repetitions; there are {typical}.'
        )
    if repetitions.n_timings <= N_PARAMETERS + 1:
        sentences.append(
            'Three timings are fitted exactly by three parameters: lack of fit and score tests '
            'are missing there.'
        )
    if repetitions.n_timings >= FEWEST_TIMINGS:
        sentences.append(
            'Early and late delays are compared only where CBF and ATT alone were fitted.'
        )
    return sentences


def _of_perfusion(repetitions: Repetitions, fit: Fit, typical: int) -> list[str]:
    without = int((~is_perfused(fit)).sum())
    can_be_scored = typical >= FEWEST_FOR_SCORE and repetitions.n_timings > N_PARAMETERS
    if not without or not can_be_scored:
        return []
    return [
        f'In {without} voxels CBF is less than {TOLD_FROM_NONE:g} of its standard deviations: '
        'there is no time course whose shape the score tests could question.'
    ]
