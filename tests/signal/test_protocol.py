"""An acquisition as tensors."""

import torch

from aslprep_nn.acquisition import Acquisition, BolusCutOff, LabelingType
from aslprep_nn.signal.protocol import Protocol

TWO_DELAYS = Acquisition(LabelingType.PCASL, (0.5, 1.5), (1.8, 1.4), 0.85)


def test_slices_read_out_later_have_longer_delays():
    protocol = Protocol.of(TWO_DELAYS, slice_delay=torch.tensor([0.0, 0.4]))
    expected = torch.tensor([[0.5, 1.5], [0.9, 1.9]], dtype=torch.float64)
    torch.testing.assert_close(protocol.pld, expected, rtol=0, atol=1e-7)


def test_a_t1_map_replaces_the_constant():
    protocol = Protocol.of(TWO_DELAYS, t1_tissue=torch.tensor([1.0, 1.4]))
    assert protocol.t1_tissue.shape == (2, 1)
    assert Protocol.of(TWO_DELAYS).t1_tissue.item() == 1.2


def test_measurements_first_moves_only_the_measurement_axis():
    protocol = Protocol.of(
        TWO_DELAYS, slice_delay=torch.zeros(5), t1_tissue=torch.ones(5)
    ).measurements_first()
    assert protocol.pld.shape == (2, 5)
    assert protocol.labeling_duration.shape == (2, 1)
    assert protocol.t1_tissue.shape == (1, 5)
    assert protocol.t1_blood.shape == ()


def test_some_voxels_can_be_kept():
    protocol = Protocol.of(TWO_DELAYS, t1_tissue=torch.arange(1.0, 6.0)).measurements_first()
    some = protocol.at(torch.tensor([0, 3]))
    assert some.t1_tissue.tolist() == [[1.0, 4.0]]
    assert some.pld.shape == (2, 1)


def test_every_tensor_can_be_converted():
    protocol = Protocol.of(TWO_DELAYS).to(torch.float32)
    assert protocol.pld.dtype == protocol.partition_coefficient.dtype == torch.float32


def test_the_bolus_cut_off_is_carried_along():
    cut = Acquisition(LabelingType.PASL, (1.8,), (0.7,), 0.98, bolus_cut_off=BolusCutOff.QUIPSS)
    assert Protocol.of(cut).bolus_cut_off is BolusCutOff.QUIPSS
