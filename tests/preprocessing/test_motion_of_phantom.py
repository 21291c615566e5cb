"""Motion correction on simulated scans, where the head's true position is known."""

import numpy as np
import pytest

from aslprep_nn.preprocessing.motion import estimate_motion
from aslprep_nn.simulation.motion import MotionLevel
from aslprep_nn.simulation.phantom import draw_phantom
from aslprep_nn.simulation.protocols import PROTOCOLS, Preset
from aslprep_nn.simulation.scanner import Scan, scan


def scanned(preset: Preset, motion_level: MotionLevel, seed: int = 11) -> Scan:
    rng = np.random.default_rng(seed)
    protocol = PROTOCOLS[preset][-1]
    return scan(draw_phantom(rng), protocol, motion_level=motion_level, rng=rng)


def positions_in(scan: Scan) -> np.ndarray:
    reference = scan.series[..., 0]  # M0 opens the series
    groups = [volume.pld for volume in scan.protocol.series]
    return estimate_motion(scan.series, reference, affine_of(scan), seed=1, groups=groups)


def affine_of(scan: Scan) -> np.ndarray:
    return scan.protocol.grid.affine


def displacement(one: np.ndarray, other: np.ndarray, scan: Scan) -> np.ndarray:
    """Return the mean distance in the brain between two positions, per volume [mm]."""
    voxels = np.argwhere(scan.truth.brain)
    points = np.column_stack([voxels, np.ones(len(voxels))]) @ affine_of(scan).T
    return np.linalg.norm((points @ (one - other).transpose(0, 2, 1))[..., :3], axis=-1).mean(-1)


@pytest.fixture(scope='module')
def moving() -> Scan:
    return scanned(Preset.SINGLE_DELAY, MotionLevel.STRONG)


@pytest.fixture(scope='module')
def found(moving: Scan) -> np.ndarray:
    return positions_in(moving)


def test_the_head_is_found_to_a_fifth_of_a_millimetre_under_suppression(moving, found):
    true = moving.motion.matrices @ np.linalg.inv(moving.motion.matrices[0])
    error = displacement(found, true, moving)
    moved = displacement(np.tile(np.eye(4), (len(true), 1, 1)), true, moving)
    assert moved.mean() > 2
    assert error.mean() < 0.2
    assert error.max() < 1.0


def test_label_and_control_are_not_told_apart_by_their_positions(moving, found):
    true = moving.motion.matrices @ np.linalg.inv(moving.motion.matrices[0])
    shift = found[:, :3, 3] - true[:, :3, 3]
    systematic = shift[1::2].mean(axis=0) - shift[2::2].mean(axis=0)
    assert np.abs(systematic).max() < 0.05


@pytest.mark.parametrize('seed', range(11, 15))
def test_no_motion_is_invented_on_a_head_that_lies_still(seed):
    still = scanned(Preset.DEMO, MotionLevel.NONE, seed)
    identity = np.tile(np.eye(4), (still.series.shape[-1], 1, 1))
    assert displacement(positions_in(still), identity, still).max() < 0.02
