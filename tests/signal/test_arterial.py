"""Label in arteries."""

import math

import pytest
import torch

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.errors import UnsupportedError
from aslprep_nn.signal.arterial import arterial_delta_m, arterial_window
from aslprep_nn.signal.protocol import Protocol


def of(labeling, delays, duration, efficiency=0.85):
    return Protocol.of(Acquisition(labeling, tuple(delays), (duration,) * len(delays), efficiency))


def test_pcasl_sees_the_bolus_between_its_first_and_last_spin(tensor):
    protocol = of(LabelingType.PCASL, (0.2, 0.5, 1.0), 0.6)
    signal = arterial_delta_m(tensor(0.02), tensor(0.7), protocol)
    full = 2 * 0.85 / 0.9 * 0.02 * math.exp(-0.7 / 1.65)
    torch.testing.assert_close(signal, tensor([full, full, 0.0]))


def test_pasl_blood_decays_until_the_readout(tensor):
    protocol = of(LabelingType.PASL, (0.4, 0.8, 1.6), 0.7, 0.98)
    signal = arterial_delta_m(tensor(0.01), tensor(0.5), protocol)
    seen = 2 * 0.98 / 0.9 * 0.01 * math.exp(-0.8 / 1.65)
    torch.testing.assert_close(signal, tensor([0.0, seen, 0.0]))


def test_the_signal_is_proportional_to_the_volume(tensor):
    protocol = of(LabelingType.PCASL, (0.2, 0.5), 0.6)
    one, two = arterial_delta_m(tensor([0.01, 0.02]), tensor([0.6, 0.6]), protocol)
    torch.testing.assert_close(2 * one, two)


def test_vsasl_has_no_macrovascular_term():
    with pytest.raises(UnsupportedError, match='VSASL'):
        arterial_window(of(LabelingType.VSASL, (1.0,), 1.0))
