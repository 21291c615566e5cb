"""Which of the estimators asked for can serve a run, and why the others cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np

from aslprep_nn.errors import AslprepError, Problem
from aslprep_nn.network.training_range import refusals
from aslprep_nn.network.weights import LoadedNetwork, default_weights, load_weights
from aslprep_nn.run import ASLRun, Estimation, NotOffered, PlanRow, Weights
from aslprep_nn.settings import Estimator, Settings

#: The row of the plan that says how a run is estimated.
PLAN_ROW = 'Estimator'


def offer_estimators(runs: Sequence[ASLRun], settings: Settings) -> list[ASLRun]:
    """Decide for each run which estimators serve it.

    Nothing is raised: an estimator that cannot serve is named with its reasons, and the run
    goes on with the others, or with least squares, which can always serve.

    Parameters
    ----------
    runs
        As they were read.
    settings
        Which estimators were asked for; the first is to be the primary one.

    Returns
    -------
    The runs with their estimation and its rows of the plan.
    """
    network: LoadedNetwork | tuple[Problem, ...] = ()
    path = settings.network.weights or default_weights()
    if Estimator.NETWORK in settings.estimators:
        network = _load(path)
    offered = []
    for run in runs:
        estimation = Estimation(settings.estimators, settings.estimators[0])
        if isinstance(network, LoadedNetwork):
            known = network.card.name, network.card.sha256, settings.network.dial
            estimation = replace(estimation, weights=Weights(path, *known))
        for estimator in settings.estimators:
            problems = _problems(estimator, run, network)
            if problems:
                estimation = estimation.without(NotOffered(estimator, problems))
        offered.append(with_estimation(run, estimation))
    return offered


def with_estimation(run: ASLRun, estimation: Estimation) -> ASLRun:
    """Give a run its estimation, and the plan the rows that say it."""
    kept = [row for row in run.plan if not row.name.startswith(PLAN_ROW)]
    first = [row.name for row in run.plan].index(PLAN_ROW) if len(kept) < len(run.plan) else 0
    rows = _rows(run, estimation)
    plan = (*kept[:first], *rows, *kept[first:])
    return replace(run, plan=plan, estimation=estimation)


def _rows(run: ASLRun, estimation: Estimation) -> list[PlanRow]:
    """Say who estimates, with what, and who does not and why."""
    rows = [
        PlanRow(
            f'{PLAN_ROW} {estimator}' if estimator is not estimation.primary else PLAN_ROW,
            _title(estimator, run, estimation),
            _source(estimator, estimation),
        )
        for estimator in estimation.estimators
    ]
    return rows + [
        PlanRow(f'{PLAN_ROW} {refused.estimator}', 'not offered', refused.reasons)
        for refused in estimation.not_offered
    ]


def _title(estimator: Estimator, run: ASLRun, estimation: Estimation) -> str:
    if not run.estimates_att:
        return 'single-delay formula for CBF'
    titles = {
        Estimator.LEAST_SQUARES: 'voxelwise least squares for CBF and ATT',
        Estimator.HYBRID: 'CBF at the ATT of smoothed data',
        Estimator.NETWORK: 'amplitude-aware network for CBF and ATT',
    }
    weights = estimation.weights
    if estimator is Estimator.NETWORK and weights is not None:
        return f'{titles[estimator]}, weights {weights.name}, dial {weights.dial:g}'
    return titles[estimator]


def _source(estimator: Estimator, estimation: Estimation) -> str:
    weights = estimation.weights
    if estimator is Estimator.NETWORK and weights is not None:
        return f'nn, {weights.path.name}, sha256 {weights.sha256[:12]}'
    return str(estimator)


def _problems(
    estimator: Estimator, run: ASLRun, network: LoadedNetwork | tuple[Problem, ...]
) -> tuple[Problem, ...]:
    """Say what stands between a run and an estimator; nothing where it can serve."""
    if estimator is Estimator.HYBRID and not run.estimates_att:
        expected = 'several, which tell ATT'
        remedy = 'Nothing has to be done: the formula for one delay is used.'
        field = 'PostLabelingDelay'
        return (Problem(run.series.name, field, 'one delay', expected, remedy),)
    if estimator is not Estimator.NETWORK:
        return ()
    if not isinstance(network, LoadedNetwork):
        return network
    trained, size = network.card.training_range, _voxel_size(run)
    return tuple(refusals(trained, [run.acquisition], file=run.series.name, voxel_size=size))


def _load(path: Path) -> LoadedNetwork | tuple[Problem, ...]:
    if path == default_weights() and not path.exists():
        found = 'absent: no weights in this installation'
        remedy = 'Give a file of weights with --weights.'
        return (Problem(path.name, '', found, 'trained weights', remedy),)
    try:
        return load_weights(path)
    except AslprepError as error:
        return error.problems


def _voxel_size(run: ASLRun) -> tuple[float, float, float]:
    """Read the edges of a voxel, across slices last [mm]."""
    zooms = [float(zoom) for zoom in nib.load(run.series).header.get_zooms()[:3]]
    within = np.delete(zooms, run.acquisition.slice_axis)
    return float(within[0]), float(within[1]), zooms[run.acquisition.slice_axis]
