"""Voxels that can be fitted with the same tables."""

import pytest
import torch

from aslprep_nn.estimation.voxel_groups import voxel_groups


def test_without_maps_all_voxels_are_one_group():
    (group,) = voxel_groups(5, None, None)
    assert group.voxels.tolist() == [0, 1, 2, 3, 4]
    assert group.slice_delay is None
    assert group.t1_tissue is None


def test_each_slice_delay_has_its_group():
    groups = list(voxel_groups(5, torch.tensor([0.1, 0.0, 0.1, 0.2, 0.0]), None))
    assert [g.voxels.tolist() for g in groups] == [[1, 4], [0, 2], [3]]
    assert [round(float(g.slice_delay), 6) for g in groups] == [0.0, 0.1, 0.2]


def test_similar_t1_share_a_group_that_is_close_to_them():
    t1 = torch.tensor([1.0, 1.01, 1.5, 0.99])
    groups = list(voxel_groups(4, None, t1))
    assert torch.cat([g.voxels for g in groups]).sort().values.tolist() == [0, 1, 2, 3]
    for group in groups:
        ratio = t1[group.voxels] / group.t1_tissue
        assert (ratio.log().abs() <= torch.tensor(1.15).log() / 2 + 1e-6).all()


@pytest.mark.parametrize('n_voxels', [1, 2, 5, 10, 14, 15, 99])
def test_chunks_cover_a_group_in_order_and_are_about_as_large_as_asked(n_voxels):
    (group,) = voxel_groups(n_voxels, None, None)
    chunks = list(group.chunks(10))
    sizes = [chunk.stop - chunk.start for chunk in chunks]
    assert [i for chunk in chunks for i in range(chunk.start, chunk.stop)] == [*range(n_voxels)]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= 15


def test_a_group_without_voxels_has_no_chunks():
    (group,) = voxel_groups(0, None, None)
    assert not list(group.chunks(10))


def test_chunks_of_scattered_voxels_are_indices():
    _, group = voxel_groups(4, torch.tensor([0.1, 0.0, 0.1, 0.1]), None)
    assert [c.tolist() if torch.is_tensor(c) else c for c in group.chunks(2)] == [
        [0, 2],
        slice(3, 4),
    ]
