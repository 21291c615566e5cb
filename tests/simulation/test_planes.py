import pytest
import torch

from aslprep_nn.simulation import planes
from aslprep_nn.simulation.anatomy import VOXEL_SIZE, template_anatomy
from aslprep_nn.simulation.dice import Dice
from aslprep_nn.simulation.kinds import Orientation
from aslprep_nn.simulation.planes import draw_stacks


@pytest.fixture(scope='module')
def stacks():
    return draw_stacks(16, (3, 64, 64), Dice(torch.Generator().manual_seed(0)))


def test_fractions_are_fractions_and_never_fill_more_than_the_voxel(stacks):
    tissues = torch.stack([stacks.gray_matter, stacks.white_matter, stacks.csf])
    assert tissues.min() >= 0
    assert tissues.sum(0).max() <= 1 + 1e-5
    filled = tissues.sum(0)[stacks.mask]
    assert (filled > 0.45).all()


def test_partial_volume_is_common(stacks):
    gray = stacks.gray_matter[stacks.mask]
    assert ((gray > 0.1) & (gray < 0.9)).float().mean() > 0.25


def test_voxels_of_a_slice_and_its_neighbours_lie_apart_by_their_size(stacks):
    for axis, size in ((1, stacks.voxel_size[:, 2]), (2, stacks.voxel_size[:, 0])):
        step = stacks.where.diff(dim=axis).norm(dim=-1).flatten(1)
        ratio = step / size.unsqueeze(1)
        assert ratio.min() > 0.8
        assert ratio.max() < 1.25
    assert (stacks.voxel_size[:, 2] >= stacks.voxel_size[:, 0]).all()


def test_neighbouring_slices_resemble_each_other_and_no_two_heads_are_alike(stacks):
    gray = stacks.gray_matter.flatten(2)

    def likeness(a, b):
        return torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]

    within = torch.stack([likeness(one[0], one[1]) for one in gray])
    between = torch.stack([likeness(gray[i, 1], gray[i - 1, 1]) for i in range(len(gray))])
    assert within.mean() > 0.7
    assert between.max() < within.mean()


def test_without_variation_a_slice_is_the_template_itself(monkeypatch):
    still = planes.Interval(0.0, 0.0)
    for name in ('TILT', 'SHEAR', 'DEFORMATION'):
        monkeypatch.setattr(planes, name, still)
    monkeypatch.setattr(planes, 'SCALE', planes.Interval(1.0, 1.0))
    monkeypatch.setattr(planes, 'AXIAL_SHARE', 1.0)
    monkeypatch.setattr(planes, 'POSITIONS', {Orientation.AXIAL: planes.Interval(0.0, 0.0)})
    edge = 2 * VOXEL_SIZE
    for name in ('IN_PLANE', 'THICKNESS'):
        monkeypatch.setattr(planes, name, planes.Interval(edge, edge))
    stacks = draw_stacks(1, (1, 48, 48), Dice(torch.Generator().manual_seed(0)))
    anatomy = template_anatomy()
    index = (stacks.where[0] - torch.tensor(anatomy.affine[:3, 3])) / VOXEL_SIZE
    template = torch.from_numpy(anatomy.gray_matter)
    near = index.round().long()
    blocks = torch.stack(
        [
            template[tuple((near + torch.tensor([i, j, k])).unbind(-1))]
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
            for k in (-1, 0, 1)
        ]
    )
    gray = stacks.gray_matter[0]
    assert (gray >= blocks.amin(0) - 1e-5).all()
    assert (gray <= blocks.amax(0) + 1e-5).all()
    assert gray.mean() == pytest.approx(blocks.mean().item(), rel=0.02)


def test_half_of_the_heads_are_mirrored(monkeypatch):
    monkeypatch.setattr(planes, 'AXIAL_SHARE', 1.0)
    stacks = draw_stacks(400, (1, 4, 4), Dice(torch.Generator().manual_seed(1)))
    rightwards = stacks.where[:, 0, 3, 2, 0] > stacks.where[:, 0, 0, 2, 0]
    assert rightwards.float().mean() == pytest.approx(0.5, abs=0.08)
