"""How a training went: errors per bound against steps, and how honest the intervals are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from aslprep_nn.report.curves import dress
from aslprep_nn.report.figures import BLUE, FAINT, GREEN, INK, ORANGE, Figure, blank, curve

#: What is drawn: a column of the history, its words, and how.
ERRORS = (
    ('cbf_1', 'CBF, least error', BLUE, '-'),
    ('cbf_8', 'CBF, least bias', BLUE, '--'),
    ('att_1', 'ATT, least error', ORANGE, '-'),
    ('att_8', 'ATT, least bias', ORANGE, '--'),
)
COVERAGES = (('cbf_within', 'CBF', BLUE, '-'), ('att_within', 'ATT', ORANGE, '-'))
WITHIN_ONE_STD = 0.683


def learning_curves(history: Sequence[Mapping[str, float]]) -> Figure:
    """Plot the checks of a training.

    Parameters
    ----------
    history
        What `network.training.check` measured, the first before any step.
    """
    canvas = blank(900, 320)
    left, right = canvas.subplots(1, 2)
    dress(left, 'step', 'squared error / bound')
    _lines(left, history, ERRORS)
    left.axhline(1, color=GREEN, linewidth=1)
    left.text(0.99, 1.02, 'efficient estimator', color=GREEN, fontsize=8, ha='right',
              transform=left.get_yaxis_transform())  # fmt: skip
    left.set_yscale('log')
    dress(right, 'step', 'errors within one predicted sd')
    _lines(right, history, COVERAGES)
    right.axhline(WITHIN_ONE_STD, color=FAINT, linewidth=1)
    right.set_ylim(0, 1)
    canvas.subplots_adjust(left=0.08, right=0.98, top=0.95, bottom=0.16, wspace=0.22)
    last = history[-1]
    return curve(
        canvas,
        'learning',
        "Checks on phantoms of the training's kind that it never saw. Left, squared errors in "
        'units of the bound: an efficient estimator that knows one voxel scores 1, one that '
        'learns from neighbours less; step 0 is the posterior mean. Right, the share of errors '
        'within one predicted standard deviation, which should be 68 %.',
        f'After {last["step"]:.0f} steps CBF scores {last["cbf_1"]:.2f} and ATT '
        f'{last["att_1"]:.2f} at least error.',
    )


def _lines(
    axes: Axes,
    history: Sequence[Mapping[str, float]],
    columns: Sequence[tuple[str, str, str, str]],
) -> None:
    steps = [check['step'] for check in history]
    for name, words, color, style in columns:
        axes.plot(steps, [check[name] for check in history], style, color=color, label=words)
    axes.legend(frameon=False, labelcolor=INK, fontsize=8)
