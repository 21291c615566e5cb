"""How a head moves during a scan."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from aslprep_nn.maps import FloatArray


class MotionLevel(StrEnum):
    """How restless the subject is."""

    NONE = 'none'
    MILD = 'mild'
    STRONG = 'strong'


@dataclass(frozen=True)
class Restlessness:
    """How far a head goes: the same number of mm and of degrees, which move the cortex alike.

    Parameters
    ----------
    drift
        Largest slow excursion along and about any axis [mm, degrees].
    n_jumps
        Sudden changes of position.
    jump
        Standard deviation of a jump along and about each axis [mm, degrees].
    """

    drift: float
    n_jumps: int
    jump: float


RESTLESSNESS = {
    MotionLevel.NONE: Restlessness(0.0, 0, 0.0),
    MotionLevel.MILD: Restlessness(0.8, 2, 0.3),
    MotionLevel.STRONG: Restlessness(2.5, 6, 1.0),
}


@dataclass(frozen=True)
class Motion:
    """Rigid positions of the head, one per volume.

    Parameters
    ----------
    parameters
        Translations along x, y, z [mm], then rotations about x, y, z [rad], RAS axes through
        the origin of the world, ``(volume, 6)``. A point p of the resting head is found at
        Rz Ry Rx p + t.
    """

    parameters: FloatArray

    @property
    def matrices(self) -> FloatArray:
        """The same positions as matrices, ``(volume, 4, 4)``, RAS [mm]."""
        return np.stack([rigid_matrix(row) for row in self.parameters])


def random_motion(n_volumes: int, level: MotionLevel, rng: np.random.Generator) -> Motion:
    """Draw a slow drift and a few jumps; the first volume is at rest.

    Parameters
    ----------
    n_volumes
        Number of positions.
    level
        How restless the subject is.
    rng
        Where the randomness comes from.
    """
    restlessness = RESTLESSNESS[level]
    time = np.linspace(0, 1, n_volumes)[:, None]
    slope, swing, phase = rng.uniform(-1, 1, (3, 6))
    drift = slope * time + swing * np.sin(2 * np.pi * time + np.pi * phase)
    drift = drift - drift[0]
    drift *= restlessness.drift / max(np.abs(drift).max(), np.finfo(float).tiny)
    jumps = np.zeros((n_volumes, 6))
    when = rng.choice(np.arange(1, n_volumes), size=restlessness.n_jumps, replace=False)
    jumps[when] = rng.normal(scale=restlessness.jump, size=(restlessness.n_jumps, 6))
    parameters = drift + np.cumsum(jumps, axis=0)
    parameters[:, 3:] = np.deg2rad(parameters[:, 3:])
    return Motion(parameters)


def rigid_matrix(parameters: FloatArray) -> FloatArray:
    """Build Rz Ry Rx and a translation from six parameters [mm, rad]."""
    (cos_x, cos_y, cos_z), (sin_x, sin_y, sin_z) = np.cos(parameters[3:]), np.sin(parameters[3:])
    about_x = np.array([[1, 0, 0], [0, cos_x, -sin_x], [0, sin_x, cos_x]])
    about_y = np.array([[cos_y, 0, sin_y], [0, 1, 0], [-sin_y, 0, cos_y]])
    about_z = np.array([[cos_z, -sin_z, 0], [sin_z, cos_z, 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = about_z @ about_y @ about_x
    matrix[:3, 3] = parameters[:3]
    return matrix
