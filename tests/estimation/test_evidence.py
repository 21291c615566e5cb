"""A number beside the number it should be."""

import math
from dataclasses import replace

import pytest
import torch

from aslprep_nn.estimation.benchmark.evidence import (
    Finding,
    Rule,
    Share,
    Verdict,
    as_table,
    error_of_median,
)

FINDING = Finding('gate 1', 'false alarms', 0.055, 0.001, 0.05, 0.01)


@pytest.mark.parametrize(
    ('changes', 'verdict'),
    [
        ({}, Verdict.AGREES),
        ({'ours': 0.061}, Verdict.IN_DOUBT),
        ({'ours': 0.063}, Verdict.DIFFERS),
        ({'ours': 0.061, 'error': math.nan}, Verdict.DIFFERS),
        ({'tolerance': None}, Verdict.INCOMPARABLE),
        ({'rule': Rule.AT_LEAST}, Verdict.AGREES),
        ({'rule': Rule.AT_MOST}, Verdict.DIFFERS),
        ({'rule': Rule.AT_MOST, 'error': 0.003}, Verdict.IN_DOUBT),
        ({'ours': math.inf, 'reference': math.inf, 'tolerance': math.inf}, Verdict.AGREES),
        ({'ours': 5.0, 'reference': math.inf, 'tolerance': 0.0}, Verdict.DIFFERS),
    ],
)
def test_a_finding_agrees_within_its_tolerance(changes, verdict):
    assert replace(FINDING, **changes).verdict is verdict


def test_a_row_spells_out_what_is_demanded():
    row = replace(FINDING, rule=Rule.AT_LEAST, reference=math.inf).as_row()
    assert (row['tolerance'], row['reference'], row['agrees']) == ('at least', 'infinite', 'NO')
    assert as_table((FINDING,)).rows[0]['tolerance'] == '±0.01'


def test_a_record_has_no_number_that_json_lacks():
    record = replace(FINDING, ours=math.inf, error=math.nan).as_record()
    assert record['ours'] == 'infinite'
    assert record['error'] is None
    assert record['agrees'] == 'NO'


def test_a_share_counts_tested_voxels_only():
    share = Share.below(torch.tensor([0.01, 0.2, torch.nan, 0.04]))
    assert (share.value, share.n_voxels) == (pytest.approx(2 / 3), 3)
    assert share.error == pytest.approx(math.sqrt(2 / 9 / 3))
    assert str(share) == '–'


def test_a_share_of_many_voxels_is_a_rate():
    assert str(Share.below(torch.arange(100) / 100 + 0.001)) == '0.050'


def test_a_share_of_nothing_is_a_dash():
    share = Share.below(torch.full((3,), torch.nan))
    assert str(share) == '–'
    assert math.isnan(share.error)


def test_the_error_of_a_median_is_that_of_a_normal_sample():
    values = torch.randn(20000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = math.sqrt(math.pi / 2 / 20000)
    assert error_of_median(values) == pytest.approx(expected, rel=0.1)
