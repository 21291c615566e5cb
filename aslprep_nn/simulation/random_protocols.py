"""Protocols nobody has run yet: what a network must have seen to serve any protocol."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition, BolusCutOff, LabelingType
from aslprep_nn.constants import EFFICIENCY_PER_SUPPRESSION_PULSE, LABELING_EFFICIENCY
from aslprep_nn.simulation.dice import Dice, Interval
from aslprep_nn.simulation.held_out import HELD_OUT_PROTOCOLS, is_held_out_protocol
from aslprep_nn.simulation.kinds import Split

#: How often each kind of labelling, or pair of kinds, is drawn.
KINDS = (
    ((LabelingType.PCASL,), 0.55),
    ((LabelingType.CASL,), 0.05),
    ((LabelingType.PASL,), 0.18),
    ((LabelingType.VSASL,), 0.07),
    ((LabelingType.PCASL, LabelingType.VSASL), 0.15),
)
LEAST_DELAYS, MOST_DELAYS = 3, 30
MOST_REPETITIONS = 15
#: Nobody scans for longer: pairs of all timings together.
MOST_PAIRS = 90
#: First delay, and last delay [s]; inversion times begin later.
FIRST, LAST = Interval(0.1, 1.0), Interval(1.3, 3.2)
FIRST_INVERSION = Interval(0.2, 1.0)
DURATION, BOLUS, VELOCITY_BOLUS = Interval(0.7, 3.0), Interval(0.5, 1.2), Interval(1.0, 2.5)
#: How often delays are unevenly spaced and durations differ between them, and how often slices
#: are read out one after the other or repetitions are missing.
UNEVEN, VARIED, IN_SLICES, INCOMPLETE = 0.4, 0.3, 0.5, 0.3
SLICE_DURATION, MOST_SLICES = Interval(0.02, 0.06), 24
SUPPRESSION_PULSES = (0, 4)
#: How often the analysis assumes other T1 than those of 3 T, from .55 T up to 7 T [s].
OTHER_FIELD, T1_TISSUE, T1_BLOOD = 0.3, Interval(0.9, 2.1), Interval(1.1, 2.3)
SHORTEST_GAP = 0.02


@dataclass(frozen=True)
class DrawnProtocol:
    """How a batch is measured.

    Parameters
    ----------
    acquisitions
        The protocols with one entry per distinct timing, and the constants an analysis would
        assume.
    repetitions
        How often each timing was measured, in the order of the acquisitions' timings.
    slice_delay
        When the slices of each phantom were read out after the first, ``(phantom, slice)`` [s].
    """

    acquisitions: tuple[Acquisition, ...]
    repetitions: tuple[int, ...]
    slice_delay: Tensor


def draw_protocol(
    n_phantoms: int, n_slices: int, dice: Dice, *, split: Split = Split.TRAINING
) -> DrawnProtocol:
    """Draw a protocol for some phantoms.

    Parameters
    ----------
    n_phantoms, n_slices
        How many stacks of how many slices there are; each lies elsewhere in its volume.
    dice
        Where the randomness comes from.
    split
        For training any protocol that resembles no held-out one, for tests one of those.
    """
    if split is Split.TEST:
        tests = list(HELD_OUT_PROTOCOLS.values())
        acquisitions = tests[dice.count(0, len(tests) - 1)]
    else:
        acquisitions = _draw_acquisitions(dice)
        while is_held_out_protocol(acquisitions):
            acquisitions = _draw_acquisitions(dice)
    n_timings = sum(a.n_measurements for a in acquisitions)
    return DrawnProtocol(
        acquisitions,
        _draw_repetitions(n_timings, dice),
        _draw_slice_delay(n_phantoms, n_slices, dice),
    )


def _draw_acquisitions(dice: Dice) -> tuple[Acquisition, ...]:
    dealt = dice.number(Interval(0.0, 1.0)) * sum(share for _, share in KINDS)
    kinds = iter(KINDS)
    labelings, share = next(kinds)
    while dealt > share:
        dealt -= share
        labelings, share = next(kinds, (labelings, dealt))
    most = MOST_DELAYS // len(labelings)
    n_delays = round(dice.log_uniform(Interval(LEAST_DELAYS - 0.49, most + 0.49)).item())
    acquisitions = tuple(_draw_acquisition(labeling, n_delays, dice) for labeling in labelings)
    if dice.happens(OTHER_FIELD):
        tissue, blood = dice.number(T1_TISSUE), dice.number(T1_BLOOD)
        acquisitions = tuple(replace(a, t1_tissue=tissue, t1_blood=blood) for a in acquisitions)
    return acquisitions


def _draw_acquisition(labeling: LabelingType, n_delays: int, dice: Dice) -> Acquisition:
    pulsed = labeling is LabelingType.PASL
    efficiency = LABELING_EFFICIENCY[labeling].value * (
        EFFICIENCY_PER_SUPPRESSION_PULSE ** dice.count(*SUPPRESSION_PULSES)
    )
    intervals = {LabelingType.PASL: BOLUS, LabelingType.VSASL: VELOCITY_BOLUS}
    interval = intervals.get(labeling, DURATION)
    durations = [dice.number(interval)] * n_delays
    if labeling.is_continuous and dice.happens(VARIED):
        durations = [dice.number(interval) for _ in durations]
    return Acquisition(
        labeling=labeling,
        pld=_draw_delays(n_delays, FIRST if not pulsed else FIRST_INVERSION, dice),
        labeling_duration=tuple(durations),
        labeling_efficiency=efficiency,
        bolus_cut_off=BolusCutOff.Q2TIPS if pulsed else None,
    )


def _draw_delays(n_delays: int, first: Interval, dice: Dice) -> tuple[float, ...]:
    """Draw rising delays, evenly or unevenly spaced, to the millisecond."""
    low, high = dice.number(first), dice.number(LAST)
    place = torch.linspace(0, 1, n_delays)
    if dice.happens(UNEVEN):
        place = torch.cat([torch.tensor([0.0, 1.0]), dice.unit(n_delays - 2).cpu()]).sort().values
    delays = [round(low + (high - low) * where, 3) for where in place.tolist()]
    for i in range(1, n_delays):
        delays[i] = round(max(delays[i], delays[i - 1] + SHORTEST_GAP), 3)
    return tuple(delays)


def _draw_repetitions(n_timings: int, dice: Dice) -> tuple[int, ...]:
    """Draw how often timings are repeated; sometimes motion has cost some of them volumes."""
    most = max(1, min(MOST_REPETITIONS, MOST_PAIRS // n_timings))
    repetitions = [dice.count(1, most)] * n_timings
    if dice.happens(INCOMPLETE):
        repetitions = [max(1, n - dice.count(0, 2)) for n in repetitions]
    return tuple(repetitions)


def _draw_slice_delay(n_phantoms: int, n_slices: int, dice: Dice) -> Tensor:
    """Draw the place of each stack in its volume; a 3-D readout acquires all slices at once."""
    duration = dice.number(SLICE_DURATION) * dice.happens(IN_SLICES)
    first = dice.integer(0, MOST_SLICES - n_slices, n_phantoms, 1)
    order = torch.arange(n_slices, device=dice.device)
    return duration * (first + order).float()
