"""Motion is found, described and undone."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.preprocessing import motion
from aslprep_nn.preprocessing.motion import (
    estimate_motion,
    framewise_displacement,
    motion_parameters,
    registration_obstacle,
)
from aslprep_nn.preprocessing.resample import resample_series, resample_volume

AFFINE = np.array([[4.0, 0, 0, -62], [0, 4.0, 0, -62], [0, 0, 6.0, -45], [0, 0, 0, 1]])
GRID = (32, 32, 16)


def head_at(transform: np.ndarray, sharpness: float = 20) -> np.ndarray:
    """Draw a head with structure inside, moved by a reference-to-volume transform."""
    world = AFFINE[:3, :3] @ np.indices(GRID).reshape(3, -1) + AFFINE[:3, 3:]
    back = np.linalg.inv(transform)
    x, y, z = back[:3, :3] @ world + back[:3, 3:]
    radius = np.sqrt((x / 48) ** 2 + (y / 56) ** 2 + (z / 40) ** 2)
    brain = 100 / (1 + np.exp((radius - 1) * sharpness))
    inside = 40 * np.exp(-(((x - 15) / 12) ** 2 + ((y + 10) / 10) ** 2 + (z / 14) ** 2))
    stripes = 15 * np.sin(x / 9) * np.sin(y / 11 + 1) * np.exp(-(radius**4))
    return (brain + inside + stripes).reshape(GRID)


def rigid(translation: tuple, degrees: tuple) -> np.ndarray:
    transform = np.eye(4)
    transform[:3, :3] = Rotation.from_euler('xyz', degrees, degrees=True).as_matrix()
    transform[:3, 3] = translation
    return transform


MOVES = [rigid((2.0, -1.0, 0.5), (0, 0, 3)), rigid((-0.5, 1.5, -1.0), (2, -1.5, 0))]


@pytest.fixture(scope='module')
def moved() -> np.ndarray:
    rng = np.random.default_rng(3)
    volumes = np.stack([head_at(move) for move in [np.eye(4), *MOVES]], axis=-1)
    noisy = volumes + rng.normal(0, 1, volumes.shape)
    noisy[..., 1] *= 0.4  # another contrast, as background suppression makes it
    return noisy


def test_motion_is_found_to_a_third_of_a_millimetre_whatever_the_contrast(moved):
    found = estimate_motion(moved, head_at(np.eye(4)), AFFINE, seed=1)
    brain = np.argwhere(head_at(np.eye(4)) > 50) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    points = np.column_stack([brain, np.ones(len(brain))]).T
    errors = [
        np.linalg.norm(((estimate - truth) @ points)[:3], axis=0).mean()
        for estimate, truth in zip(found[1:], MOVES, strict=True)
    ]
    assert np.mean(errors) < 0.33


def test_motion_repeats_exactly_for_one_seed(moved):
    twice = [estimate_motion(moved[..., 1:2], moved[..., 0], AFFINE, seed=7) for _ in range(2)]
    np.testing.assert_array_equal(*twice)


def test_a_volume_equal_to_the_reference_is_not_moved():
    reference = head_at(np.eye(4))
    found = estimate_motion(np.stack([reference] * 2, axis=-1), reference, AFFINE, seed=1)
    np.testing.assert_array_equal(found, np.tile(np.eye(4), (2, 1, 1)))


def test_a_head_that_lies_still_is_not_moved_by_the_scatter_of_registration():
    rng = np.random.default_rng(5)
    reference = head_at(np.eye(4))
    volumes = 0.5 * reference[..., None] + rng.normal(0, 6, (*GRID, 4))
    found = estimate_motion(volumes, reference, AFFINE, seed=1)
    displacement = np.linalg.norm(found[:, :3, 3], axis=1)
    assert displacement.max() < 0.3


def test_missing_slices_do_not_mislead_registration():
    volume = head_at(MOVES[0])
    volume[:, :, :3] = np.nan
    found = estimate_motion(volume[..., None], head_at(np.eye(4)), AFFINE, seed=1)[0]
    assert np.linalg.norm((found - MOVES[0])[:3, 3]) < 0.4


@pytest.mark.parametrize(('shape', 'voxel', 'reason'), [
    ((64, 64, 24), (3.4, 3.4, 5.0), ''),
    ((64, 64, 6), (3.4, 3.4, 5.0), '6 slices are too few'),
    ((16, 16, 12), (13.75, 13.75, 9.0), 'voxels of 13.8 mm are too large'),
])  # fmt: skip
def test_grids_too_coarse_for_registration_are_named(shape, voxel, reason):
    obstacle = registration_obstacle(shape, np.diag([*voxel, 1.0]))
    assert reason in obstacle
    assert bool(reason) == bool(obstacle)


def test_volumes_that_cannot_be_registered_are_left_alone(moved):
    few = moved[:, :, :6]
    found = estimate_motion(few, head_at(np.eye(4))[:, :, :6], AFFINE, seed=1)
    np.testing.assert_array_equal(found, np.tile(np.eye(4), (3, 1, 1)))


def test_parameters_are_translations_and_angles():
    parameters = motion_parameters(np.stack(MOVES))
    np.testing.assert_allclose(parameters[0], [2, -1, 0.5, 0, 0, np.deg2rad(3)], atol=1e-12)
    np.testing.assert_allclose(
        parameters[1], [-0.5, 1.5, -1, np.deg2rad(2), np.deg2rad(-1.5), 0], atol=1e-12
    )


def test_displacement_compares_a_volume_with_the_one_before_of_its_type():
    types = [VolumeType.CONTROL, VolumeType.LABEL, VolumeType.CONTROL, VolumeType.LABEL]
    parameters = np.zeros((4, 6))
    parameters[1::2, 0] = 5.0  # labels sit elsewhere: contrast, not motion
    parameters[3, 5] = 0.01  # rad, half a millimetre at 50 mm
    displacement = framewise_displacement(parameters, types)
    np.testing.assert_allclose(displacement, [np.nan, np.nan, 0, 0.5])


def test_resampling_undoes_known_motion():
    moves = [np.eye(4), *MOVES]
    volumes = np.stack([head_at(move, sharpness=8) for move in moves], axis=-1)
    still, seen = resample_series(volumes, AFFINE, np.stack(moves))
    np.testing.assert_array_equal(still[..., 0], volumes[..., 0].astype(np.float32))
    inner = seen & (volumes[..., 0] > 20)
    for index in (1, 2):
        before = np.abs(volumes[..., index] - volumes[..., 0])[inner].mean()
        assert np.abs(still[..., index] - volumes[..., 0])[inner].mean() < before / 20


def test_voxels_that_left_the_field_of_view_are_nan_and_not_in_its_mask():
    volume = np.ones((*GRID, 1))
    away = rigid((10.0, 0, 0), (0, 0, 0))[None]
    still, seen = resample_series(volume, AFFINE, away)
    np.testing.assert_array_equal(np.isnan(still[..., 0]), ~seen)
    assert (~seen[-2:]).all()
    assert seen[:-3].all()


@pytest.mark.parametrize('move', [np.eye(4), MOVES[0]], ids=['still', 'moved'])
def test_what_was_not_measured_is_nan_and_its_neighbours_stay_right(move):
    volumes = np.stack([head_at(np.eye(4), sharpness=8), head_at(move, sharpness=8)], axis=-1)
    whole, _ = resample_series(volumes, AFFINE, np.stack([np.eye(4), move]))
    volumes[:, :, 7, 1] = np.nan
    still, seen = resample_series(volumes, AFFINE, np.stack([np.eye(4), move]))
    assert np.isnan(still[3:-3, 3:-3, 7, 1]).all()
    assert not seen[:, :, 7].any()
    assert seen[3:-3, 3:-3, [3, 4, 11, 12]].all()
    brain = seen & (volumes[..., 0] > 20)
    error = np.abs(still - whole)[..., 1][brain]
    assert np.isfinite(still[brain]).all()
    assert error.mean() < 0.05
    assert error.max() < 5


def test_a_missing_slice_of_another_grid_stays_missing():
    volume = head_at(np.eye(4))
    volume[:, :, 5] = np.nan
    on_grid = resample_volume(volume, AFFINE, GRID, AFFINE)
    np.testing.assert_array_equal(np.isnan(on_grid), np.isnan(volume))


def test_a_volume_on_another_grid_is_read_where_it_lies():
    fine_affine = AFFINE @ np.diag([0.5, 0.5, 0.5, 1])
    fine_shape = tuple(2 * n for n in GRID)
    x = (fine_affine @ np.array([[i, 0, 0, 1] for i in range(fine_shape[0])]).T)[0]
    ramp = np.broadcast_to(x[:, None, None], fine_shape)
    coarse = resample_volume(ramp, fine_affine, GRID, AFFINE)
    expected = (AFFINE @ np.array([[i, 0, 0, 1] for i in range(GRID[0])]).T)[0]
    np.testing.assert_allclose(coarse[2:-2, 5, 5], expected[2:-2], atol=0.05)


def test_volumes_of_one_contrast_help_each_other(moved):
    volumes = np.stack([moved[..., 1]] + [0.4 * moved[..., 2]] * 2, axis=-1)
    rng = np.random.default_rng(6)
    volumes = volumes + rng.normal(0, 1, volumes.shape)
    found = estimate_motion(
        volumes, head_at(np.eye(4)), AFFINE, seed=1, groups=['dark', 'dark', 'dark']
    )
    true = np.stack([MOVES[0], MOVES[1], MOVES[1]])
    assert np.linalg.norm((found - true)[:, :3, 3], axis=1).max() < 0.33
    np.testing.assert_allclose(found[1], found[2], atol=0.03)


def test_a_volume_with_missing_slices_is_not_compared_with_its_group(moved):
    volumes = np.stack([moved[..., 1]] * 2, axis=-1)
    volumes[:, :, :3, 0] = np.nan
    apart = estimate_motion(volumes, head_at(np.eye(4)), AFFINE, seed=1)
    together = estimate_motion(volumes, head_at(np.eye(4)), AFFINE, seed=1, groups=['one'] * 2)
    np.testing.assert_array_equal(apart, together)


def test_the_volumes_of_the_reference_are_aligned_to_it_directly(moved, monkeypatch):
    """Mutual information scatters by tenths of a millimetre; volumes that look alike do not."""
    rng = np.random.default_rng(8)
    series = np.stack([moved[..., 1], *[0.4 * moved[..., 2]] * 3], axis=-1)
    series += rng.normal(0, 0.5, series.shape)
    located = []
    monkeypatch.setattr(motion, 'locate', lambda image, *_: located.append(image) or np.eye(4))
    found = estimate_motion(series, series[..., 2], AFFINE, seed=1, groups=['alike'] * 4)
    assert not located
    np.testing.assert_array_equal(found[2], np.eye(4))
    between = MOVES[0] @ np.linalg.inv(MOVES[1])
    assert np.linalg.norm((found[0] - between)[:3, 3]) < 0.2
    np.testing.assert_allclose(found[3], np.eye(4), atol=0.03)


def alternating(shift: float) -> np.ndarray:
    """Move every other of eight volumes along z [mm]."""
    transforms = np.tile(np.eye(4), (8, 1, 1))
    transforms[::2, 2, 3] = shift
    return transforms


@pytest.mark.parametrize(
    ('label', 'control', 'left'),
    [(1.0, 1.0, 0.1), (0.8, 1.0, 0.0), (1.0, 0.0, 0.0)],
    ids=['no label', 'label', 'controls of nothing'],
)
def test_what_follows_a_strong_label_is_hardly_motion(monkeypatch, label, control, left):
    """Least squares finds labels .1 mm off; how much label takes away says what to believe."""
    head = head_at(np.eye(4))
    volumes = np.stack([label * head, control * head] * 4, axis=-1)
    monkeypatch.setattr(motion, 'align_alike', lambda *_: alternating(0.1))
    monkeypatch.setattr(motion, 'locate', lambda *_: np.eye(4))
    types = [VolumeType.LABEL, VolumeType.CONTROL] * 4
    found = estimate_motion(
        volumes, 2 * head, AFFINE, seed=1, groups=['alike'] * 8, volume_types=types
    )
    shift = found[0::2, 2, 3].mean() - found[1::2, 2, 3].mean()
    assert shift == pytest.approx(left, abs=0.03)
