"""The consensus formulas, against values worked out by hand from the cited equations."""

import pytest
import torch

from aslprep_nn.acquisition import Acquisition, BolusCutOff, LabelingType
from aslprep_nn.errors import UnsupportedError
from aslprep_nn.estimation.single_delay import single_delay_cbf
from aslprep_nn.maps import FitStatus


def acquisition(labeling, pld, duration, efficiency, cut_off=None):
    return Acquisition(labeling, (pld,), (duration,), efficiency, bolus_cut_off=cut_off)


def one(value):
    return torch.tensor([[value]], dtype=torch.float64)


# Alsop et al. 2015, eq. 1 and 2; Wong et al. 1998 for QUIPSS; Qin et al. 2022 for VSASL.
# Each right-hand side is 6000 lambda dM exp(delay/T1b) / (2 alpha M0 [bolus]) with lambda .9,
# T1b 1.65, dM/M0 .01, typed in as numbers.
GOLDEN = [
    (LabelingType.PCASL, 1.8, 1.8, 0.85, None, 86.29992),
    (LabelingType.PASL, 1.8, 0.8, 0.98, BolusCutOff.QUIPSSII, 102.52352),
    (LabelingType.PASL, 1.8, 0.8, 0.98, BolusCutOff.Q2TIPS, 102.52352),
    (LabelingType.PASL, 1.8, 0.8, 0.98, BolusCutOff.QUIPSS, 82.01881),
    (LabelingType.VSASL, 1.5, 1.0, 0.56, None, 79.78066),
]


@pytest.mark.parametrize('golden', GOLDEN, ids=str)
def test_the_formula_gives_the_published_value(golden):
    *parts, cbf = golden
    fit = single_delay_cbf(one(0.01), acquisition(*parts), dtype=torch.float64)
    assert fit.parameters['cbf'].item() == pytest.approx(cbf, rel=1e-5)
    assert fit.status.item() == FitStatus.CONVERGED


def test_slices_read_out_later_are_given_their_own_delay():
    plain = acquisition(LabelingType.PCASL, 1.8, 1.8, 0.85)
    later = single_delay_cbf(one(0.01), plain, slice_delay=torch.tensor([0.5]))
    shifted = single_delay_cbf(one(0.01), acquisition(LabelingType.PCASL, 2.3, 1.8, 0.85))
    assert later.parameters['cbf'].item() == pytest.approx(shifted.parameters['cbf'].item())


def test_the_standard_deviation_is_the_standard_error_of_the_repetitions():
    repeated = Acquisition(LabelingType.PCASL, (1.8,) * 4, (1.8,) * 4, 0.85)
    data = torch.tensor([[0.009, 0.011, 0.010, 0.012]], dtype=torch.float64)
    fit = single_delay_cbf(data, repeated, dtype=torch.float64)
    per_signal = 86.29992012955985 / 0.01
    assert fit.parameters['cbf'].item() == pytest.approx(0.0105 * per_signal)
    assert fit.std['cbf'].item() == pytest.approx(data.std().item() / 2 * per_signal)


def test_missing_measurements_are_left_out_and_a_voxel_without_any_has_failed():
    repeated = Acquisition(LabelingType.PCASL, (1.8,) * 2, (1.8,) * 2, 0.85)
    fit = single_delay_cbf(torch.tensor([[0.01, torch.nan], [torch.nan, torch.nan]]), repeated)
    assert fit.parameters['cbf'][0].item() == pytest.approx(86.29992, rel=1e-5)
    assert fit.std['cbf'].isnan().all()
    assert fit.parameters['cbf'][1].isnan()
    assert fit.status.tolist() == [FitStatus.CONVERGED, FitStatus.FAILED]


def test_a_negative_estimate_is_kept_and_flagged():
    fit = single_delay_cbf(one(-0.001), acquisition(LabelingType.PCASL, 1.8, 1.8, 0.85))
    assert fit.parameters['cbf'].item() == pytest.approx(-8.629992, rel=1e-5)
    assert fit.status.item() == FitStatus.AT_BOUND


def test_pasl_without_a_cut_off_is_refused_because_its_bolus_is_unknown():
    with pytest.raises(UnsupportedError, match='BolusCutOffFlag'):
        single_delay_cbf(one(0.01), acquisition(LabelingType.PASL, 1.8, 0.8, 0.98))
