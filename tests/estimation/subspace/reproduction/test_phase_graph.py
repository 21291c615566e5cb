"""The extended phase graph, beside magnetisation that is turned and relaxed spin by spin."""

import math

import pytest
import torch

from aslprep_nn.estimation.subspace.reproduction.phase_graph import PulseTrain

N_FRAMES = 40
T1 = torch.tensor([0.3, 0.81, 4.0]).double()
T2 = torch.tensor([0.08, 0.025, 2.0]).double()


@pytest.fixture(scope='module')
def train():
    generator = torch.Generator().manual_seed(0)
    angles = 1.2 * torch.rand(N_FRAMES, generator=generator, dtype=torch.float64)
    return PulseTrain(angles, n_orders=N_FRAMES)


def relaxed(spins, time, t1, t2):
    across, along = math.exp(-time / t2), math.exp(-time / t1)
    return torch.stack([spins[0] * across, spins[1] * across, 1 + (spins[2] - 1) * along])


def bloch_signal(train, t1, t2, n_spins):
    """Average spins that the spoiling gradients turn about z, evenly over the circle."""
    turn = 2 * math.pi * torch.arange(n_spins, dtype=torch.float64) / n_spins
    spins = torch.zeros(3, n_spins, dtype=torch.float64)
    spins[2] = -1
    spins = relaxed(spins, train.inversion_time, t1, t2)
    echoes = []
    for angle in train.flip_angles.tolist():
        x, y, z = spins
        cos, sin = math.cos(angle), math.sin(angle)
        spins = relaxed(torch.stack([cos * x + sin * z, y, cos * z - sin * x]),
                        train.echo_time, t1, t2)  # fmt: skip
        echoes.append(spins[:2].mean(-1))
        x, y, z = relaxed(spins, train.repetition_time - train.echo_time, t1, t2)
        spins = torch.stack([x * turn.cos() - y * turn.sin(), x * turn.sin() + y * turn.cos(), z])
    return torch.stack(echoes, -1)


def test_the_graph_is_the_average_of_isochromats(train):
    signal = train.signal(T1, T2)
    for place, (t1, t2) in enumerate(zip(T1.tolist(), T2.tolist(), strict=True)):
        along, across = bloch_signal(train, t1, t2, n_spins=2 * N_FRAMES + 1)
        torch.testing.assert_close(signal[place], along, rtol=0, atol=1e-13)
        torch.testing.assert_close(across, 0 * across, rtol=0, atol=1e-13)


def test_derivatives_are_those_of_finite_differences(train):
    some = train.fingerprints(T1, T2)
    torch.testing.assert_close(some.signal, train.signal(T1, T2))
    torch.testing.assert_close(some.jacobian[..., 2], some.signal)
    for place, step in enumerate(((1e-6, 0), (0, 1e-6))):
        later, sooner = (train.signal(T1 + s * step[0], T2 + s * step[1]) for s in (1, -1))
        numeric = (later - sooner) / 2e-6
        torch.testing.assert_close(some.jacobian[..., place], numeric, rtol=1e-5, atol=1e-7)


def test_one_pulse_after_the_inversion_reads_what_has_recovered():
    train = PulseTrain(torch.tensor([math.pi / 2]).double(), n_orders=2)
    expected = (1 - 2 * torch.exp(-0.02 / T1)) * torch.exp(-0.005 / T2)
    torch.testing.assert_close(train.signal(T1, T2)[:, 0], expected)


def test_small_equal_pulses_reach_the_ideally_spoiled_steady_state():
    """Ernst's formula: nothing transverse is left from pulse to pulse where T2 is short."""
    angle, t1, t2 = 0.3, torch.tensor([0.2]).double(), torch.tensor([1e-3]).double()
    train = PulseTrain(torch.full((200,), angle).double(), n_orders=8)
    decay = math.exp(-0.01 / 0.2)
    expected = math.sin(angle) * (1 - decay) / (1 - decay * math.cos(angle)) * math.exp(-5)
    assert float(train.signal(t1, t2)[0, -1]) == pytest.approx(expected, rel=1e-4)


def test_orders_beyond_those_followed_do_not_matter_in_grey_and_white_matter():
    angles = torch.deg2rad(torch.linspace(5, 45, 300).double())
    t1, t2 = torch.tensor([1.5, 0.5]).double(), torch.tensor([0.2, 0.2]).double()
    few, many = (PulseTrain(angles, n_orders=n).signal(t1, t2) for n in (64, 160))
    assert (few - many).abs().amax() < 1e-5
