"""Numbers of quality know what organ they are of."""

import math
from dataclasses import replace

from aslprep_nn.maps import ParameterMap
from aslprep_nn.report.quality import Mark, measure_quality
from aslprep_nn.settings import Organ


def test_flow_that_is_usual_in_a_kidney_is_too_high_for_a_brain(run):
    cbf = run.maps['cbf']
    more = ParameterMap(cbf.values * 4, cbf.unit, cbf.description)
    perfused = replace(run, maps={**run.maps, 'cbf': more})
    marks = {}
    for organ in Organ:
        numbers = {n.name: n for n in measure_quality(replace(perfused, organ=organ))}
        marks[organ] = numbers['gm_like_cbf'].mark
    assert marks == {Organ.BRAIN: Mark.BAD, Organ.KIDNEY: Mark.GOOD}
    assert numbers['gm_like_cbf'].label == 'Cortex-like flow'


def test_volume_and_halves_are_asked_of_heads_only(run):
    compared = replace(run, template_dice=0.9)
    assert {n.name: n for n in measure_quality(compared)}['mask_template_dice'].value == 0.9
    numbers = {n.name: n for n in measure_quality(replace(compared, organ=Organ.KIDNEY))}
    assert math.isnan(numbers['mask_template_dice'].value)
    assert math.isnan(numbers['mask_volume'].value)
    assert math.isnan(numbers['asymmetry'].value)
