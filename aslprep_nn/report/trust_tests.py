"""The tests of noise and model as people read them, and where they could be made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from aslprep_nn.maps import FloatArray
from aslprep_nn.misspecification.multiplicity import discoveries
from aslprep_nn.report.regions import BoolArray
from aslprep_nn.report.results import RunResults, Trust
from aslprep_nn.testability import repetition_counts

#: p below this is a rejection; the share of correct voxels that has one.
LEVEL = 0.05
#: How deep the rim of the brain reaches, where motion changes the signal most [mm].
RIM = 6.0


@dataclass(frozen=True)
class TrustTest:
    """One test in words.

    Parameters
    ----------
    p
        Name of its p map.
    title
        What is tested.
    statistic
        By what.
    finding
        What a small p says, after 'in so many voxels'.
    meaning
        What it means for CBF and ATT, as a sentence.
    """

    p: str
    title: str
    statistic: str
    finding: str
    meaning: str


TESTS = (
    TrustTest(
        'pnoise',
        'Noise between repetitions',
        'kappa',
        'the repetitions scatter otherwise than assumed',
        'Something changes between repetitions, such as motion or breathing: CBF may be right, '
        'its standard deviation is not.',
    ),
    TrustTest(
        'ptrace',
        'Noise along CBF and ATT',
        'trace',
        'the estimates scatter more than the noise explains',
        'Flow or arrival change between repetitions, or the noise of different delays is alike.',
    ),
    TrustTest(
        'pmodel',
        'Shape of the curve',
        'lack of fit',
        'no CBF and ATT describe the mean signal',
        'The model misses something: CBF and ATT may be biased.',
    ),
    TrustTest(
        'pdecay',
        'Tissue decay',
        'robust t',
        'the signal deviates as it would if label decayed or left at another rate',
        'T1 of tissue or outflow; they change the signal almost alike and are not told apart.',
    ),
    TrustTest(
        'ptau',
        'Labelling duration',
        'robust t',
        'the signal deviates as it would with another labelling duration',
        'Check LabelingDuration, or BolusCutOffDelayTime, in the metadata.',
    ),
    TrustTest(
        'pdispersion',
        'Dispersed arrival',
        'robust t',
        'the signal deviates as it would if the bolus arrived blurred',
        'Label arrives at different times within the voxel.',
    ),
    TrustTest(
        'parterial',
        'Arterial blood',
        'largest robust t',
        'the signal deviates as it would with label still in arteries',
        'CBF may be too high there; --macrovascular auto adds the artery to the model.',
    ),
    TrustTest(
        'phausman',
        'Early against late delays',
        'Hausman H',
        'early and late delays give different CBF or ATT',
        'The two halves of the protocol see different curves.',
    ),
)


def tests_made(trust: Trust) -> Iterator[TrustTest]:
    """Yield the tests that could be made in at least one voxel."""
    for test in TESTS:
        if test.p in trust.maps and bool(np.isfinite(trust.maps[test.p]).any()):
            yield test


def is_tested(trust: Trust | None) -> bool:
    """Tell whether any test could be made in any voxel."""
    return trust is not None and any(True for _ in tests_made(trust))


def is_classified(trust: Trust | None) -> bool:
    """Tell whether any voxel has a class; early against late delays alone give none."""
    return trust is not None and bool(np.isfinite(trust.classes).any())


def claim_threshold(p: FloatArray, rate: float) -> float:
    """Find the largest p-value that is claimed at a false discovery rate; NaN where none is.

    Parameters
    ----------
    p
        p-values of one test; NaN takes no part.
    rate
        The false discovery rate q.
    """
    tested = p[np.isfinite(p)].astype(np.float64)
    claimed = discoveries(torch.from_numpy(tested), rate).numpy()
    return float(tested[claimed].max()) if claimed.any() else float('nan')


def rim(results: RunResults) -> BoolArray:
    """Choose voxels of the brain whose centre is close to its edge, ``(x, y, z)``.

    A volume that ends within the brain has no edge there.
    """
    spacing = np.linalg.norm(results.affine[:3, :3], axis=0)
    if results.mask.all():
        return np.zeros_like(results.mask)
    to_next_outside = ndimage.distance_transform_edt(results.mask, sampling=spacing)
    depth = to_next_outside - spacing.min() / 2
    return np.asarray(results.mask & (depth <= RIM))


def n_repetitions(results: RunResults) -> int:
    """Count the complete repetitions: of most voxels where they were tested, else as planned."""
    if results.trust is not None:
        return results.trust.summary.n_repetitions
    return min(repetition_counts(results.acquisition))
