import numpy as np
import pytest

from aslprep_nn.simulation.grid import BlurredMap, Grid
from aslprep_nn.simulation.motion import rigid_matrix

PHANTOM_AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
PHANTOM_AFFINE[:3, 3] = -60.0
WORLD = np.indices((61, 61, 61)) * 2.0 - 60.0


def test_the_middle_of_the_field_of_view_is_where_it_was_asked_for():
    grid = Grid((4, 6, 8), (3.0, 4.0, 5.0), centre=(1.0, -2.0, 3.0))
    middle = grid.affine @ [1.5, 2.5, 3.5, 1.0]
    np.testing.assert_allclose(middle[:3], [1.0, -2.0, 3.0])
    np.testing.assert_allclose(np.diag(grid.affine)[:3], [3.0, 4.0, 5.0])


@pytest.mark.parametrize('axis', [0, 1, 2])
def test_a_moved_ramp_is_seen_where_the_motion_says(axis):
    grid = Grid((5, 6, 7), (5.0, 4.0, 3.0))
    motion = rigid_matrix(np.array([3.0, -2.0, 1.0, 0.1, -0.2, 0.15]))
    seen = BlurredMap(WORLD[axis], PHANTOM_AFFINE, grid).seen_after(motion)
    voxels = np.indices(grid.shape).reshape(3, -1)
    world = grid.affine @ np.vstack([voxels, np.ones(voxels.shape[1])])
    at_rest = np.linalg.inv(motion) @ world
    np.testing.assert_allclose(seen.ravel(), at_rest[axis], atol=1e-3)


def test_a_point_is_spread_over_the_width_of_a_voxel():
    point = np.zeros((61, 61, 61))
    point[30, 30, 30] = 1
    one_voxel = BlurredMap(point, PHANTOM_AFFINE, Grid((1, 1, 1), (8.0, 8.0, 8.0)))
    shifts = np.arange(-15, 15, 0.25)
    profile = np.array(
        [one_voxel.seen_after(rigid_matrix(np.array([x, 0, 0, 0, 0, 0])))[0, 0, 0] for x in shifts]
    )
    above_half = shifts[profile > profile.max() / 2]
    assert np.ptp(above_half) == pytest.approx(1.2 * 8.0, abs=0.5)
