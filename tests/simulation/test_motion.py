import numpy as np
import pytest

from aslprep_nn.preprocessing.motion import motion_parameters
from aslprep_nn.simulation.motion import RESTLESSNESS, MotionLevel, random_motion, rigid_matrix


def drawn(level, seed=0, n_volumes=50):
    return random_motion(n_volumes, level, np.random.default_rng(seed))


@pytest.mark.parametrize('level', list(MotionLevel))
def test_the_first_volume_is_at_rest(level):
    np.testing.assert_array_equal(drawn(level).parameters[0], np.zeros(6))


def test_without_motion_the_head_stays():
    matrices = drawn(MotionLevel.NONE).matrices
    np.testing.assert_array_equal(matrices, np.broadcast_to(np.eye(4), (50, 4, 4)))


def test_strong_motion_goes_further_than_mild():
    extents = {
        level: np.mean([np.ptp(drawn(level, seed).parameters[:, :3]) for seed in range(20)])
        for level in MotionLevel
    }
    assert extents[MotionLevel.NONE] == 0 < extents[MotionLevel.MILD]
    assert extents[MotionLevel.STRONG] > 2 * extents[MotionLevel.MILD]


def test_a_jump_is_larger_than_the_drift_between_two_volumes():
    steps = np.abs(np.diff(drawn(MotionLevel.MILD, n_volumes=400).parameters[:, :3], axis=0))
    largest = np.sort(steps.max(axis=1))[::-1]
    n_jumps = RESTLESSNESS[MotionLevel.MILD].n_jumps
    assert largest[n_jumps - 1] > 3 * largest[n_jumps]


def test_positions_are_rigid_and_agree_with_the_parameters_the_app_reports():
    motion = drawn(MotionLevel.STRONG)
    rotations = motion.matrices[:, :3, :3]
    identity = np.broadcast_to(np.eye(3), rotations.shape)
    np.testing.assert_allclose(rotations @ rotations.transpose(0, 2, 1), identity, atol=1e-12)
    np.testing.assert_allclose(motion_parameters(motion.matrices), motion.parameters, atol=1e-12)


@pytest.mark.parametrize(
    ('axis', 'start', 'end'),
    [(0, [0, 1, 0], [0, 0, 1]), (1, [0, 0, 1], [1, 0, 0]), (2, [1, 0, 0], [0, 1, 0])],
)
def test_a_quarter_turn_follows_the_right_hand(axis, start, end):
    parameters = np.zeros(6)
    parameters[3 + axis] = np.pi / 2
    np.testing.assert_allclose(rigid_matrix(parameters)[:3, :3] @ start, end, atol=1e-12)


def test_the_seed_decides_the_motion():
    np.testing.assert_array_equal(
        drawn(MotionLevel.MILD, 4).parameters, drawn(MotionLevel.MILD, 4).parameters
    )
    assert (drawn(MotionLevel.MILD, 4).parameters != drawn(MotionLevel.MILD, 5).parameters).any()
