"""Measure how far noise and model of one run can be trusted."""

from __future__ import annotations

import math

import numpy as np

from aslprep_nn.maps import FloatArray
from aslprep_nn.misspecification.bootstrap import null_kappa
from aslprep_nn.misspecification.multiplicity import VoxelClass
from aslprep_nn.report.regions import BoolArray
from aslprep_nn.report.results import RunResults, Trust
from aslprep_nn.report.trust_expectations import TRUST_EXPECTATIONS
from aslprep_nn.report.trust_tests import is_classified, n_repetitions, rim

#: The classes of a wrong model, by the number that counts them, and what they look like.
WRONG_MODEL = {
    'fraction_decay': VoxelClass.TISSUE_DECAY,
    'fraction_duration': VoxelClass.LABELING_DURATION,
    'fraction_arterial': VoxelClass.ARTERIAL_BLOOD,
    'fraction_unclear': VoxelClass.MODEL,
}
LOOKS_LIKE = {
    'fraction_decay': 'most often as with another tissue T1 or outflow',
    'fraction_duration': 'most often as with another labelling duration',
    'fraction_arterial': 'most often as with label in arteries',
    'fraction_unclear': 'most often for an unclear cause',
}
#: Noise lies 'mostly at the rim' where more than this share of it does, ...
MOSTLY = 0.5
#: ... and is so many times as frequent there as inside.
TIMES_AS_FREQUENT = 2.0
#: No kappa belongs to p = 0, which is what rounding makes of a smaller one than this.
SMALLEST_P = 1e-12


def trust_numbers(results: RunResults, bright: BoolArray) -> dict[str, float]:
    """Measure every number of ``TRUST_EXPECTATIONS``; NaN where nothing was tested.

    Parameters
    ----------
    results
        The run.
    bright
        Its grey-matter-like voxels, ``(x, y, z)``.
    """
    trust = results.trust
    if trust is None or not is_classified(trust):
        return {number.name: math.nan for number in TRUST_EXPECTATIONS}
    inside = _classes_in(trust, bright)
    model = {name: _share(inside, label) for name, label in WRONG_MODEL.items()}
    return {
        'fraction_consistent': _share(inside, VoxelClass.CONSISTENT),
        'fraction_noise': _share(inside, VoxelClass.NOISE),
        'fraction_noise_rim': _share(_classes_in(trust, rim(results)), VoxelClass.NOISE),
        'fraction_model': sum(model.values()),
        **model,
        'noise_ratio': _noise_ratio(trust, results.mask),
        'kappa_ratio': _kappa_ratio(results, trust, bright),
    }


def trust_concerns(results: RunResults, numbers: dict[str, float]) -> dict[str, str]:
    """Say what high numbers of this run mean, in place of what they mean in general.

    A cause that says the same as another number says nothing, so that the verdict names each
    finding once: the share of consistent voxels is low *because* of noise or model.

    Parameters
    ----------
    results
        The run.
    numbers
        Of `trust_numbers`.

    Returns
    -------
    Clause by name of the number, '' to leave it to another.
    """
    usual = {number.name: number.usual_high for number in TRUST_EXPECTATIONS}
    concerns = dict.fromkeys((*WRONG_MODEL, 'noise_ratio'), '')
    if numbers['fraction_noise'] > usual['fraction_noise']:
        concerns['fraction_noise'] = _noise_concern(results, numbers['noise_ratio'])
        concerns['fraction_consistent'] = concerns['fraction_noise_rim'] = ''
        concerns['kappa_ratio'] = ''
    if numbers['fraction_model'] > usual['fraction_model']:
        cause = max(WRONG_MODEL, key=lambda name: numbers[name])
        concerns['fraction_model'] = (
            'in {value} of grey-matter-like voxels the signal does not follow the model, '
            f'{LOOKS_LIKE[cause]}'
        )
        concerns['fraction_consistent'] = ''
    return concerns


def noise_at_the_rim(results: RunResults) -> bool:
    """Tell whether noise that is not as assumed lies mostly at the rim, as after motion."""
    trust = results.trust
    if trust is None:
        return False
    tested = np.isfinite(trust.classes)
    noisy, edge = trust.classes == VoxelClass.NOISE, rim(results)
    n_noisy = int(noisy.sum())
    n_inside = int((tested & ~edge).sum())
    if n_noisy == 0 or n_inside == 0 or not (tested & edge).any():
        return False
    at_edge = int((noisy & edge).sum())
    rate_at_edge = at_edge / int((tested & edge).sum())
    rate_inside = (n_noisy - at_edge) / n_inside
    return at_edge > MOSTLY * n_noisy and rate_at_edge >= TIMES_AS_FREQUENT * rate_inside


def _noise_concern(results: RunResults, ratio: float) -> str:
    how = 'more' if ratio > 1 else 'otherwise'
    where = ', mostly at the rim (motion)' if noise_at_the_rim(results) else ''
    return (
        f'in {{value}} of grey-matter-like voxels the repetitions scatter {how} than assumed{where}'
    )


def _classes_in(trust: Trust, region: BoolArray) -> FloatArray:
    """Return the classes of the voxels of a region that were tested, ``(voxel,)``."""
    inside = trust.classes[region]
    return np.asarray(inside[np.isfinite(inside)])


def _share(classes: FloatArray, label: VoxelClass) -> float:
    return float((classes == label).mean()) if classes.size else math.nan


def _noise_ratio(trust: Trust, mask: BoolArray) -> float:
    """Take the median of √λmax over the voxels of the noise class; NaN where there is none."""
    found = trust.maps['lambdamax'][mask & (trust.classes == VoxelClass.NOISE)]
    return float(np.sqrt(np.median(found))) if found.size else math.nan


def _kappa_ratio(results: RunResults, trust: Trust, bright: BoolArray) -> float:
    """Divide the median kappa by what correct noise gives; NaN below three repetitions.

    Taken from the median p, which is the same for two parameters and all repetitions, and still
    compares like with like where a voxel has a third parameter or lacks a repetition.
    """
    p = trust.maps['pnoise'][bright]
    known = p[np.isfinite(p)]
    if not known.size:
        return math.nan
    n_repeated = n_repetitions(results)
    median = max(float(np.median(known)), SMALLEST_P)
    return null_kappa(median, n_repeated) / null_kappa(0.5, n_repeated)
