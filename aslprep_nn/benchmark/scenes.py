"""Series of a moving, suppressed head whose every position and every tissue is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from aslprep_nn.acquisition import Acquisition, M0Type, VolumeType
from aslprep_nn.maps import FloatArray
from aslprep_nn.simulation.grid import BlurredMap, Grid
from aslprep_nn.simulation.motion import Motion, MotionLevel, random_motion
from aslprep_nn.simulation.phantom import WATER, Phantom, draw_phantom
from aslprep_nn.simulation.protocols import PROTOCOLS, Preset, ScanProtocol, Volume
from aslprep_nn.simulation.scanner import Camera, add_rician_noise
from aslprep_nn.simulation.suppression import remaining_magnetisation, suppression_pulses

#: T1 of grey and white matter, fluid and scalp at 3 T (Wansapura et al. 1999; scalp is fat) [s].
TISSUE_T1 = np.array([1.33, 0.83, 4.0, 0.4])
GREY_MATTER_FRACTION = 0.7


class Readout(StrEnum):
    """How a volume is read out."""

    SLICES = '2-D'
    VOLUME = '3-D'


class Suppression(StrEnum):
    """What is left of static tissue when the first slice is read."""

    NONE = 'none'
    LIGHT = '30 %'
    STRONG = '10 %'
    VARYING = 'varying'

    @property
    def fractions(self) -> tuple[float, ...]:
        """What is left at each of the six delays [1]."""
        return {
            Suppression.NONE: (1.0,) * 6,
            Suppression.LIGHT: (0.3,) * 6,
            Suppression.STRONG: (0.1,) * 6,
            Suppression.VARYING: (0.3, 0.22, 0.15, 0.1, 0.15, 0.25),
        }[self]


GRIDS = {
    Readout.SLICES: Grid((60, 68, 26), (3.5, 3.5, 5.0)),
    Readout.VOLUME: Grid((60, 68, 34), (3.5, 3.5, 4.0)),
}
SLICE_DURATION = 0.03


@dataclass(frozen=True)
class Scene:
    """One situation that motion correction has to cope with."""

    readout: Readout
    suppression: Suppression
    motion_level: MotionLevel = MotionLevel.STRONG
    n_pairs: int = 2

    @property
    def protocol(self) -> ScanProtocol:
        """Six delays, each with its pairs, on the grid of the readout."""
        grid = GRIDS[self.readout]
        one_by_one = tuple(round(k * SLICE_DURATION, 4) for k in range(grid.shape[2]))
        return replace(
            PROTOCOLS[Preset.MULTI_DELAY][0],
            grid=grid,
            n_pairs=self.n_pairs,
            slice_times=one_by_one if self.readout is Readout.SLICES else (),
            static_fraction=self.suppression.fractions,
        )


@dataclass(frozen=True)
class Film:
    """A scene as it was filmed, and what is true of it.

    Parameters
    ----------
    m0
        Measured with the head at rest, ``(x, y, z)`` [scanner units].
    series
        ``(x, y, z, volume)`` [scanner units].
    volume_types, timings
        What each volume shows; its delay and labelling duration [s].
    motion
        Where the head was in each volume.
    acquisition
        One entry per pair, and the efficiency and T1 that were simulated.
    brain, grey_matter
        With the head at rest, ``(x, y, z)``.
    true_m0
        Equilibrium magnetisation with the head at rest, ``(x, y, z)`` [scanner units].
    affine
        Voxel to world, RAS [mm].
    """

    m0: FloatArray
    series: FloatArray
    volume_types: tuple[VolumeType, ...]
    timings: tuple[tuple[float, float], ...]
    motion: Motion
    acquisition: Acquisition
    brain: NDArray[np.bool_]
    grey_matter: NDArray[np.bool_]
    true_m0: FloatArray
    affine: FloatArray


def film(scene: Scene, seed: int) -> Film:
    """Film a head of its own for every seed; scenes of one seed share head, motion and noise.

    Parameters
    ----------
    scene
        The situation.
    seed
        Of everything random.
    """
    phantom = draw_phantom(np.random.default_rng(seed))
    protocol = scene.protocol
    volumes = replace(protocol, m0_type=M0Type.SEPARATE).series
    path = random_motion(len(volumes) + 1, scene.motion_level, np.random.default_rng((seed, 1)))
    motion = Motion(path.parameters[1:])
    camera = SuppressingCamera(phantom, protocol)
    truth = camera.delta_m_camera.truth()
    noise = float(truth.m0[truth.brain].mean() / protocol.snr)
    rng = np.random.default_rng((seed, 2))
    at_rest = np.eye(4)
    m0, *taken = (
        add_rician_noise(camera.acquire(volume, position), noise, rng)
        for volume, position in zip(
            (protocol.m0_volume, *volumes), (at_rest, *motion.matrices), strict=True
        )
    )
    return Film(
        m0=m0,
        series=np.stack(taken, axis=-1).astype(np.float32),
        volume_types=tuple(volume.kind for volume in volumes),
        timings=tuple((volume.pld, volume.labeling_duration) for volume in volumes),
        motion=motion,
        acquisition=protocol.acquisition,
        brain=truth.brain,
        grey_matter=truth.brain & (truth.gray_matter >= GREY_MATTER_FRACTION),
        true_m0=truth.m0,
        affine=protocol.grid.affine,
    )


class SuppressingCamera:
    """Sees a phantom whose tissues recover each at its own pace between inversion and readout.

    `simulation.scanner.Camera` scales all static tissue alike, which suits calibration; how
    contrast changes between delays, slices and M0 is what registration has to survive.

    Parameters
    ----------
    phantom
        Whom to image.
    protocol
        How; `static_fraction` is what its first slice aims at.
    """

    def __init__(self, phantom: Phantom, protocol: ScanProtocol) -> None:
        self.delta_m_camera = Camera(phantom, protocol)
        self.slice_times = np.array(protocol.slice_times or (0.0,))
        anatomy = phantom.anatomy
        fractions = np.stack(
            [anatomy.gray_matter, anatomy.white_matter, anatomy.csf, anatomy.scalp]
        )
        signal = np.array(WATER)[:, None, None, None] * fractions
        share = signal / np.maximum(signal.sum(axis=0), np.finfo(np.float32).tiny)
        self._tissues = [
            BlurredMap(phantom.m0 * part, phantom.affine, protocol.grid) for part in share
        ]

    def acquire(self, volume: Volume, motion: FloatArray) -> FloatArray:
        """Image static tissue, less what the label takes away.

        Parameters
        ----------
        volume
            What to acquire; an M0 volume has its repetition time to recover.
        motion
            Where the head is, ``(4, 4)``, RAS [mm].

        Returns
        -------
        The magnitude, ``(x, y, z)`` [scanner units].
        """
        remaining = self._remaining(volume)
        signed = sum(
            tissue.seen_after(motion) * part
            for tissue, part in zip(self._tissues, remaining, strict=True)
        )
        if volume.kind is VolumeType.LABEL:
            signed = signed - self.delta_m_camera.delta_m(volume, motion)
        return np.asarray(np.abs(signed))

    def _remaining(self, volume: Volume) -> FloatArray:
        """Return what is left of each tissue in each slice, ``(tissue, slice)``."""
        if volume.kind is VolumeType.M0SCAN:
            return remaining_magnetisation(
                TISSUE_T1[:, None], (), np.asarray(volume.repetition_time)
            )
        readout = volume.pld + volume.labeling_duration
        pulses = suppression_pulses(volume.static_fraction, readout)
        return remaining_magnetisation(
            TISSUE_T1[:, None], pulses, readout + self.slice_times[None, :]
        )
