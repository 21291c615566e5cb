"""What the app says while it works: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from aslprep_nn.pipeline.outcome import Listener, Step

log = logging.getLogger(__name__)

WORDS = {
    'regrid_m0scan': 'bringing M0 onto the grid',
    'choose_reference': 'choosing the reference',
    'estimate_motion': 'estimating motion',
    'resample_series': 'resampling',
    'settle_reference': 'settling the reference',
    'mask_brain': 'masking the brain',
    'compare_mask': 'comparing the mask with a template',
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
def show_progress(console: Console, n_runs: int) -> Iterator[Listener]:
    """Yield a listener for the pipeline that tells people how far it is.

    Parameters
    ----------
    console
        Where to write.
    n_runs
        How many runs there are.
    """
    if not console.is_terminal:
        yield _say
        return
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        TextColumn('{task.completed:.1f} of {task.total:.0f} runs'),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task('starting', total=n_runs)

        def move(step: Step) -> None:
            if step.status == 'start':
                words = WORDS.get(step.name, step.name)
                bar.update(task, description=f'{step.run}: {words}')
            else:
                bar.advance(task, step.share)
            if step.status == 'exception':
                _say(step)

        yield move


def _say(step: Step) -> None:
    words = WORDS.get(step.name, step.name)
    if step.status == 'start':
        log.info('%s: %s', step.run, words)
    elif step.status == 'exception':
        log.error('%s: %s failed', step.run, words)
