import pytest
import torch

from aslprep_nn.simulation.dice import Dice, Interval, smooth_fields


@pytest.fixture
def dice():
    return Dice(torch.Generator().manual_seed(0))


def test_log_uniform_makes_every_octave_equally_likely(dice):
    drawn = dice.log_uniform(Interval(1.0, 16.0), 20000)
    assert drawn.min() >= 1
    assert drawn.max() <= 16
    octaves = drawn.log2().floor().histc(4, 0, 4) / 20000
    torch.testing.assert_close(octaves, torch.full((4,), 0.25), atol=0.02, rtol=0)


def test_smooth_fields_have_unit_variance_and_no_mean(dice):
    where = 300 * dice.normal(500, 20, 3)
    fields = smooth_fields(where, 2, Interval(10.0, 30.0), dice)
    assert fields.mean() == pytest.approx(0, abs=0.02)
    assert fields.std() == pytest.approx(1, abs=0.02)
    assert torch.corrcoef(fields.reshape(-1, 2).mT)[0, 1] == pytest.approx(0, abs=0.03)


def test_smooth_fields_hardly_change_over_a_twentieth_of_a_wavelength(dice):
    x = torch.arange(0, 200, 1.0)
    where = torch.stack([x, 0 * x, 0 * x], -1).expand(50, -1, -1)
    fields = smooth_fields(where, 1, Interval(20.0, 40.0), dice).squeeze(-1)
    assert fields.diff(dim=1).square().mean().sqrt() < 0.2
    far = fields[:, 60:] * fields[:, :-60]
    assert abs(far.mean()) < 0.15


def test_phantoms_have_fields_of_their_own(dice):
    fields = smooth_fields(torch.rand(1, 40, 3).expand(2, -1, -1), 1, Interval(0.5, 1.0), dice)
    assert (fields[0] - fields[1]).abs().mean() > 0.3
