"""What is measured is held out, and is what it says."""

import pytest
import torch

from aslprep_nn.evaluation.phantoms import (
    FINE_ARRIVAL,
    FINE_FLOW,
    MIDDLE,
    draw_brains,
    uniform,
    voxelwise,
    with_fine_structure,
    with_lesions,
)
from aslprep_nn.simulation.kinds import LesionKind, Structure


def neighbours(image, mask):
    """Correlate each voxel with the next one along x."""
    both = mask[..., 1:, :] & mask[..., :-1, :]
    pair = torch.stack([image[..., 1:, :][both], image[..., :-1, :][both]])
    return torch.corrcoef(pair)[0, 1].item()


def test_brains_are_brains_without_arterial_signal(brains):
    assert len(brains) == 4
    assert (brains.maps.structure == Structure.BRAIN).all()
    assert not brains.maps.arterial_blood_volume.any()
    assert not brains.maps.lesion.any()


def test_more_phantoms_do_not_change_the_first_ones(brains):
    more = draw_brains(6, 1)
    assert torch.equal(more.maps.cbf[:4], brains.maps.cbf)
    assert not torch.equal(draw_brains(4, 2).maps.cbf, brains.maps.cbf)


def test_a_brain_has_structure_that_voxelwise_phantoms_lack(brains):
    mask = brains.maps.mask
    scattered = voxelwise(brains, 0)
    assert neighbours(brains.maps.cbf, mask) > 0.5
    assert abs(neighbours(scattered.maps.cbf, mask)) < 0.05
    assert abs(neighbours(scattered.maps.att, mask)) < 0.05


def test_a_uniform_phantom_has_one_flow_and_one_arrival(brains):
    flat = uniform(brains, cbf=40.0, att=1.5)
    assert flat.maps.cbf.unique().tolist() == [40.0]
    assert flat.maps.att.unique().tolist() == [1.5]


def test_fine_structure_makes_voxels_unlike_their_neighbours_and_no_more_on_average(brains):
    mask, rough = brains.maps.mask, with_fine_structure(brains, 0)
    relative = (rough.maps.cbf / brains.maps.cbf.clamp(min=1))[mask & (brains.maps.cbf > 1)]
    assert relative.mean().item() == pytest.approx(1, abs=0.02)
    assert relative.std().item() == pytest.approx(FINE_FLOW, rel=0.1)
    inside = mask & (brains.maps.att > 0.9) & (brains.maps.att < 2.1)
    later = (rough.maps.att - brains.maps.att)[inside]
    assert later.std().item() == pytest.approx(FINE_ARRIVAL, rel=0.1)
    assert neighbours(rough.maps.cbf, mask) < neighbours(brains.maps.cbf, mask) - 0.1


def test_lesions_are_of_the_kinds_asked_for_and_leave_the_brain_around_them(brains):
    kinds = LesionKind.DARK_FOCUS, LesionKind.LATE_FOCUS
    diseased = with_lesions(brains, kinds, 20, 0).maps
    numbers = {kind.number for kind in kinds}
    assert set(diseased.lesion.unique().tolist()) == {0, *numbers}
    healthy = diseased.lesion == 0
    assert torch.equal(diseased.cbf[healthy], brains.maps.cbf[healthy])
    changed = (diseased.cbf != brains.maps.cbf) | (diseased.att != brains.maps.att)
    assert changed[:, MIDDLE].any()
    assert not changed[healthy].any()


def test_chunks_are_the_whole_in_order(brains):
    many = draw_brains(11, 1)
    chunks = many.chunks()
    assert [len(chunk) for chunk in chunks] == [8, 3]
    assert torch.equal(torch.cat([chunk.maps.att for chunk in chunks]), many.maps.att)
