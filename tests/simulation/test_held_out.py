from dataclasses import replace

import pytest
import torch

from aslprep_nn.acquisition import LabelingType
from aslprep_nn.simulation import planes, random_protocols
from aslprep_nn.simulation.dice import Dice
from aslprep_nn.simulation.held_out import (
    HELD_OUT_AXIAL,
    HELD_OUT_LESIONS,
    HELD_OUT_PROTOCOLS,
    is_held_out_protocol,
    is_held_out_slice,
    lesion_kinds,
)
from aslprep_nn.simulation.kinds import LesionKind, Orientation, Split
from aslprep_nn.simulation.random_protocols import draw_protocol
from aslprep_nn.simulation.training import TrainingSettings, draw_batch


def dice(seed=0):
    return Dice(torch.Generator().manual_seed(seed))


def test_every_lesion_is_either_for_training_or_for_tests():
    training, test = lesion_kinds(Split.TRAINING), lesion_kinds(Split.TEST)
    assert sorted(training + test) == sorted(LesionKind)
    assert set(test) == HELD_OUT_LESIONS
    assert {LesionKind.BRIGHT_FOCUS, LesionKind.DARK_FOCUS} <= set(training)


def test_training_never_draws_a_held_out_slice():
    chosen = zip(*planes._draw_planes(3000, dice(), Split.TRAINING), strict=True)
    chosen = list(chosen)
    assert not any(is_held_out_slice(*plane) for plane in chosen)
    axial = [position for orientation, position in chosen if orientation is Orientation.AXIAL]
    assert all(abs(position - 26) >= 14 for position in axial)
    assert min(axial) < 0
    assert max(axial) > 50
    assert {orientation for orientation, _ in chosen} == {Orientation.AXIAL, Orientation.SAGITTAL}


def test_tests_draw_only_held_out_slices():
    chosen = list(zip(*planes._draw_planes(500, dice(), Split.TEST), strict=True))
    assert all(is_held_out_slice(*plane) for plane in chosen)
    axial = [position for orientation, position in chosen if orientation is Orientation.AXIAL]
    assert all(HELD_OUT_AXIAL.low <= position <= HELD_OUT_AXIAL.high for position in axial)
    assert {orientation for orientation, _ in chosen} == {Orientation.AXIAL, Orientation.CORONAL}


def test_training_never_draws_a_held_out_protocol(monkeypatch):
    """Chance alone would hardly ever draw one, so here it is drawn on purpose."""
    draw = random_protocols._draw_acquisitions
    forced = list(HELD_OUT_PROTOCOLS.values())
    monkeypatch.setattr(
        random_protocols,
        '_draw_acquisitions',
        lambda rolled: forced.pop() if forced else draw(rolled),
    )
    rolled = dice()
    drawn = [draw_protocol(1, 1, rolled).acquisitions for _ in range(500)]
    assert not forced
    assert not any(is_held_out_protocol(acquisitions) for acquisitions in drawn)


@pytest.mark.parametrize('name', HELD_OUT_PROTOCOLS)
def test_a_protocol_near_a_held_out_one_is_recognised(name):
    acquisitions = HELD_OUT_PROTOCOLS[name]
    first, *others = acquisitions
    shifted = replace(first, pld=tuple(pld + 0.05 for pld in first.pld))
    far = replace(first, pld=tuple(pld + 0.2 for pld in first.pld))
    assert is_held_out_protocol((shifted, *others))
    assert is_held_out_protocol((replace(first, pld=first.pld[::-1]), *others))
    assert not is_held_out_protocol((far, *others))


def test_one_of_two_held_out_protocols_alone_is_another_protocol():
    _, velocity_selective = HELD_OUT_PROTOCOLS['PCASL and VSASL, 6 delays each']
    assert velocity_selective.labeling is LabelingType.VSASL
    assert not is_held_out_protocol((velocity_selective,))


def test_training_batches_hold_training_lesions_and_test_batches_the_others():
    numbers = {kind: i + 1 for i, kind in enumerate(LesionKind)}
    for split in Split:
        generator = torch.Generator().manual_seed(3)
        settings = TrainingSettings(16, (3, 32, 32), n_lesions=12, split=split)
        found = set(draw_batch(settings, generator).lesion.unique().tolist()) - {0}
        assert found == {numbers[kind] for kind in lesion_kinds(split)}
