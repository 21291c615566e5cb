"""What the scanner is asked to do, and the presets that ask it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from aslprep_nn.acquisition import Acquisition, LabelingType, M0Type, VolumeType
from aslprep_nn.constants import (
    EFFICIENCY_PER_SUPPRESSION_PULSE,
    LABELING_EFFICIENCY,
    PARTITION_COEFFICIENT,
    T1_BLOOD,
    T1_TISSUE,
)
from aslprep_nn.simulation.grid import Grid

FIELD_STRENGTH = 3.0


@dataclass(frozen=True)
class Volume:
    """How one volume is acquired.

    Parameters
    ----------
    kind
        What it shows.
    pld, labeling_duration
        [s]; 0 for an M0 volume, as BIDS writes it.
    repetition_time
        Time since the last saturation of the static tissue [s].
    static_fraction
        What background suppression leaves of the static tissue [1].
    """

    kind: VolumeType
    pld: float
    labeling_duration: float
    repetition_time: float
    static_fraction: float


@dataclass(frozen=True)
class ScanProtocol:
    """A PCASL protocol.

    Parameters
    ----------
    name
        For people.
    grid
        The image grid; slices are stacked along z.
    pld
        Delays of the first slice [s].
    labeling_duration
        [s].
    n_pairs
        Pairs of control and label at each delay.
    static_fraction
        What background suppression leaves of the static tissue, one per delay [1].
    n_suppression_pulses
        Pulses that suppress the background.
    slice_times
        Readout time of each slice after the first [s]; empty for a 3-D readout.
    repetition_time, m0_repetition_time
        Of the ASL and the M0 volumes [s].
    m0_type
        Whether the M0 volume opens the series or is a file of its own.
    label_first
        Whether label precedes control.
    t1_label
        T1 of labelled water after it arrived [s].
    snr
        Mean M0 of the brain over the noise's standard deviation in one volume.
    subtracted
        Whether the scanner gives control minus label instead of both.
    """

    name: str
    grid: Grid
    pld: tuple[float, ...]
    labeling_duration: float
    n_pairs: int
    static_fraction: tuple[float, ...]
    n_suppression_pulses: int
    slice_times: tuple[float, ...]
    repetition_time: float
    m0_repetition_time: float
    m0_type: M0Type
    label_first: bool
    t1_label: float
    snr: float
    subtracted: bool = False

    @property
    def m0_volume(self) -> Volume:
        """How the M0 volume is acquired: no label, nothing suppressed."""
        return Volume(VolumeType.M0SCAN, 0.0, 0.0, self.m0_repetition_time, 1.0)

    @property
    def series(self) -> tuple[Volume, ...]:
        """The volumes of the ASL series in order, grouped by delay."""
        pair = [VolumeType.CONTROL, VolumeType.LABEL]
        if self.label_first:
            pair.reverse()
        if self.subtracted:
            pair = [VolumeType.DELTAM]
        pairs = [
            Volume(kind, pld, self.labeling_duration, self.repetition_time, fraction)
            for pld, fraction in zip(self.pld, self.static_fraction, strict=True)
            for _ in range(self.n_pairs)
            for kind in pair
        ]
        return (self.m0_volume, *pairs) if self.m0_type is M0Type.INCLUDED else tuple(pairs)

    @property
    def acquisition(self) -> Acquisition:
        """Describe all measurements, one for every pair or difference in their order."""
        kinds = (VolumeType.LABEL, VolumeType.DELTAM)
        measured = [volume for volume in self.series if volume.kind in kinds]
        return replace(
            self.acquisition_of(measured[0]),
            pld=tuple(volume.pld for volume in measured),
            labeling_duration=tuple(volume.labeling_duration for volume in measured),
        )

    def acquisition_of(self, volume: Volume) -> Acquisition:
        """State the constants one label volume was made with."""
        efficiency = EFFICIENCY_PER_SUPPRESSION_PULSE**self.n_suppression_pulses
        return Acquisition(
            labeling=LabelingType.PCASL,
            pld=(volume.pld,),
            labeling_duration=(volume.labeling_duration,),
            labeling_efficiency=LABELING_EFFICIENCY[LabelingType.PCASL].value * efficiency,
            t1_blood=T1_BLOOD[FIELD_STRENGTH].value,
            t1_tissue=self.t1_label,
            partition_coefficient=PARTITION_COEFFICIENT.value,
            slice_times=self.slice_times,
        )


class Preset(StrEnum):
    """The datasets that can be asked for by name."""

    DEMO = 'demo'
    MULTI_DELAY = 'multi-delay'
    SINGLE_DELAY = 'single-delay'


def _multi_delay(name: str, grid: Grid, *, slice_duration: float, snr: float) -> ScanProtocol:
    """Six delays over the arrival of blood, slice after slice, M0 in a file of its own."""
    return ScanProtocol(
        name=name,
        grid=grid,
        pld=(0.25, 0.5, 0.8, 1.1, 1.5, 2.0),
        labeling_duration=1.8,
        n_pairs=8,
        static_fraction=(0.25, 0.22, 0.2, 0.2, 0.22, 0.25),
        n_suppression_pulses=2,
        slice_times=tuple(round(k * slice_duration, 4) for k in range(grid.shape[2])),
        repetition_time=5.0,
        m0_repetition_time=7.0,
        m0_type=M0Type.SEPARATE,
        label_first=True,
        t1_label=T1_TISSUE.value,
        snr=snr,
    )


def _single_delay(name: str, grid: Grid, *, snr: float) -> ScanProtocol:
    """The consensus protocol: one long delay, a 3-D readout, M0 as the first volume.

    The consensus formula (Alsop et al. 2015, eq. 1) takes labelled water to decay with the T1
    of blood wherever it is; so does this truth, for the estimate to be comparable with it.
    """
    return ScanProtocol(
        name=name,
        grid=grid,
        pld=(1.8,),
        labeling_duration=1.8,
        n_pairs=12,
        static_fraction=(0.12,),
        n_suppression_pulses=4,
        slice_times=(),
        repetition_time=4.4,
        m0_repetition_time=7.0,
        m0_type=M0Type.INCLUDED,
        label_first=False,
        t1_label=T1_BLOOD[FIELD_STRENGTH].value,
        snr=snr,
    )


#: The protocols of a preset, one per subject, starting over when they run out.
PROTOCOLS = {
    Preset.DEMO: (
        _multi_delay(
            '2-D PCASL, 6 delays',
            Grid((34, 42, 18), (6.0, 6.0, 7.0)),
            slice_duration=0.035,
            snr=1500.0,
        ),
        _single_delay('3-D PCASL, 1 delay', Grid((34, 42, 18), (6.0, 6.0, 7.0)), snr=1000.0),
    ),
    Preset.MULTI_DELAY: (
        _multi_delay(
            '2-D PCASL, 6 delays',
            Grid((60, 68, 26), (3.5, 3.5, 5.0)),
            slice_duration=0.03,
            snr=300.0,
        ),
    ),
    Preset.SINGLE_DELAY: (
        _single_delay('3-D PCASL, 1 delay', Grid((60, 68, 34), (3.5, 3.5, 4.0)), snr=300.0),
    ),
}
