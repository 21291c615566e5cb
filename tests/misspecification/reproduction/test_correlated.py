"""False discoveries in smooth maps, on few maps."""

import math

import pytest
import torch

from aslprep_nn.misspecification.reproduction import correlated


def test_noise_is_as_smooth_as_it_says_and_of_variance_one():
    noise = correlated.smooth_noise(400, 3.0, torch.Generator().manual_seed(0))
    assert float(noise.var()) == pytest.approx(1, rel=0.03)
    volume = noise.reshape(*correlated.SHAPE, -1)
    beside = float((volume * volume.roll(1, 0)).mean())
    # A white field after a Gaussian has the autocorrelation of one that is root 2 wider.
    sigma = 3 / math.sqrt(8 * math.log(2))
    assert beside == pytest.approx(math.exp(-1 / (4 * sigma**2)), abs=0.03)


def test_claims_of_nothing_have_no_false_share():
    assert correlated.Claims(0, 0).false_share == 0
    assert correlated.Claims(4, 1).false_share == 0.25


def test_a_wrong_region_is_claimed_and_little_else(monkeypatch):
    monkeypatch.setattr(correlated, 'WIDTHS', (3.0,))
    table, findings = correlated.correlated_evidence(3, 0)
    assert [row['truth'] for row in table.rows] == ['correct everywhere', 'outflow in a third']
    wrong = [f for f in findings if 'outflow' in f.quantity and 'early-late' not in f.quantity]
    assert all(finding.ours < 0.2 for finding in wrong)
