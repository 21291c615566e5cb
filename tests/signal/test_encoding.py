"""Time-encoded labelling."""

import pytest
import torch

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.errors import UnsupportedError
from aslprep_nn.signal.encoding import decode, hadamard_encoding, sub_bolus_acquisition
from aslprep_nn.signal.kinetics import delta_m
from aslprep_nn.signal.protocol import Protocol

ENCODED = Acquisition(LabelingType.PCASL, (0.3,), (3.5,), 0.85)


@pytest.mark.parametrize('order', [2, 4, 8, 16])
def test_each_sub_bolus_is_labelled_in_half_of_the_volumes(order):
    encoding = hadamard_encoding(order)
    assert encoding.shape == (order, order - 1)
    assert (encoding.sum(0) == order / 2).all()
    assert not encoding[0].any()


@pytest.mark.parametrize('order', [0, 1, 3, 6, 12])
def test_an_order_without_this_construction_is_refused(order):
    with pytest.raises(UnsupportedError, match=str(order)):
        hadamard_encoding(order)


def test_decoding_recovers_every_sub_bolus(tensor):
    durations = (1.2, 0.8, 0.5, 0.4, 0.3, 0.2, 0.1)
    acquisition = sub_bolus_acquisition(ENCODED, durations)
    truth = delta_m(tensor([60.0, 30.0]), tensor([1.1, 0.7]), Protocol.of(acquisition))
    encoding = hadamard_encoding(8)
    volumes = tensor([[1.0], [0.8]]) - truth @ encoding.mT
    torch.testing.assert_close(decode(volumes, encoding), truth)


def test_the_sub_boluses_together_are_the_whole_bolus(tensor):
    acquisition = sub_bolus_acquisition(ENCODED, (0.5,) * 7)
    parts = delta_m(tensor(60.0), tensor(1.1), Protocol.of(acquisition))
    whole = delta_m(tensor(60.0), tensor(1.1), Protocol.of(ENCODED))
    torch.testing.assert_close(parts.sum(), whole.squeeze())


def test_a_sub_bolus_waits_for_those_made_after_it():
    acquisition = sub_bolus_acquisition(ENCODED, (1.0, 0.5, 0.25))
    assert acquisition.pld == pytest.approx((1.05, 0.55, 0.3))
    assert acquisition.labeling_duration == (1.0, 0.5, 0.25)


def test_decoding_spreads_noise_evenly():
    generator = torch.Generator().manual_seed(4)
    noise = torch.randn(40000, 8, generator=generator, dtype=torch.float64)
    variance = decode(noise, hadamard_encoding(8)).var(0)
    torch.testing.assert_close(variance, torch.full_like(variance, 4 / 8), rtol=0.05, atol=0)


def test_an_encoding_that_confuses_sub_boluses_is_refused():
    encoding = hadamard_encoding(4)
    encoding[:, 1] = encoding[:, 0]
    with pytest.raises(UnsupportedError, match='4 volumes for 3 sub-boluses'):
        decode(torch.zeros(1, 4), encoding)
