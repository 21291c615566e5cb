"""What no network may see in training: the lesions, slices and protocols it is tested on.

They were chosen before any network was trained. Changing them afterwards makes earlier and later
evaluations incomparable.
"""

from __future__ import annotations

from collections.abc import Sequence

from aslprep_nn.acquisition import Acquisition, BolusCutOff, LabelingType
from aslprep_nn.constants import LABELING_EFFICIENCY
from aslprep_nn.simulation.dice import Interval
from aslprep_nn.simulation.kinds import LesionKind, Orientation, Split

#: Lesions that are drawn for tests only.
HELD_OUT_LESIONS = frozenset({LesionKind.RIM_TUMOR, LesionKind.LATE_FOCUS})
#: Orientations that are drawn for tests only.
HELD_OUT_ORIENTATIONS = frozenset({Orientation.CORONAL})
#: Where the middle slice of a test's axial stack lies, z in the template [mm].
HELD_OUT_AXIAL = Interval(20.0, 32.0)
#: How far from there the middle slice of a training stack keeps [mm]: its neighbours stay out.
AXIAL_MARGIN = 8.0
#: A protocol resembles a held-out one when no timing differs by more [s].
RESEMBLANCE = 0.06


def _acquisition(
    labeling: LabelingType, pld: Sequence[float], durations: Sequence[float]
) -> Acquisition:
    return Acquisition(
        labeling=labeling,
        pld=tuple(pld),
        labeling_duration=tuple(durations),
        labeling_efficiency=LABELING_EFFICIENCY[labeling].value,
        bolus_cut_off=BolusCutOff.Q2TIPS if labeling is LabelingType.PASL else None,
    )


_SIX = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)

#: Protocols that are drawn for tests only.
HELD_OUT_PROTOCOLS: dict[str, tuple[Acquisition, ...]] = {
    'PCASL, 6 delays': (
        _acquisition(LabelingType.PCASL, (0.25, 0.5, 0.75, 1.0, 1.25, 1.5), [1.4] * 6),
    ),
    'PCASL, 6 long delays': (_acquisition(LabelingType.PCASL, _SIX, [1.8] * 6),),
    'PCASL, 3 delays': (_acquisition(LabelingType.PCASL, (0.7, 1.4, 2.1), [1.8] * 3),),
    'PCASL, 21 delays': (
        _acquisition(
            LabelingType.PCASL,
            [*(i / 10 for i in range(11)), *(round(1.2 + i / 5, 1) for i in range(10))],
            [1.5] * 21,
        ),
    ),
    'PASL, 8 inversion times': (
        _acquisition(LabelingType.PASL, [round(0.4 + 0.3 * i, 1) for i in range(8)], [0.7] * 8),
    ),
    'PCASL and VSASL, 6 delays each': (
        _acquisition(LabelingType.PCASL, _SIX, [1.8] * 6),
        _acquisition(LabelingType.VSASL, _SIX, [2.0] * 6),
    ),
}


def lesion_kinds(split: Split) -> list[LesionKind]:
    """List the lesions of a split."""
    return [kind for kind in LesionKind if (kind in HELD_OUT_LESIONS) == (split is Split.TEST)]


def is_held_out_slice(orientation: Orientation, position: float) -> bool:
    """Say whether a stack whose middle slice lies at a position [mm] is for tests only."""
    if orientation in HELD_OUT_ORIENTATIONS:
        return True
    near = HELD_OUT_AXIAL.low - AXIAL_MARGIN < position < HELD_OUT_AXIAL.high + AXIAL_MARGIN
    return orientation is Orientation.AXIAL and near


def is_held_out_protocol(acquisitions: Sequence[Acquisition]) -> bool:
    """Say whether a protocol is one of the held-out ones, or nearly so."""
    return any(_resemble(acquisitions, test) for test in HELD_OUT_PROTOCOLS.values())


def _resemble(one: Sequence[Acquisition], other: Sequence[Acquisition]) -> bool:
    kinds = [a.labeling for a in one], [a.labeling for a in other]
    timings = [_timings(a) for a in one], [_timings(a) for a in other]
    return kinds[0] == kinds[1] and all(
        len(mine) == len(theirs)
        and all(
            abs(x - y) <= RESEMBLANCE
            for pair in zip(mine, theirs, strict=True)
            for x, y in zip(*pair, strict=True)
        )
        for mine, theirs in zip(*timings, strict=True)
    )


def _timings(acquisition: Acquisition) -> list[tuple[float, float]]:
    """List delay and duration; a velocity-selective bolus has no duration of its own."""
    if acquisition.labeling is LabelingType.VSASL:
        return sorted((pld, 0.0) for pld in acquisition.pld)
    return sorted(zip(acquisition.pld, acquisition.labeling_duration, strict=True))
