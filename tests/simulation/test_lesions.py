from dataclasses import replace

import pytest
import torch

from aslprep_nn.simulation.dice import Dice
from aslprep_nn.simulation.kinds import LesionKind
from aslprep_nn.simulation.lesions import LESIONS, MOST_FLOW, add_lesions
from aslprep_nn.simulation.perfusion import ATT_LIMITS, PerfusionMaps

N_PHANTOMS, SHAPE = 300, (3, 24, 24)
FOCI = (LesionKind.BRIGHT_FOCUS, LesionKind.DARK_FOCUS, LesionKind.LATE_FOCUS)


@pytest.fixture(scope='module')
def uniform():
    size = (N_PHANTOMS, *SHAPE)
    z, x, y = torch.meshgrid(*[torch.arange(n).float() for n in SHAPE], indexing='ij')
    where = (torch.stack([x, y, 1.5 * z], -1) * 3.5).expand(N_PHANTOMS, -1, -1, -1, -1)
    mask = torch.zeros(size, dtype=torch.bool)
    mask[:, :, 2:-2, 2:-2] = True
    return PerfusionMaps(
        cbf=torch.full(size, 50.0),
        att=torch.full(size, 1.2),
        arterial_blood_volume=torch.zeros(size),
        arterial_arrival=torch.full(size, 0.8),
        mask=mask,
        lesion=torch.zeros(size, dtype=torch.int64),
        where=where,
        voxel_size=torch.tensor([3.5, 3.5, 5.25]).expand(N_PHANTOMS, -1),
        structure=torch.zeros(N_PHANTOMS, dtype=torch.int64),
    )


def with_one(maps, kind, seed=0):
    """Put at most one lesion of a kind into each phantom."""
    return add_lesions(maps, [kind], Dice(torch.Generator().manual_seed(seed)), n_lesions=1)


def test_every_kind_has_an_entry_in_the_registry():
    assert set(LESIONS) == set(LesionKind)


@pytest.mark.parametrize('kind', LesionKind)
def test_a_lesion_is_labelled_with_its_kind_and_changes_nothing_elsewhere(kind, uniform):
    maps = with_one(uniform, kind)
    assert set(maps.lesion.unique().tolist()) == {0, list(LesionKind).index(kind) + 1}
    healthy = maps.lesion == 0
    assert (maps.cbf[healthy] == 50).all()
    assert (maps.att[healthy] == 1.2).all()
    assert (maps.arterial_blood_volume[healthy] == 0).all()
    assert not maps.lesion[~uniform.mask].any()
    changed = (maps.cbf != 50) | (maps.att != 1.2) | (maps.arterial_blood_volume != 0)
    assert changed[~healthy].float().mean() > 0.6


@pytest.mark.parametrize('kind', LesionKind)
def test_half_of_the_phantoms_have_it_and_always_in_the_middle_slice(kind, uniform):
    lesion = with_one(uniform, kind).lesion > 0
    assert lesion.flatten(1).any(1).float().mean() == pytest.approx(0.5, abs=0.1)
    assert (lesion[:, 1].flatten(1).any(1) == lesion.flatten(1).any(1)).all()


@pytest.mark.parametrize('kind', FOCI)
def test_foci_have_one_two_or_three_voxels_that_touch(kind, uniform):
    lesion = with_one(uniform, kind).lesion > 0
    sizes = lesion.flatten(1).sum(1)
    assert set(sizes.tolist()) == {0, 1, 2, 3}
    assert not lesion[:, [0, 2]].any()
    for voxels in lesion[sizes > 1][:, 1]:
        place = voxels.nonzero()
        assert (place.amax(0) - place.amin(0)).max() == 1


def test_foci_of_either_sign_go_the_way_they_are_named(uniform):
    bright, dark = (with_one(uniform, kind) for kind in FOCI[:2])
    assert (bright.cbf[bright.lesion > 0] >= 50 * 1.4 - 1e-3).all()
    assert (dark.cbf[dark.lesion > 0] <= 50 * 0.6 + 1e-3).all()
    late = with_one(uniform, LesionKind.LATE_FOCUS)
    assert (late.cbf == 50).all()
    assert (late.att[late.lesion > 0] >= 1.6 - 1e-5).all()


def test_lesions_reach_from_single_voxels_to_a_good_part_of_a_slice(uniform):
    sizes = (with_one(uniform, LesionKind.INFARCT).lesion[:, 1] > 0).flatten(1).sum(1)
    sizes = sizes[sizes > 0]
    assert sizes.min() <= 9
    assert sizes.max() >= 250


def test_an_infarct_has_a_core_without_flow_and_a_late_penumbra(uniform):
    maps = with_one(uniform, LesionKind.INFARCT)
    lesion = maps.lesion > 0
    core = lesion & (maps.cbf <= 15)
    penumbra = lesion & ~core
    assert core.any()
    assert (maps.cbf[penumbra] <= 40 + 1e-3).all()
    assert (maps.att[penumbra] >= 1.5 - 1e-5).all()


def test_a_shunt_brings_arterial_blood_early_and_steals_from_around(uniform):
    maps = with_one(uniform, LesionKind.STEAL)
    shunt = maps.arterial_blood_volume > 0
    robbed = (maps.lesion > 0) & ~shunt
    assert (maps.arterial_arrival[shunt] < maps.att[shunt]).all()
    assert (maps.att[shunt] < 1.2).all()
    assert (maps.cbf[robbed] < 50).all()
    assert (maps.att[robbed] > 1.2).all()


def test_no_lesion_leaves_the_range_of_flow_and_arrival(uniform):
    extreme = replace(uniform, cbf=uniform.cbf * 3, att=uniform.att * 2)
    dice = Dice(torch.Generator().manual_seed(4))
    maps = add_lesions(extreme, list(LesionKind), dice, n_lesions=10)
    assert maps.cbf.min() >= 0
    assert maps.cbf.max() <= MOST_FLOW
    assert maps.att.min() >= ATT_LIMITS.low
    assert maps.att.max() <= ATT_LIMITS.high
