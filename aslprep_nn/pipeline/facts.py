"""What the sidecar of a map says beyond its kind: how this run made it."""

from __future__ import annotations

from typing import Any

from aslprep_nn.bids.kinds import CBF_UNIT, KINDS, estimator_and_quantity
from aslprep_nn.estimation.hybrid import SMOOTHING_OF_ATT, SMOOTHING_OF_CBF
from aslprep_nn.run import ASLRun
from aslprep_nn.settings import Estimator, Misspecification, Settings
from aslprep_nn.testability import FEWEST_FOR_SANDWICH, repetition_counts

RELATIVE = 'relative: 1 is the median of the brain in the primary estimate'
SANDWICH = (
    'the larger of the Cramér–Rao bound and of the sandwich covariance, which the scatter of the '
    'repetitions implies without assumptions on the noise; the bound alone where ATT is too '
    'uncertain for the sandwich, or fewer than four repetitions are complete'
)
BOUND = (
    'Cramér–Rao bound averaged over the uncertainty of ATT, at the noise measured between '
    'repetitions'
)
BOUND_AT_RESIDUALS = (
    'Cramér–Rao bound averaged over the uncertainty of ATT, at the noise that the residuals of the '
    'fit show, because nothing was repeated'
)
STANDARD_ERROR = 'standard error of the mean over repetitions'
PROPAGATED = (
    'independent noise, of the size measured between repetitions, carried through smoothing and '
    'fit; it says nothing about detail that smoothing took away'
)
PREDICTED = 'predicted by the network'


def facts_of_map(run: ASLRun, settings: Settings, name: str) -> dict[str, Any]:
    """Return the sidecar fields of a map that depend on the run.

    Parameters
    ----------
    run, settings
        What was processed, and how.
    name
        A key of `bids.kinds.KINDS`.
    """
    estimator, quantity = estimator_and_quantity(name)
    facts: dict[str, Any] = {}
    if unit_of(run, name):
        facts['Units'] = unit_of(run, name)
    if quantity in ('cbf', 'att', 'std_cbf', 'std_att'):
        facts |= _about_estimator(run, settings, estimator or run.estimation.primary, quantity)
    if quantity in ('cbf', 'att') and run.estimation.not_offered:
        refused = run.estimation.not_offered
        facts['EstimatorsNotOffered'] = {each.estimator.value: each.reasons for each in refused}
    if name == 'class':
        facts['FalseDiscoveryRate'] = settings.trust.false_discovery_rate
    if is_flow(name) and not run.has_m0:
        facts['Description'] = f'{KINDS[name].description} There is no M0: {RELATIVE}.'
    return facts


def is_flow(name: str) -> bool:
    """Tell whether a map is in mL/100 g/min, or relative where there is no M0."""
    return KINDS[name].unit == CBF_UNIT


def unit_of(run: ASLRun, name: str) -> str:
    """Return the unit of a map, '' where there is none to state."""
    return '1' if is_flow(name) and not run.has_m0 else KINDS[name].unit


def _about_estimator(
    run: ASLRun, settings: Settings, estimator: Estimator, quantity: str
) -> dict[str, Any]:
    """Say who estimated, with what settings, and where a standard deviation comes from."""
    title = estimator.label.removeprefix('the ') if run.estimates_att else 'single-delay formula'
    facts: dict[str, Any] = {'Estimator': title}
    weights = run.estimation.weights
    if estimator is Estimator.NETWORK and weights is not None:
        facts['Weights'] = {'Name': weights.name, 'SHA256': weights.sha256}
        facts['BiasVarianceDial'] = weights.dial
    if estimator is Estimator.HYBRID:
        smoothing = {'ATT': SMOOTHING_OF_ATT, 'CBF': SMOOTHING_OF_CBF, 'Units': 'voxel'}
        facts['Smoothing'] = smoothing
    if quantity.startswith('std_'):
        facts['Method'] = _method(run, settings, estimator)
    return facts


def _method(run: ASLRun, settings: Settings, estimator: Estimator) -> str:
    """Say how the standard deviation of an estimate was found."""
    if estimator is Estimator.NETWORK:
        return PREDICTED
    if estimator is Estimator.HYBRID:
        return PROPAGATED
    is_tested = settings.trust.misspecification is not Misspecification.OFF
    if not run.estimates_att:
        return STANDARD_ERROR
    counts = repetition_counts(run.acquisition)
    if is_tested and min(counts) >= FEWEST_FOR_SANDWICH:
        return SANDWICH
    return BOUND if max(counts) > 1 else BOUND_AT_RESIDUALS
