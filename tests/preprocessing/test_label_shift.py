"""What follows the label is taken out of motion; drift, jumps and stillness are left alone."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from aslprep_nn.preprocessing.across_contrasts import HEAD_RADIUS
from aslprep_nn.preprocessing.label_shift import label_shift, without_label_shift

CENTRE = np.array([3.0, -20.0, 15.0])
SHIFT = np.array([-0.01, -0.04, -0.06, 0.07, 0.0, 0.02])
KINDS = np.tile([1, -1], 4)
#: Label takes away so much of the signal that nothing else explains a shift [1].
STRONG = 0.2


def rigid(parameters: np.ndarray) -> np.ndarray:
    """Move the centre, and turn about it; all in mm."""
    transform = np.eye(4)
    transform[:3, :3] = Rotation.from_rotvec(parameters[3:] / HEAD_RADIUS).as_matrix()
    transform[:3, 3] = CENTRE + parameters[:3] - transform[:3, :3] @ CENTRE
    return transform


def paths(n_groups: int = 6, *, seed: int = 0, jumps: bool = True) -> list[np.ndarray]:
    """Let a head drift in every group, and jump in every other."""
    rng = np.random.default_rng(seed)
    drift = np.arange(len(KINDS))[:, None] * rng.normal(0, 0.05, (n_groups, 1, 6))
    noise = rng.normal(0, 0.01, (n_groups, len(KINDS), 6))
    jump = np.zeros_like(noise)
    for group in range(0, n_groups, 2) if jumps else ():
        jump[group, rng.integers(1, len(KINDS)) :] = rng.normal(0, 1, 6)
    return list(drift + noise + jump)


def transforms(groups: list[np.ndarray], shift: np.ndarray = SHIFT) -> list[np.ndarray]:
    half = KINDS[:, None] * shift / 2
    return [np.stack([rigid(one) for one in group + half]) for group in groups]


@pytest.mark.parametrize('seed', range(5))
def test_a_shift_is_found_among_drift_and_jumps(seed):
    groups = transforms(paths(seed=seed))
    found, variance = label_shift(groups, [KINDS] * len(groups), CENTRE)
    assert np.linalg.norm(found - SHIFT) < 0.02
    assert np.linalg.norm(np.sqrt(variance)) < 0.02


@pytest.mark.parametrize('seed', range(5))
def test_where_nothing_follows_the_label_next_to_nothing_is_found(seed):
    groups = transforms(paths(seed=seed), 0 * SHIFT)
    found, _ = label_shift(groups, [KINDS] * len(groups), CENTRE)
    assert np.linalg.norm(found) < 0.02


def test_what_is_left_is_the_motion():
    moved = paths()
    left = without_label_shift(transforms(moved), [KINDS] * len(moved), CENTRE, STRONG)
    true = transforms(moved, 0 * SHIFT)
    points = CENTRE + np.diag([40, 50, 40])
    for ours, theirs in zip(left, true, strict=True):
        off = np.einsum('vij,pj->vpi', (ours - theirs)[:, :3, :3], points)
        off += (ours - theirs)[:, None, :3, 3]
        assert np.linalg.norm(off, axis=-1).max() < 0.03


def test_a_head_that_lies_still_is_left_exactly_where_it_is():
    still = [np.tile(np.eye(4), (8, 1, 1))] * 3
    for left in without_label_shift(still, [KINDS] * 3, CENTRE, STRONG):
        np.testing.assert_array_equal(left, np.eye(4)[None].repeat(8, 0))


@pytest.mark.parametrize(
    'kinds', [np.sort(KINDS), np.zeros(8, int), np.ones(8, int)], ids=['blocks', 'none', 'labels']
)
def test_where_label_and_control_do_not_alternate_nothing_is_changed(kinds):
    groups = transforms(paths())
    left = without_label_shift(groups, [kinds] * len(groups), CENTRE, STRONG)
    np.testing.assert_array_equal(np.stack(left), np.stack(groups))


def test_a_few_volumes_prove_nothing():
    groups = [group[:4] for group in transforms(paths(1, jumps=False))]
    np.testing.assert_array_equal(label_shift(groups, [KINDS[:4]], CENTRE), 0)


def test_the_less_label_takes_away_the_less_is_ascribed_to_it():
    groups = transforms(paths())
    shares = (0.0, 0.003, 0.012, 0.04, STRONG)
    left = [
        np.linalg.norm(label_shift(moved, [KINDS] * len(groups), CENTRE)[0])
        for moved in (
            without_label_shift(groups, [KINDS] * len(groups), CENTRE, share) for share in shares
        )
    ]
    assert left == sorted(left, reverse=True)
    whole = np.linalg.norm(label_shift(groups, [KINDS] * len(groups), CENTRE)[0])
    assert left[0] == pytest.approx(whole)
    assert left[1] > 0.95 * whole
    assert left[-1] < 0.1 * whole
