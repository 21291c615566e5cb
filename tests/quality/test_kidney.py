"""A kidney is judged by what is usual for kidneys."""

from dataclasses import replace

from aslprep_nn.quality.findings import Gate
from aslprep_nn.quality.gates import find_implausible
from aslprep_nn.settings import Organ


def test_flow_of_a_kidney_is_possible_in_a_kidney_only(several):
    perfused = replace(several, cbf=several.cbf * 5, control_over_m0=None)
    assert Gate.CBF_RANGE in {finding.gate for finding in find_implausible(perfused)}
    assert find_implausible(replace(perfused, organ=Organ.KIDNEY)) == ()


def test_flow_of_white_matter_is_not_possible_in_a_kidney(several):
    low = replace(several, cbf=several.cbf / 4, control_over_m0=None)
    assert find_implausible(low) == ()
    (finding,) = find_implausible(replace(low, organ=Organ.KIDNEY))
    assert finding.gate is Gate.CBF_RANGE
    assert 'outside of 30 to 800' in finding.found
