"""What is measured is held out, and is what it says."""

import torch

from aslprep_nn.evaluation.phantoms import MIDDLE, draw_brains, uniform, voxelwise, with_lesions
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


def test_lesions_are_of_the_kinds_asked_for_and_leave_the_brain_around_them(brains):
    kinds = LesionKind.DARK_FOCUS, LesionKind.LATE_FOCUS
    diseased = with_lesions(brains, kinds, 20, 0).maps
    numbers = {list(LesionKind).index(kind) + 1 for kind in kinds}
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
