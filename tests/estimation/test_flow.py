"""Amplitude and flow: the small curvature between them, and its undoing."""

import pytest
import torch

from aslprep_nn.acquisition import LabelingType
from aslprep_nn.estimation.flow import amplitude_of_flow, flow_of_amplitude, unit_signal
from aslprep_nn.signal.model import SignalModel

ONE = torch.ones(1, 1, dtype=torch.float64)


def many(value):
    return torch.full((5,), value, dtype=torch.float64)


@pytest.mark.parametrize('cbf', [-30.0, 0.0, 20.0, 120.0, 600.0])
def test_flow_comes_back_from_its_amplitude(pcasl_6, cbf):
    model = SignalModel.of([pcasl_6])
    att = torch.linspace(0.1, 2.9, 5, dtype=torch.float64)
    amplitude = amplitude_of_flow(model, many(cbf), att, ONE)
    back = flow_of_amplitude(model, amplitude, att, ONE)
    torch.testing.assert_close(back, many(cbf), rtol=1e-5, atol=1e-6)


def test_the_reference_flow_is_its_own_amplitude(pcasl_6):
    amplitude = amplitude_of_flow(SignalModel.of([pcasl_6]), many(60.0), many(1.2), ONE)
    torch.testing.assert_close(amplitude, many(60.0))


def test_amplitude_falls_behind_flow_as_the_signal_does(pcasl_6):
    """A doubled flow makes .95 to .995 of a doubled signal in brain (theory, section 1)."""
    model, att = SignalModel.of([pcasl_6]), many(1.2)
    once, twice = (amplitude_of_flow(model, many(c), att, ONE) for c in (60.0, 120.0))
    assert 0.95 < (twice / (2 * once))[0] < 0.995


def test_a_protocol_that_sees_nothing_leaves_the_amplitude(make):
    early = SignalModel.of([make(LabelingType.PASL, (0.3, 0.6), 0.7)])
    assert not unit_signal(early, many(2.0)).any()
    torch.testing.assert_close(amplitude_of_flow(early, many(50.0), many(2.0), ONE), many(50.0))
    torch.testing.assert_close(flow_of_amplitude(early, many(50.0), many(2.0), ONE), many(50.0))
