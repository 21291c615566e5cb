"""Volumes that look alike are aligned to each other to hundredths of a millimetre."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from aslprep_nn.preprocessing.groupwise import align_alike, rigid_transforms

AFFINE = np.array([[4.0, 0, 0, -62], [0, 4.0, 0, -62], [0, 0, 5.0, -50], [0, 0, 0, 1]])
GRID = (32, 32, 21)
WORLD = AFFINE[:3, :3] @ np.indices(GRID).reshape(3, -1) + AFFINE[:3, 3:]
MOVES = np.array(
    [[0, 0, 0, 0, 0, 0], [2, -1, 0.5, 0, 0, 3], [0.3, 0.2, -1.5, 2, -1, 0], [-3, 1, 2, -2, 1, 2]]
) * [1, 1, 1, *[np.pi / 180] * 3]


def head_at(transform: np.ndarray, brightness: float = 1.0) -> np.ndarray:
    """Draw a head with structure inside, moved by a transform."""
    back = np.linalg.inv(transform)
    x, y, z = back[:3, :3] @ WORLD + back[:3, 3:]
    radius = np.sqrt((x / 46) ** 2 + (y / 52) ** 2 + (z / 38) ** 2)
    brain = 100 / (1 + np.exp((radius - 1) * 12))
    inside = 40 * np.exp(-(((x - 15) / 12) ** 2 + ((y + 10) / 10) ** 2 + (z / 14) ** 2))
    stripes = 15 * np.sin(x / 9) * np.sin(y / 11 + 1) * np.cos(z / 10) * np.exp(-(radius**4))
    return brightness * (brain + inside + stripes).reshape(GRID)


def displacement(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the mean distance between two positions in the head [mm], per volume."""
    points = np.vstack([WORLD[:, HEAD.ravel()], np.ones(HEAD.sum())])
    return np.linalg.norm(((one - other) @ points)[:, :3], axis=1).mean(axis=-1)


HEAD = head_at(np.eye(4)) > 20


@pytest.fixture(scope='module')
def true() -> np.ndarray:
    return rigid_transforms(MOVES)


def test_rigid_transforms_hold_translations_and_rotation_vectors(true):
    np.testing.assert_allclose(true[3, :3, 3], MOVES[3, :3])
    np.testing.assert_allclose(Rotation.from_matrix(true[3, :3, :3]).as_rotvec(), MOVES[3, 3:])


def test_positions_are_found_whatever_the_brightness_and_noise(true):
    rng = np.random.default_rng(1)
    levels = (1.0, 0.97, 1.1, 0.9)
    volumes = np.stack([head_at(at, level) for at, level in zip(true, levels, strict=True)])
    found = align_alike(volumes + rng.normal(0, 0.5, volumes.shape), AFFINE, HEAD)
    np.testing.assert_allclose(found[0], np.eye(4), atol=1e-12)
    assert displacement(found, true).max() < 0.1


def test_shading_that_stays_with_the_scanner_hides_no_tilt(true):
    rng = np.random.default_rng(0)
    z = WORLD[2].reshape(GRID) / 50
    volumes = np.stack([head_at(at) * (1 + 0.5 * z + 0.2 * z**2) for at in true])
    found = align_alike(volumes + rng.normal(0, 1, volumes.shape), AFFINE, HEAD)
    assert displacement(found, true).max() < 0.12


def label_at(transform: np.ndarray) -> np.ndarray:
    """Draw what label takes away in a part of the head."""
    back = np.linalg.inv(transform)
    x, y, z = back[:3, :3] @ WORLD + back[:3, 3:]
    radius = np.sqrt((x / 34) ** 2 + ((y - 8) / 34) ** 2 + ((z - 10) / 22) ** 2)
    return (5 / (1 + np.exp((radius - 1) * 12))).reshape(GRID)


def test_what_label_takes_away_in_the_brain_alone_displaces_little(true):
    rng = np.random.default_rng(0)
    twice = np.repeat(true, 2, axis=0)
    volumes = np.stack([head_at(at) - (k % 2) * label_at(at) for k, at in enumerate(twice)])
    brain = label_at(np.eye(4)) > 2.5
    found = align_alike(volumes + rng.normal(0, 0.5, volumes.shape), AFFINE, brain)
    off = found @ np.linalg.inv(twice)
    between = displacement(off[1::2].mean(axis=0)[None], off[::2].mean(axis=0)[None])
    assert between < 0.25


def test_label_is_not_taken_for_motion(true):
    volumes = np.stack([head_at(at) for at in true])
    rng = np.random.default_rng(2)
    radius = np.linalg.norm(WORLD.T / [46, 52, 38], axis=1).reshape(GRID)
    perfused = 5 * np.exp(-(((radius - 0.7) / 0.2) ** 2))  # a ribbon of cortex
    still = volumes[:1] + rng.normal(0, 1, (6, *GRID))
    still[1::2] -= perfused
    found = align_alike(still, AFFINE, HEAD)
    shift = found[1::2, :3, 3].mean(axis=0) - found[::2, :3, 3].mean(axis=0)
    assert np.abs(shift).max() < 0.1


@pytest.mark.parametrize('noise', [0.0, 2.0, 8.0])
def test_a_still_series_is_left_exactly_where_it_is(noise):
    rng = np.random.default_rng(3)
    volumes = head_at(np.eye(4)) + rng.normal(0, noise, (4, *GRID))
    found = align_alike(volumes, AFFINE, HEAD)
    np.testing.assert_array_equal(found, np.tile(np.eye(4), (4, 1, 1)))


def test_one_volume_and_an_empty_mask_move_nothing():
    volume = head_at(np.eye(4))[None]
    np.testing.assert_array_equal(align_alike(volume, AFFINE, HEAD), np.eye(4)[None])
    twice = np.concatenate([volume, volume])
    found = align_alike(twice, AFFINE, np.zeros_like(HEAD))
    np.testing.assert_array_equal(found, np.tile(np.eye(4), (2, 1, 1)))


def test_what_is_found_repeats_to_the_last_bit(true):
    volumes = np.stack([head_at(each) for each in true])
    found = {align_alike(volumes.copy(), AFFINE, HEAD).tobytes() for _ in range(4)}
    assert len(found) == 1
