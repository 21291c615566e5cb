"""Gates of plausibility: what no right run can look like."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from aslprep_nn.maps import FitStatus
from aslprep_nn.quality.findings import Finding, Gate
from aslprep_nn.quality.measured_run import MeasuredRun
from aslprep_nn.quality.scale import suspected_factor
from aslprep_nn.quality.territories import unlabelled_territory
from aslprep_nn.settings import Organ

#: Share of brain voxels whose late delta M is negative. Noise makes half of them so; perfusion
#: that stands at one standard error of a voxel leaves 16 %, swapped labels make it 84 %.
NOTHING_BUT_NOISE, SWAPPED = 0.4, 0.6

#: Flow outside of this is no physiology [mL/100 g/min]: of grey matter, of cortex of the kidney,
#: which ASL finds between 100 and 500 (Odudu et al. 2018).
POSSIBLE_CBF = {Organ.BRAIN: (10.0, 150.0), Organ.KIDNEY: (30.0, 800.0)}

#: Two regions were not both found where one gives more by this share than the other.
LARGEST_DISAGREEMENT = 0.25

#: Share of grey-matter-like voxels at a bound of ATT, from which it is the map that is there.
AT_BOUND = 0.75

#: Blood needs longer than this to reach the brain [s]. A later first delay may well follow its
#: arrival, so that ATT cannot be told; an earlier one cannot.
EARLIEST_ARRIVAL = 0.4

#: Mean and largest framewise displacement beyond which volumes do not show the same voxels [mm].
MEAN_MOTION, LARGEST_MOTION = 2.0, 10.0


def find_implausible(run: MeasuredRun) -> tuple[Finding, ...]:
    """Pass a run through all gates.

    Where there is no perfusion at all, or it has the wrong sign, what follows from that (CBF out
    of range, a silent territory) is not told again.

    Parameters
    ----------
    run
        A finished one.

    Returns
    -------
    What it did not pass; nothing for a plausible run.
    """
    motion = [found for found in (_motion(run),) if found]
    basics = (_swapped, _no_perfusion, _all_zero) if run.mask.any() else (_all_zero,)
    for basic in basics:
        finding = basic(run)
        if finding:
            return (finding, *motion)
    gates: tuple[Callable[[MeasuredRun], Finding | None], ...] = (
        _level,
        _att_at_bound,
        _territory,
    )
    return (*(found for gate in gates if (found := gate(run))), *motion)


def _all_zero(run: MeasuredRun) -> Finding | None:
    cbf, signal = run.cbf[run.mask], run.relative_delta_m[run.mask]
    if np.nan_to_num(cbf).any() and np.nan_to_num(signal).any():
        return None
    what = 'CBF' if np.nan_to_num(signal).any() else 'the difference of control and label'
    return Finding(
        Gate.ALL_ZERO,
        f'{what} is zero or absent in every voxel of the brain',
        'Look at the volumes: label and control may be copies of each other, or M0 of another '
        'size than the series.',
    )


def _share_negative(run: MeasuredRun) -> float:
    return float((run.late < 0).mean())


def _swapped(run: MeasuredRun) -> Finding | None:
    share = _share_negative(run)
    if share <= SWAPPED:
        return None
    remedy = (
        'If so, exchange the words control and label in aslcontext.tsv, or give '
        '--swap-label-control; nothing was exchanged for you.'
        if run.has_label_and_control
        else 'If so, the difference images are label minus control: multiply them by -1.'
    )
    return Finding(
        Gate.SWAPPED,
        f'label is brighter than control in {share:.0%} of the brain: they are swapped',
        remedy,
    )


def _no_perfusion(run: MeasuredRun) -> Finding | None:
    share = _share_negative(run)
    if not NOTHING_BUT_NOISE < share <= SWAPPED:
        return None
    return Finding(
        Gate.NO_PERFUSION,
        f'label is brighter than control in {share:.0%} of the brain, about as often as chance '
        'makes it: there is no perfusion to be seen',
        'Check whether this is a phantom, whether labelling was switched on, and whether '
        'aslcontext.tsv matches the order of the volumes.',
    )


def _level(run: MeasuredRun) -> Finding | None:
    """Judge CBF, and M0, which is the most common cause where it is wrong."""
    disagreement = _region(run)
    if disagreement or not run.has_m0:
        return disagreement
    low, high = POSSIBLE_CBF[run.organ]
    is_possible = low <= run.grey_cbf <= high
    measured = run.control_over_m0 is not None and run.is_suppressed is False
    if is_possible and not measured:
        return None
    suspicion = suspected_factor(run) if run.is_brain or measured else None
    if suspicion:
        factor, evidence = suspicion
        return Finding(
            Gate.M0_SCALE,
            f'M0 seems to be stored about {_times(factor)}: {evidence}',
            f'If so, give --m0-scale {factor:g}.',
        )
    if is_possible:
        return None
    return Finding(
        Gate.CBF_RANGE,
        f'grey-matter-like CBF is {run.grey_cbf:.3g} mL/100 g/min, outside of {low:g} to {high:g}',
        'Check M0 and its repetition time, labelling duration and delays, the labelling '
        'efficiency, and whether labelling worked.',
    )


def _region(run: MeasuredRun) -> Finding | None:
    """Believe M0 of blood from fluid only where white matter gives nearly the same."""
    ratio = run.white_over_fluid
    if ratio is None or max(ratio, 1 / ratio) <= 1 + LARGEST_DISAGREEMENT:
        return None
    return Finding(
        Gate.M0_REGION,
        f'M0 of blood from white matter is {ratio:.2f} times that from fluid: the fluid was '
        'probably not found',
        'Do not trust CBF; use --m0-method voxelwise or --m0-reference wm.',
    )


def _times(factor: float) -> str:
    return f'{factor:g} times too small' if factor > 1 else f'{1 / factor:g} times too large'


def _att_at_bound(run: MeasuredRun) -> Finding | None:
    if not (run.acquisition.is_multi_delay and run.is_brain):
        return None
    status = run.status[run.mask][run.grey]
    first_delay = min(run.acquisition.pld) + run.slice_delay[run.mask][run.grey]
    is_early = first_delay < EARLIEST_ARRIVAL
    before_first = (status == FitStatus.ATT_NOT_IDENTIFIABLE) & is_early
    judged = is_early if is_early.any() else np.ones_like(is_early)
    share = float(((status == FitStatus.AT_BOUND) | before_first)[judged].mean())
    if share <= AT_BOUND:
        return None
    return Finding(
        Gate.ATT_AT_BOUND,
        f'the transit time of {share:.0%} of the grey-matter-like voxels lies at the end of its '
        'range, as if blood arrived before the first delay or after the last',
        'Check PostLabelingDelay and LabelingDuration: their units, their order, and whether '
        'delays count from the end of labelling.',
    )


def _motion(run: MeasuredRun) -> Finding | None:
    if run.framewise_displacement is None:
        return None
    moved = run.framewise_displacement[np.isfinite(run.framewise_displacement)]
    if not moved.size or (moved.mean() <= MEAN_MOTION and moved.max() <= LARGEST_MOTION):
        return None
    return Finding(
        Gate.MOTION,
        f'the head moved by {moved.mean():.2g} mm a volume on average and by up to '
        f'{moved.max():.2g} mm',
        'Look at the figure of motion; leave out the volumes concerned, or scan again.',
    )


def _territory(run: MeasuredRun) -> Finding | None:
    silent = unlabelled_territory(run) if run.is_brain else None
    if silent is None:
        return None
    name, share = silent
    return Finding(
        Gate.TERRITORY,
        f'the territory of the {name} shows {max(share, 0):.0%} of the signal of the others',
        'Labelling of it may have failed (position of the labelling plane, field offset, tortuous '
        'or stented artery), or its blood arrives after the last delay, as behind an occlusion.',
    )
