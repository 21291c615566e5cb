"""Arithmetic on projections against arithmetic on the directions themselves."""

import numpy as np
import pytest
import torch
from scipy import stats

from aslprep_nn.misspecification.projections import Projections
from aslprep_nn.misspecification.vectors import RepetitionVectors

N_TIMINGS, N_REPETITIONS, N_VOXELS = 6, 5, 4


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.fixture
def vectors() -> RepetitionVectors:
    values = normal(N_REPETITIONS, N_TIMINGS, N_VOXELS)
    return RepetitionVectors(values, torch.ones(N_REPETITIONS, N_VOXELS, dtype=torch.bool))


@pytest.fixture
def signal() -> torch.Tensor:
    return normal(N_TIMINGS, N_VOXELS, seed=1)


def test_a_score_is_students_t_of_what_the_parameters_leave(vectors, signal):
    directions, shapes = normal(4, N_TIMINGS, N_VOXELS, seed=2), normal(N_TIMINGS, 2, seed=3)
    found = Projections.of(vectors, directions, signal, n_parameters=3, shapes=shapes)
    t = found.orthogonalized().student_t[3:]
    for voxel in range(N_VOXELS):
        residual = (vectors.values - signal)[..., voxel].numpy()
        jacobian = directions[:3, :, voxel].numpy().T
        for index, direction in enumerate([directions[3, :, voxel], *shapes.T]):
            explained = jacobian @ np.linalg.lstsq(jacobian, direction.numpy())[0]
            expected = stats.ttest_1samp(residual @ (direction.numpy() - explained), 0)
            assert float(t[index, voxel]) == pytest.approx(expected.statistic)


def test_the_first_parameters_are_made_orthogonal_in_their_order(vectors, signal):
    directions = normal(2, N_TIMINGS, N_VOXELS, seed=2)
    found = Projections.of(vectors, directions, signal, n_parameters=2).orthogonalized()
    for voxel in range(N_VOXELS):
        triangle = np.abs(np.linalg.qr(directions[:, :, voxel].numpy().T).R)
        root = found.energy[:, voxel].sqrt()
        assert root.tolist() == pytest.approx([triangle[0, 0], triangle[1, 1]])
        assert abs(float(found.overlap[0, 1, voxel] / root[0])) == pytest.approx(triangle[0, 1])


def test_a_parameter_that_acts_like_the_first_leaves_nothing_to_test(vectors, signal):
    first, other = normal(2, N_TIMINGS, N_VOXELS, seed=2)
    directions = torch.stack([first, -0.7 * first, other])
    found = Projections.of(vectors, directions, signal, n_parameters=2).orthogonalized()
    assert found.along[:, 0].isfinite().all()
    assert found.student_t[2].isnan().all()


def test_incomplete_repetitions_count_for_nothing(vectors, signal):
    directions = normal(3, N_TIMINGS, N_VOXELS, seed=2)
    complete = vectors.complete.clone()
    complete[2] = False
    kept = [0, 1, 3, 4]
    fewer = RepetitionVectors(vectors.values[kept], complete[kept])
    masked = RepetitionVectors(torch.where(complete.unsqueeze(1), vectors.values, 0), complete)
    found, expected = (
        Projections.of(these, directions, signal, n_parameters=2).orthogonalized()
        for these in (masked, fewer)
    )
    torch.testing.assert_close(found.student_t, expected.student_t)
    torch.testing.assert_close(found.centered[kept], expected.centered)


def test_a_parameter_that_cannot_be_told_from_another_has_no_energy(vectors, signal):
    """What rounding leaves of it would be divided by."""
    first = normal(1, N_TIMINGS, N_VOXELS, seed=2)
    directions = torch.cat([first, 0.3 * first])
    found = Projections.of(vectors, directions, signal, n_parameters=2).orthogonalized()
    assert torch.isfinite(found.energy[0]).all()
    assert torch.isnan(found.energy[1]).all()


def test_likeness_is_the_squared_cosine_of_what_the_parameters_leave(vectors, signal):
    directions = normal(4, N_TIMINGS, N_VOXELS, seed=2)
    rest = Projections.of(vectors, directions, signal, n_parameters=2).orthogonalized()
    likeness = rest.likeness(2)
    for voxel in range(N_VOXELS):
        jacobian, others = directions[:2, :, voxel].numpy().T, directions[2:, :, voxel].numpy().T
        left = others - jacobian @ np.linalg.lstsq(jacobian, others)[0]
        cosine = left[:, 0] @ left[:, 1] / np.prod(np.linalg.norm(left, axis=0))
        assert likeness[2:, voxel].tolist() == pytest.approx([1, cosine**2])
