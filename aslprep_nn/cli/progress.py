"""What the app says while it works: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from aslprep_nn.pipeline.execution import Progress as Listener

log = logging.getLogger(__name__)

WORDS = {
    'regrid_m0scan': 'bringing M0 onto the grid',
    'choose_reference': 'choosing the reference',
    'estimate_motion': 'estimating motion',
    'resample_series': 'resampling',
    'settle_reference': 'settling the reference',
    'mask_brain': 'masking the brain',
    'screen_pairs': 'looking for corrupted pairs',
    'subtract_pairs': 'subtracting label from control',
    'calibrate_m0': 'calibrating',
    'fit_voxels': 'estimating CBF and ATT',
    'assess_trust': 'testing noise and model',
    'estimate_hybrid': 'estimating by the hybrid fit',
    'estimate_network': 'estimating by the network',
    'gather_estimates': 'comparing the estimates',
    'write_derivatives': 'writing derivatives',
    'report_run': 'drawing the report',
}


@contextmanager
def show_progress(console: Console, n_steps: int) -> Iterator[Listener]:
    """Yield a listener for the pipeline that tells people how far it is.

    Parameters
    ----------
    console
        Where to write.
    n_steps
        How many steps there are over all runs.
    """
    if not console.is_terminal:
        yield _say
        return
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task('starting', total=n_steps)

        def move(run: str, step: str, status: str) -> None:
            if status == 'start':
                bar.update(task, description=f'{run}: {WORDS.get(step, step)}')
            else:
                bar.advance(task)
            if status == 'exception':
                _say(run, step, status)

        yield move


def _say(run: str, step: str, status: str) -> None:
    words = WORDS.get(step, step)
    if status == 'start':
        log.info('%s: %s', run, words)
    elif status == 'exception':
        log.error('%s: %s failed', run, words)
