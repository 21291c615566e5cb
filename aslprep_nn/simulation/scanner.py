"""The scanner: a phantom and a protocol go in, noisy volumes of a moving head come out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from aslprep_nn.acquisition import M0Type, VolumeType
from aslprep_nn.maps import FloatArray
from aslprep_nn.signal.kinetics import pcasl_delta_m
from aslprep_nn.signal.protocol import Protocol
from aslprep_nn.simulation.grid import BlurredMap
from aslprep_nn.simulation.motion import Motion, MotionLevel, random_motion
from aslprep_nn.simulation.phantom import Phantom
from aslprep_nn.simulation.protocols import ScanProtocol, Volume

AT_REST = np.eye(4)
#: A voxel counts as brain when at least this fraction of it is.
BRAIN_FRACTION = 0.5


@dataclass(frozen=True)
class Truth:
    """What is true on the image grid with the head where it was for the M0 volume.

    Parameters
    ----------
    cbf
        ``(x, y, z)`` [mL/100 g/min].
    att
        ``(x, y, z)`` [s], NaN outside the brain.
    m0
        ``(x, y, z)`` [scanner units].
    t1
        T1 of the static tissue, ``(x, y, z)`` [s], NaN outside the brain.
    gray_matter, white_matter, csf
        Fractions, ``(x, y, z)`` [1].
    brain
        True inside the brain, ``(x, y, z)``.
    """

    cbf: FloatArray
    att: FloatArray
    m0: FloatArray
    t1: FloatArray
    gray_matter: FloatArray
    white_matter: FloatArray
    csf: FloatArray
    brain: NDArray[np.bool_]


@dataclass(frozen=True)
class Scan:
    """One simulated ASL run.

    Parameters
    ----------
    protocol
        How it was acquired.
    series
        The ASL series, ``(x, y, z, volume)`` [scanner units].
    m0scan
        The M0 volume where it is separate, ``(x, y, z)`` [scanner units].
    motion
        Where the head was, one position per volume of the series.
    noise
        Standard deviation of the noise on each channel [scanner units].
    truth
        What the estimates should be.
    """

    protocol: ScanProtocol
    series: FloatArray
    m0scan: FloatArray | None
    motion: Motion
    noise: float
    truth: Truth


class Camera:
    """Sees one phantom through one protocol, without noise.

    Parameters
    ----------
    phantom
        Whom to image.
    protocol
        How to image.
    """

    def __init__(self, phantom: Phantom, protocol: ScanProtocol) -> None:
        self.phantom = phantom
        self.protocol = protocol
        self._cbf, self._att, self._m0 = map(self._blurred, (phantom.cbf, phantom.att, phantom.m0))
        self._static = {
            repetition_time: self._blurred(phantom.m0 * (1 - np.exp(-repetition_time / phantom.t1)))
            for repetition_time in (protocol.repetition_time, protocol.m0_repetition_time)
        }

    def acquire(self, volume: Volume, motion: FloatArray = AT_REST) -> FloatArray:
        """Image one control, label or M0 volume: static tissue, less what the label takes away.

        Parameters
        ----------
        volume
            What to acquire.
        motion
            Where the head is, ``(4, 4)``, RAS [mm].

        Returns
        -------
        The magnitude, ``(x, y, z)`` [scanner units].
        """
        static = volume.static_fraction * self._static[volume.repetition_time].seen_after(motion)
        if volume.kind is VolumeType.LABEL:
            static = static - self.delta_m(volume, motion)
        return static

    def delta_m(self, volume: Volume, motion: FloatArray = AT_REST) -> FloatArray:
        """Predict the difference signal, each slice at its own delay, ``(x, y, z)``."""
        cbf, att, m0 = (seen.seen_after(motion) for seen in (self._cbf, self._att, self._m0))
        acquisition = self.protocol.acquisition_of(volume)
        slice_delay = torch.tensor(acquisition.slice_times) if acquisition.slice_times else None
        relative = pcasl_delta_m(
            torch.from_numpy(np.maximum(cbf, 0)),
            torch.from_numpy(att),
            Protocol.of(acquisition, slice_delay=slice_delay),
        )
        delta_m: FloatArray = m0 * relative[..., 0].numpy()
        return delta_m

    def truth(self) -> Truth:
        """Show the phantom itself on the image grid, head at rest."""
        anatomy = self.phantom.anatomy
        brain = self._seen(anatomy.brain) >= BRAIN_FRACTION
        return Truth(
            cbf=np.maximum(self._cbf.seen_after(AT_REST), 0),
            att=np.where(brain, self._att.seen_after(AT_REST), np.nan),
            m0=self._m0.seen_after(AT_REST),
            t1=np.where(brain, self._seen(self.phantom.t1), np.nan),
            gray_matter=np.clip(self._seen(anatomy.gray_matter), 0, 1),
            white_matter=np.clip(self._seen(anatomy.white_matter), 0, 1),
            csf=np.clip(self._seen(anatomy.csf), 0, 1),
            brain=brain,
        )

    def _seen(self, values: FloatArray) -> FloatArray:
        return self._blurred(values).seen_after(AT_REST)

    def _blurred(self, values: FloatArray) -> BlurredMap:
        return BlurredMap(values, self.phantom.affine, self.protocol.grid)


def scan(
    phantom: Phantom,
    protocol: ScanProtocol,
    *,
    motion_level: MotionLevel,
    rng: np.random.Generator,
) -> Scan:
    """Acquire one ASL run; the M0 volume comes first and defines where the head rests.

    Parameters
    ----------
    phantom
        Whom to scan.
    protocol
        How to scan; an infinite `snr` leaves the volumes without noise.
    motion_level
        How restless the subject is.
    rng
        Where motion and noise come from.
    """
    camera = Camera(phantom, protocol)
    truth = camera.truth()
    noise = float(truth.m0[truth.brain].mean() / protocol.snr)
    included = protocol.m0_type is M0Type.INCLUDED
    series = protocol.series
    motion = random_motion(len(series) + (not included), motion_level, rng)
    motion = motion if included else replace(motion, parameters=motion.parameters[1:])
    m0scan = None if included else _measure(camera, protocol.m0_volume, AT_REST, noise, rng)
    volumes = [
        _measure(camera, volume, position, noise, rng)
        for volume, position in zip(series, motion.matrices, strict=True)
    ]
    return Scan(protocol, np.stack(volumes, axis=-1), m0scan, motion, noise, truth)


def _measure(
    camera: Camera, volume: Volume, position: FloatArray, noise: float, rng: np.random.Generator
) -> FloatArray:
    """Acquire a volume with noise; a difference is made of two magnitudes, each with its own."""
    if volume.kind is VolumeType.DELTAM:
        control, label = (
            _measure(camera, replace(volume, kind=kind), position, noise, rng)
            for kind in (VolumeType.CONTROL, VolumeType.LABEL)
        )
        return control - label
    return add_rician_noise(camera.acquire(volume, position), noise, rng)


def add_rician_noise(signal: FloatArray, noise: float, rng: np.random.Generator) -> FloatArray:
    """Add Gaussian noise to both channels and take the magnitude (Gudbjartsson & Patz 1995).

    Parameters
    ----------
    signal
        Any shape.
    noise
        Standard deviation on each channel, in the signal's unit.
    rng
        Where the noise comes from.
    """
    real, imaginary = noise * rng.standard_normal((2, *signal.shape))
    magnitude: FloatArray = np.hypot(signal + real, imaginary)
    return magnitude
