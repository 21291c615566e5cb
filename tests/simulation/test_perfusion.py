import pytest
import torch

from aslprep_nn.simulation.dice import Dice
from aslprep_nn.simulation.kinds import Structure
from aslprep_nn.simulation.perfusion import (
    ANY_ATT,
    ANY_CBF,
    ATT_LIMITS,
    SHARES,
    _draw_structure,
    add_fine_structure,
    draw_perfusion,
)
from aslprep_nn.simulation.planes import draw_stacks


@pytest.fixture(scope='module')
def drawn():
    dice = Dice(torch.Generator().manual_seed(6))
    stacks = draw_stacks(64, (3, 32, 32), dice)
    return stacks, draw_perfusion(stacks, dice)


def of(maps, structure):
    return [i for i, kind in enumerate(maps.structure.tolist()) if kind == structure]


def test_phantoms_without_anatomy_are_as_rare_as_asked():
    structure = _draw_structure(20000, SHARES, Dice(torch.Generator().manual_seed(0)))
    for kind, share in SHARES.items():
        assert (structure == kind).float().mean() == pytest.approx(share, abs=0.01)
    assert SHARES[Structure.VOXELWISE] == 0.08


def test_fine_structure_is_in_the_share_of_the_brains_asked_for(drawn):
    _, maps = drawn
    dice = Dice(torch.Generator().manual_seed(1))
    rough = add_fine_structure(maps, dice, 0.5)
    changed = (rough.cbf != maps.cbf).flatten(1).any(1)
    brain = maps.structure == Structure.BRAIN
    assert not changed[~brain].any()
    assert changed[brain].float().mean().item() == pytest.approx(0.5, abs=0.2)
    assert rough.cbf.min() >= 0
    assert (rough.att.min() >= ATT_LIMITS.low) & (rough.att.max() <= ATT_LIMITS.high)
    assert torch.equal(add_fine_structure(maps, dice, 0.0).cbf, maps.cbf)


def test_gray_matter_has_more_flow_than_white(drawn):
    stacks, maps = drawn
    for i in of(maps, Structure.BRAIN):
        gray = maps.cbf[i][stacks.gray_matter[i] > 0.8].mean()
        white = maps.cbf[i][stacks.white_matter[i] > 0.8].mean()
        assert gray > 1.05 * white


def test_brains_differ_in_flow_and_arrival(drawn):
    _, maps = drawn
    brains = of(maps, Structure.BRAIN)
    cbf = torch.stack([maps.cbf[i][maps.mask[i]].mean() for i in brains])
    att = torch.stack([maps.att[i][maps.mask[i]].mean() for i in brains])
    assert cbf.std() > 6
    assert att.std() > 0.25
    assert 0.8 < att.mean() < 2.0


def test_arrival_is_smooth_and_differs_between_territories(drawn):
    _, maps = drawn
    brains = of(maps, Structure.BRAIN)
    inside = maps.mask[brains][..., 1:, :] & maps.mask[brains][..., :-1, :]
    step = maps.att[brains].diff(dim=2)[inside].abs().mean()
    spread = torch.stack([maps.att[i][maps.mask[i]].std() for i in brains])
    assert spread.mean() > 0.15
    assert step < spread.mean() / 3


def test_voxelwise_phantoms_have_no_structure(drawn):
    _, maps = drawn
    found = of(maps, Structure.VOXELWISE)
    assert found
    for values, interval in ((maps.cbf, ANY_CBF), (maps.att, ANY_ATT)):
        inside = values[found]
        assert inside.min() >= interval.low
        assert inside.max() <= interval.high
        deviation = inside - inside.mean()
        likeness = (deviation[..., 1:] * deviation[..., :-1]).mean() / deviation.square().mean()
        assert abs(likeness) < 0.03


def test_slabs_are_the_same_everywhere(drawn):
    _, maps = drawn
    found = of(maps, Structure.UNIFORM)
    assert found
    for i in found:
        assert maps.cbf[i].unique().numel() == maps.att[i].unique().numel() == 1
        assert not maps.arterial_blood_volume[i].any()


def test_label_reaches_arteries_before_tissue_in_half_of_the_brains(drawn):
    _, maps = drawn
    brains = of(maps, Structure.BRAIN)
    vessels = maps.arterial_blood_volume > 0
    assert (maps.arterial_arrival <= maps.att)[vessels].all()
    share = vessels[brains].flatten(1).any(1).float().mean()
    assert share == pytest.approx(0.5, abs=0.2)
    assert maps.arterial_blood_volume.max() <= 0.025
    assert vessels[brains].float().mean() < 0.1


def test_everything_stays_in_range(drawn):
    _, maps = drawn
    assert maps.cbf.min() >= 0
    assert maps.att.min() >= ATT_LIMITS.low
    assert maps.att.max() <= ATT_LIMITS.high
