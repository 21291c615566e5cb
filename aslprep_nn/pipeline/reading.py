"""From a series to what will be done with it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from aslprep_nn.bids.query import Dataset
from aslprep_nn.bids.reader import read_runs
from aslprep_nn.pipeline.masks import with_usable_mask
from aslprep_nn.pipeline.offer import offer_estimators
from aslprep_nn.run import ASLRun, GivenRun, RefusedRun
from aslprep_nn.settings import Settings

log = logging.getLogger(__name__)

Reading = ASLRun | GivenRun | RefusedRun


def read_series(series: Sequence[Path], settings: Settings) -> list[Reading]:
    """Read everything about runs but their pixels, and decide who estimates.

    Parameters
    ----------
    series
        The ``_asl`` images.
    settings
        What the user says is wrong with the metadata is applied.
    """
    dataset = Dataset(settings.bids_dir, tuple(series))
    readings = [_corrected(each, settings) for each in read_runs(dataset, series, settings)]
    offered = iter(offer_estimators([r for r in readings if isinstance(r, ASLRun)], settings))
    return [next(offered) if isinstance(r, ASLRun) else r for r in readings]


def say_what_is_left_out(runs: Sequence[ASLRun]) -> None:
    """Name what cannot be used: estimators, louder where the primary one is one of them; T1w."""
    for run in runs:
        for note in run.anatomy.notes:
            log.warning('%s: %s', run.name, note)
        level = logging.INFO
        if run.estimation.primary is not run.estimation.wanted:
            level = logging.WARNING
        for note in run.estimation.notes:
            log.log(level, '%s: %s', run.name, note)


def _corrected(reading: Reading, settings: Settings) -> Reading:
    """Apply what the user says is wrong with the metadata, and look at the mask supplied."""
    if not isinstance(reading, ASLRun):
        return reading
    if settings.swap_label_control:
        reading = reading.with_label_and_control_swapped()
    return with_usable_mask(reading, settings)
