"""Slices lie as a radiologist expects, whatever the grid."""

import numpy as np
import pytest

from aslprep_nn.report.slices import AxialView

SHAPE = (20, 24, 10)


def landmarks(affine):
    """Mark right, front and top of a block in world space, on the grid of an affine."""
    inverse = np.linalg.inv(affine)
    volume = np.zeros(SHAPE)
    center = affine[:3, :3] @ (np.array(SHAPE) // 2) + affine[:3, 3]
    for value, offset in ((1, (12, 0, 0)), (2, (0, 12, 0)), (3, (0, 0, 6))):
        voxel = inverse[:3, :3] @ (center + offset) + inverse[:3, 3]
        volume[tuple(np.rint(voxel).astype(int))] = value
    return volume


def oblique():
    angle = 0.15
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0],
                     [0, 0, 1]])  # fmt: skip
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([-3.0, 3.0, 3.0])
    return affine


AFFINES = {
    'ras': np.diag([3.0, 3, 3, 1]),
    'las': np.diag([-3.0, 3, 3, 1]),
    'lpi': np.diag([-3.0, -3, -3, 1]),
    'oblique': oblique(),
}


@pytest.mark.parametrize('affine', AFFINES.values(), ids=AFFINES)
def test_right_is_left_and_front_is_up(affine):
    view = AxialView.of(np.ones(SHAPE, dtype=bool), affine)
    volume = landmarks(affine)
    planes = [view.voxels(volume, level) for level in range(SHAPE[2])]
    level_of = {v: next(i for i, p in enumerate(planes) if (p == v).any()) for v in (1, 2, 3)}
    middle = planes[level_of[1]]
    row_right, column_right = np.argwhere(middle == 1)[0]
    row_front, column_front = np.argwhere(planes[level_of[2]] == 2)[0]
    assert column_right < column_front
    assert row_front < row_right
    assert level_of[3] > level_of[1]


@pytest.mark.parametrize('affine', AFFINES.values(), ids=AFFINES)
def test_the_positions_rise_in_steps_of_the_slice_spacing(affine):
    positions = AxialView.of(np.ones(SHAPE, dtype=bool), affine).positions
    assert np.allclose(np.diff(positions), 3)


def test_sagittal_stacks_are_shown_as_axial_slices():
    affine = np.zeros((4, 4))
    affine[2, 0], affine[0, 1], affine[1, 2], affine[3, 3] = 2, 3, 5, 1
    view = AxialView.of(np.ones(SHAPE, dtype=bool), affine)
    assert view.n_voxels == (SHAPE[2], SHAPE[1])
    assert len(view.positions) == SHAPE[0]
    assert view.height_over_width == pytest.approx(SHAPE[2] * 5 / (SHAPE[1] * 3))


def test_a_slice_keeps_its_shape_in_millimetres():
    view = AxialView.of(np.ones(SHAPE, dtype=bool), np.diag([2.0, 4, 5, 1]))
    plane = view.plane(np.zeros(SHAPE), 0, 100)
    assert plane.shape == (round(100 * 24 * 4 / (20 * 2)), 100)


def test_slices_are_cropped_to_the_brain_with_a_margin():
    mask = np.zeros(SHAPE, dtype=bool)
    mask[8:12, 6:18, 2:8] = True
    view = AxialView.of(mask, np.diag([2.0, 2, 2, 1]))
    assert view.n_voxels == (12 + 4, 4 + 4)
    assert view.covered == tuple(range(2, 8))


def test_slices_are_chosen_evenly_and_only_where_there_is_brain():
    mask = np.zeros((4, 4, 50), dtype=bool)
    mask[..., 5:45] = True
    chosen = AxialView.of(mask, np.eye(4)).spread(9)
    assert len(set(chosen)) == 9
    assert min(chosen) > 5
    assert max(chosen) < 44
    assert np.ptp(np.diff(chosen)) <= 1


def test_an_empty_mask_shows_the_whole_image():
    view = AxialView.of(np.zeros(SHAPE, dtype=bool), np.eye(4))
    assert view.n_voxels == (SHAPE[1], SHAPE[0])
    assert len(view.covered) == SHAPE[2]
