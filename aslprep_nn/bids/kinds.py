"""The kinds of images the app writes: their names, units and meaning."""

from __future__ import annotations

from dataclasses import dataclass

from aslprep_nn.maps import FitStatus
from aslprep_nn.settings import Estimator


@dataclass(frozen=True)
class Kind:
    """One kind of derivative.

    Parameters
    ----------
    suffix
        What follows the run's name: ``_desc-std_cbf``.
    description
        One sentence for people.
    unit
        As BIDS writes it; '' where there is none to state.
    """

    suffix: str
    description: str
    unit: str = ''


CBF_UNIT = 'mL/100 g/min'
SCANNER_UNIT = 'arbitrary'
TRUST_MAPS = {
    'kappa': ('Ratio of the eigenvalues of P: how unequal the excess of noise is.', '1'),
    'lambdamax': ('Larger eigenvalue of P; 1 where noise is as assumed.', '1'),
    'lambdamin': ('Smaller eigenvalue of P; 1 where noise is as assumed.', '1'),
    'trace': ('Trace of P; 2 where noise is as large as assumed.', '1'),
    'kl': ('Kullback-Leibler divergence of the estimated from the assumed noise.', '1'),
    'pnoise': ('p-value of kappa.', '1'),
    'ptrace': ('p-value of the trace.', '1'),
    'lackoffit': ('Misfit of the mean over the scatter of the repetitions, an F ratio.', '1'),
    'pmodel': ('p-value of the lack of fit.', '1'),
    'tdecay': ('Score along the decay in tissue (T1 or outflow), a t value.', '1'),
    'pdecay': ('p-value of the score along the decay in tissue.', '1'),
    'ttau': ('Score along the labelling duration, a t value.', '1'),
    'ptau': ('p-value of the score along the labelling duration.', '1'),
    'tdispersion': ('Score along the dispersion of arrival times, a t value.', '1'),
    'pdispersion': ('p-value of the score along the dispersion of arrival times.', '1'),
    'tarterial': ('Largest score along arterial blood over its arrival times, a t value.', '1'),
    'parterial': ('p-value of the largest score along arterial blood.', '1'),
    'hausman': (
        'Squared distance of early from late estimates in units of its covariance.',
        '1',
    ),
    'phausman': (
        'p-value of the squared distance of early from late estimates (Hausman, Chow).',
        '1',
    ),
    'subsetcbf': ('CBF of early less late delays, over CBF, without sign.', '1'),
    'subsetatt': ('ATT of early less late delays, over ATT, without sign.', '1'),
    'stdcbf': ('Standard deviation of CBF that the repetitions imply alone.', CBF_UNIT),
    'stdatt': ('Standard deviation of ATT that the repetitions imply alone.', 's'),
    'class': (
        'What was found at the false discovery rate; NaN where nothing could be tested.',
        '',
    ),
}
CLASS_LEVELS = {
    0: 'consistent with model and noise',
    1: 'noise between repetitions not as assumed',
    2: 'tissue decay: T1 or outflow',
    3: 'labelling duration',
    4: 'arterial blood',
    5: 'the model does not fit, cause unclear',
}


def _beside(estimator: Estimator) -> dict[str, Kind]:
    """Describe the maps of an estimator beside the primary one."""
    kinds = {
        'cbf': Kind(
            f'_desc-{estimator}_cbf',
            f'Cerebral blood flow by {estimator.label}; NaN where there is no estimate.',
            CBF_UNIT,
        ),
        'att': Kind(
            f'_desc-{estimator}_att',
            f'Arterial transit time by {estimator.label}; NaN where there is no estimate.',
            's',
        ),
        'std_cbf': Kind(
            f'_desc-{estimator}std_cbf',
            f'Standard deviation of CBF by {estimator.label}.',
            CBF_UNIT,
        ),
        'std_att': Kind(
            f'_desc-{estimator}std_att', f'Standard deviation of ATT by {estimator.label}.', 's'
        ),
        'fitstatus': Kind(
            f'_desc-{estimator}fitstatus_dseg', f'How each voxel ended by {estimator.label}.'
        ),
    }
    return {f'{estimator}_{quantity}': kind for quantity, kind in kinds.items()}


KINDS = {
    'cbf': Kind('_cbf', 'Cerebral blood flow; NaN where there is no estimate.', CBF_UNIT),
    'att': Kind('_att', 'Arterial transit time; NaN where there is no estimate.', 's'),
    'std_cbf': Kind('_desc-std_cbf', 'Standard deviation of CBF.', CBF_UNIT),
    'std_att': Kind('_desc-std_att', 'Standard deviation of ATT.', 's'),
    'arterial_blood_volume': Kind(
        '_abv', 'Arterial blood volume; NaN where the data do not call for it.', '1'
    ),
    'std_arterial_blood_volume': Kind(
        '_desc-std_abv', 'Standard deviation of the arterial blood volume.', '1'
    ),
    **{name: Kind(f'_desc-{name}_misspec', *about) for name, about in TRUST_MAPS.items()},
    'fitstatus': Kind('_desc-fitstatus_dseg', 'How the fit of each voxel ended.'),
    **{name: kind for each in Estimator for name, kind in _beside(each).items()},
    'difference_cbf': Kind(
        '_desc-difference_cbf', 'CBF of the network less that of least squares.', CBF_UNIT
    ),
    'given_cbf': Kind('_desc-given_cbf', 'Cerebral blood flow as the dataset gives it.'),
    'still': Kind('_desc-preproc_asl', 'Motion-corrected series, scanner units.', SCANNER_UNIT),
    'm0': Kind(
        '_desc-preproc_m0scan',
        'Equilibrium magnetisation of tissue, corrected for incomplete recovery, scanner units.',
        SCANNER_UNIT,
    ),
    'delta_m': Kind(
        '_desc-deltam_asl', 'Control minus label, motion-corrected, scanner units.', SCANNER_UNIT
    ),
    'reference': Kind('_desc-hmc_aslref', 'The image every volume was aligned to.', SCANNER_UNIT),
    'mask': Kind('_desc-brain_mask', 'Voxels taken as brain.'),
    'fov_mask': Kind('_desc-fov_mask', 'Voxels inside the field of view in every volume.'),
}
STATUS_LEVELS = {
    FitStatus.OUTSIDE: 'outside the mask',
    FitStatus.CONVERGED: 'converged',
    FitStatus.AT_BOUND: 'at a bound',
    FitStatus.ATT_NOT_IDENTIFIABLE: 'ATT not identifiable by this protocol',
    FitStatus.FAILED: 'failed',
    FitStatus.ON_KINK: 'converged on a kink: ATT equals a PLD or PLD + duration',
}
#: What the codes of an image mean.
LEVELS: dict[str, dict[int, str]] = {
    name: {int(status): text for status, text in STATUS_LEVELS.items()}
    for name in KINDS
    if name.endswith('fitstatus')
} | {
    'class': CLASS_LEVELS,
}


def of_estimator(quantity: str, estimator: Estimator, *, primary: Estimator) -> str:
    """Name the map of a quantity by an estimator; that of the primary one needs no more words."""
    return quantity if estimator is primary else f'{estimator}_{quantity}'


def estimator_and_quantity(name: str) -> tuple[Estimator | None, str]:
    """Take the name of `of_estimator` apart; None for what is the primary estimator's."""
    word, _, quantity = name.partition('_')
    return (Estimator(word), quantity) if word in tuple(Estimator) else (None, name)
