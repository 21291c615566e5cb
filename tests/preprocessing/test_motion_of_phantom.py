"""Motion correction on a simulated scan, where the head's true position is known."""

import numpy as np
import pytest

from aslprep_nn.preprocessing.motion import estimate_motion
from aslprep_nn.simulation.motion import MotionLevel
from aslprep_nn.simulation.phantom import draw_phantom
from aslprep_nn.simulation.protocols import PROTOCOLS, Preset
from aslprep_nn.simulation.scanner import Scan, scan


@pytest.fixture(scope='module')
def moving_scan() -> Scan:
    rng = np.random.default_rng(11)
    protocol = PROTOCOLS[Preset.SINGLE_DELAY][0]
    return scan(draw_phantom(rng), protocol, motion_level=MotionLevel.STRONG, rng=rng)


@pytest.fixture(scope='module')
def found(moving_scan: Scan) -> np.ndarray:
    reference = moving_scan.series[..., 0]  # M0 opens the series
    return estimate_motion(moving_scan.series, reference, affine_of(moving_scan), seed=1)


def affine_of(moving_scan: Scan) -> np.ndarray:
    return moving_scan.protocol.grid.affine


def displacement(one: np.ndarray, other: np.ndarray, moving_scan: Scan) -> np.ndarray:
    """Return the mean distance in the brain between two positions, per volume [mm]."""
    voxels = np.argwhere(moving_scan.truth.brain)
    points = np.column_stack([voxels, np.ones(len(voxels))]) @ affine_of(moving_scan).T
    return np.linalg.norm((points @ (one - other).transpose(0, 2, 1))[..., :3], axis=-1).mean(-1)


def test_the_head_is_found_to_a_fraction_of_a_voxel_under_suppression(moving_scan, found):
    true = moving_scan.motion.matrices @ np.linalg.inv(moving_scan.motion.matrices[0])
    error = displacement(found, true, moving_scan)
    moved = displacement(np.tile(np.eye(4), (len(true), 1, 1)), true, moving_scan)
    assert moved.mean() > 2
    assert error.mean() < 0.3
    assert error.max() < 1.0


def test_label_and_control_are_not_told_apart_by_their_positions(moving_scan, found):
    true = moving_scan.motion.matrices @ np.linalg.inv(moving_scan.motion.matrices[0])
    shift = found[:, :3, 3] - true[:, :3, 3]
    systematic = shift[1::2].mean(axis=0) - shift[2::2].mean(axis=0)
    assert np.abs(systematic).max() < 0.05
