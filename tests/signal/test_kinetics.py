"""Every kinetic model against an independent convolution and against finite differences."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import special

from aslprep_nn.acquisition import Acquisition, BolusCutOff, LabelingType
from aslprep_nn.signal.continuous import ContinuousKinetics, OutflowKinetics
from aslprep_nn.signal.dispersion import DispersedKinetics
from aslprep_nn.signal.kinetics import (
    delta_m,
    hessian,
    kinetics_of,
    linearize,
    pcasl_delta_m,
    signal_per_cbf,
)
from aslprep_nn.signal.protocol import Protocol
from aslprep_nn.signal.pulsed import (
    PulsedBolusKinetics,
    QuipssKinetics,
    VelocitySelectiveKinetics,
    WangEquation4Kinetics,
)
from aslprep_nn.signal.response import Kinetics, LabelDecay


def convolved_delta_m(case, integrate):
    """Convolve arterial input and residue numerically, straight from Buxton's integral."""
    acquisition, kinetics = case.acquisition, case.kinetics
    flow, blood_rate = case.cbf / 6000, 1 / acquisition.t1_blood
    rate = 1 / acquisition.t1_tissue + flow / acquisition.partition_coefficient
    if kinetics.decay is LabelDecay.BLOOD:
        rate = blood_rate

    def residue(age):
        left = np.zeros_like(age)
        if isinstance(kinetics, OutflowKinetics):
            left = kinetics.outflow_rate * np.maximum(age - kinetics.residence_time, 0)
        return np.exp(-rate * age - left)

    scale = 2 * acquisition.labeling_efficiency * flow / acquisition.partition_coefficient
    values = []
    for delay, duration in zip(acquisition.pld, acquisition.labeling_duration, strict=True):
        arrivals, label = delivered(case, delay, duration)
        readout = arrivals[-1]
        kink = readout - getattr(kinetics, 'residence_time', math.inf)
        breaks = sorted({*arrivals[:-1], *([kink] if arrivals[0] < kink < arrivals[-2] else [])})
        values.append(
            scale * integrate(lambda s, t=readout: label(s) * residue(t - s), breaks)  # noqa: B023
        )
    return np.array(values)


def delivered(case, delay, duration):
    """When label is delivered (from, ..., until, readout) and how much of it is left by then."""
    kinetics, att = case.kinetics, case.att
    blood_rate = 1 / case.acquisition.t1_blood

    def decayed(s):
        return np.exp(-s * blood_rate)

    if isinstance(kinetics, WangEquation4Kinetics):
        readout = delay + duration
        window = (att, min(readout, att + duration))
        return ordered(*window, readout), lambda s: np.exp(-(s - att) * blood_rate)
    if isinstance(kinetics, PulsedBolusKinetics):
        return ordered(att, min(delay, att + duration), delay), decayed
    if isinstance(kinetics, QuipssKinetics):
        return ordered(max(att, duration), delay, delay), decayed
    if isinstance(kinetics, VelocitySelectiveKinetics):
        return ordered(0.0, min(delay, att), delay), decayed
    readout = delay + duration
    if isinstance(kinetics, DispersedKinetics):
        times = sorted({att, min(readout, att + duration), max(readout, att)})
        return (*times, max(readout, att)), lambda s: dispersed(s - att, kinetics, case, duration)
    window = (att, min(readout, att + duration))
    return ordered(*window, readout), lambda _: math.exp(-att * blood_rate)


def ordered(start, end, readout):
    return start, max(start, end), readout


def dispersed(since_arrival, kinetics, case, duration):
    """Label that a gamma-dispersed bolus delivers at a time after its first arrival."""
    blood_rate = 1 / case.acquisition.t1_blood
    shape = 1 + kinetics.sharpness * kinetics.time_to_peak
    decaying = kinetics.sharpness + blood_rate
    scale = (kinetics.sharpness / decaying) ** shape * math.exp(-case.att * blood_rate)
    begun = special.gammainc(shape, decaying * np.maximum(since_arrival, 0))
    ended = special.gammainc(shape, decaying * np.maximum(since_arrival - duration, 0))
    return scale * (begun - ended)


def predict(case, cbf, att, t1_tissue=None):
    acquisition = case.acquisition
    t1 = None if t1_tissue is None else torch.tensor(t1_tissue, dtype=torch.float64)
    protocol = Protocol.of(acquisition, t1_tissue=t1)
    as_tensor = torch.tensor([cbf, att], dtype=torch.float64)
    return delta_m(as_tensor[0], as_tensor[1], protocol, case.kinetics)


def slope(function, at, step):
    """Five-point central difference."""
    far = function(at - 2 * step) - function(at + 2 * step)
    near = function(at + step) - function(at - step)
    return (far + 8 * near) / (12 * step)


def test_the_signal_is_the_convolution_of_input_and_residue(case, integrate):
    expected = convolved_delta_m(case, integrate)
    tolerance = 1e-7 if isinstance(case.kinetics, DispersedKinetics) else 1e-10
    predicted = predict(case, case.cbf, case.att).numpy()
    np.testing.assert_allclose(predicted, expected, rtol=0, atol=tolerance * expected.max())


def test_first_derivatives_match_finite_differences(case, tensor):
    protocol = Protocol.of(case.acquisition)
    analytic = linearize(tensor(case.cbf), tensor(case.att), protocol, case.kinetics)
    d_t1 = analytic.d_rate * case.kinetics.rate_per_t1(protocol)
    t1 = case.acquisition.t1_tissue
    numeric = (
        slope(lambda cbf: predict(case, cbf, case.att), case.cbf, 0.5),
        slope(lambda att: predict(case, case.cbf, att), case.att, 1e-3),
        slope(lambda t1: predict(case, case.cbf, case.att, t1), t1, 1e-3),
    )
    for exact, difference in zip((analytic.d_cbf, analytic.d_att, d_t1), numeric, strict=True):
        largest = max(difference.abs().max().item(), 1e-12)
        torch.testing.assert_close(exact, difference, rtol=0, atol=1e-6 * largest)


def test_alternatives_are_the_signal_under_other_assumptions(case, tensor):
    acquisition, kinetics = case.acquisition, case.kinetics
    protocol = Protocol.of(acquisition)

    def with_duration(factor):
        longer = tuple(factor * duration for duration in acquisition.labeling_duration)
        return predict(
            replace(case, acquisition=replace(acquisition, labeling_duration=longer)),
            case.cbf,
            case.att,
        )

    rate = kinetics.rate(tensor(case.cbf), protocol)
    found = kinetics.alternatives(tensor(case.att), rate, protocol, 0.2)
    here, later, earlier = (predict(case, case.cbf, case.att + by) for by in (0, 0.2, -0.2))
    scale = signal_per_cbf(protocol) * case.cbf
    largest = here.max().item()
    torch.testing.assert_close(
        scale * found.either_side, later + earlier, rtol=0, atol=1e-12 * largest
    )
    numeric = slope(with_duration, 1.0, 1e-4)
    tolerance = 1e-6 if type(kinetics) is ContinuousKinetics else 5e-3
    torch.testing.assert_close(scale * found.longer, numeric, rtol=0, atol=tolerance * largest)


def test_label_arrives_not_before_it_is_made(case, tensor):
    protocol = Protocol.of(case.acquisition)
    rate = case.kinetics.rate(tensor(case.cbf), protocol)
    found = case.kinetics.alternatives(tensor(0.05), rate, protocol, 0.2)
    later, earliest = (predict(case, case.cbf, att) for att in (0.25, 0.0))
    scale = signal_per_cbf(protocol) * case.cbf
    torch.testing.assert_close(
        scale * found.either_side, later + earliest, rtol=0, atol=1e-12 * later.max().item()
    )


def test_second_derivatives_match_finite_differences(case, tensor):
    protocol = Protocol.of(case.acquisition)
    exact = hessian(tensor(case.cbf), tensor(case.att), protocol, case.kinetics)

    def first(cbf, att):
        return linearize(tensor(cbf), tensor(att), protocol, case.kinetics)

    numeric = (
        slope(lambda cbf: first(cbf, case.att).d_cbf, case.cbf, 0.5),
        slope(lambda att: first(case.cbf, att).d_cbf, case.att, 1e-3),
        slope(lambda att: first(case.cbf, att).d_att, case.att, 1e-3),
    )
    for analytic, difference in zip(exact, numeric, strict=True):
        largest = max(difference.abs().max().item(), 1e-9)
        torch.testing.assert_close(analytic, difference, rtol=0, atol=1e-6 * largest)


def test_the_signal_is_continuous_at_every_kink(case, tensor):
    protocol = Protocol.of(case.acquisition)
    kinks = case.kinetics.kinks(protocol).flatten()
    kinks = kinks[kinks > 1e-3]
    cbf = torch.full_like(kinks, case.cbf)
    before, at, after = (
        delta_m(cbf, kinks + shift, protocol, case.kinetics) for shift in (-1e-9, 0.0, 1e-9)
    )
    largest = at.max().item()
    torch.testing.assert_close(before, at, rtol=0, atol=1e-7 * largest)
    torch.testing.assert_close(after, at, rtol=0, atol=1e-7 * largest)


def test_the_regime_chooses_the_side_of_a_kink(case):
    protocol = Protocol.of(case.acquisition).measurements_first()
    kinks = case.kinetics.kinks(protocol).flatten().unique()
    kink = kinks[kinks > 0.3][0].reshape(1)
    rate = case.kinetics.rate(torch.tensor([case.cbf], dtype=torch.float64), protocol)
    for shift in (-1e-4, 1e-4):
        at_kink = case.kinetics.response(kink, rate, protocol, kink + shift)
        beside = case.kinetics.response(kink + shift / 100, rate, protocol)
        torch.testing.assert_close(at_kink.d_att, beside.d_att, rtol=1e-4, atol=2e-6)


def test_float32_agrees_with_float64(case, tensor):
    double = linearize(
        tensor(case.cbf), tensor(case.att), Protocol.of(case.acquisition), case.kinetics
    )
    single = linearize(
        tensor(case.cbf).float(),
        tensor(case.att).float(),
        Protocol.of(case.acquisition, dtype=torch.float32),
        case.kinetics,
    )
    for low, high in zip(single, double, strict=True):
        assert low.dtype == torch.float32
        atol = 2e-5 * max(high.abs().max().item(), 1e-12)
        torch.testing.assert_close(low.double(), high, rtol=0, atol=atol)


def test_any_batch_shape_gives_the_same_numbers(case):
    protocol = Protocol.of(case.acquisition)
    cbf = torch.full((2, 3), case.cbf, dtype=torch.float64)
    att = torch.full((2, 3), case.att, dtype=torch.float64)
    batch = delta_m(cbf, att, protocol, case.kinetics)
    assert batch.shape == (2, 3, case.acquisition.n_measurements)
    torch.testing.assert_close(batch[1, 2], delta_m(cbf[0, 0], att[0, 0], protocol, case.kinetics))


def test_no_flow_gives_no_signal(case, tensor):
    protocol = Protocol.of(case.acquisition)
    assert not delta_m(tensor(0.0), tensor(case.att), protocol, case.kinetics).any()


def test_outflow_at_rate_zero_is_the_plain_model(tensor):
    protocol = Protocol.of(Acquisition(LabelingType.PCASL, (0.5, 1.0, 2.0), (1.8,) * 3, 0.85))
    closed = OutflowKinetics(residence_time=0.7, outflow_rate=0.0)
    torch.testing.assert_close(
        delta_m(tensor(60.0), tensor(0.9), protocol, closed),
        pcasl_delta_m(tensor(60.0), tensor(0.9), protocol),
    )


def test_a_sharp_gamma_kernel_is_no_dispersion(tensor):
    protocol = Protocol.of(Acquisition(LabelingType.PCASL, (0.5, 1.0, 2.0), (1.8,) * 3, 0.85))
    sharp = DispersedKinetics(sharpness=2000.0, time_to_peak=0.0)
    torch.testing.assert_close(
        delta_m(tensor(60.0), tensor(0.9), protocol, sharp),
        pcasl_delta_m(tensor(60.0), tensor(0.9), protocol),
        rtol=1e-3,
        atol=0,
    )


def test_cbf_is_nearly_linear_in_the_signal(tensor):
    """S(2c) / 2S(c): venous clearance bends the signal by 1 to 7 %."""
    protocol = Protocol.of(Acquisition(LabelingType.PCASL, (1.8,), (1.8,), 0.85))
    cbf = tensor([30.0, 60.0, 150.0, 450.0])
    once, twice = (delta_m(c, torch.full_like(c, 1.2), protocol) for c in (cbf, 2 * cbf))
    ratio = (twice / (2 * once)).flatten()
    assert ((ratio < 1) & (ratio > 0.9)).all()
    assert (ratio.diff() < 0).all()


def test_wangs_equation_fitted_to_pcasl_would_lose_flow_as_att_grows(tensor):
    """Its signal exceeds PCASL's by the transit decay it leaves out."""
    protocol = Protocol.of(Acquisition(LabelingType.PCASL, (2.5,), (1.5,), 0.85))
    att = tensor([0.5, 1.0, 1.5, 2.0])
    cbf = torch.full_like(att, 60.0)
    literal = delta_m(cbf, att, protocol, WangEquation4Kinetics())
    ratio = (literal / pcasl_delta_m(cbf, att, protocol)).flatten()
    assert (ratio.diff() > 0).all()


@pytest.mark.parametrize(
    ('labeling', 'cut_off', 'kind'),
    [
        (LabelingType.PCASL, None, ContinuousKinetics),
        (LabelingType.CASL, None, ContinuousKinetics),
        (LabelingType.PASL, None, PulsedBolusKinetics),
        (LabelingType.PASL, BolusCutOff.QUIPSSII, PulsedBolusKinetics),
        (LabelingType.PASL, BolusCutOff.Q2TIPS, PulsedBolusKinetics),
        (LabelingType.PASL, BolusCutOff.QUIPSS, QuipssKinetics),
        (LabelingType.VSASL, None, VelocitySelectiveKinetics),
    ],
)
def test_each_way_of_labelling_has_its_model(labeling, cut_off, kind):
    assert type(kinetics_of(labeling, cut_off)) is kind


def test_the_value_alone_is_that_of_the_whole_response(case):
    protocol = Protocol.of(case.acquisition)
    att = torch.linspace(-0.5, 5, 200, dtype=torch.float64).unsqueeze(-1)
    rate = case.kinetics.rate(torch.tensor(case.cbf, dtype=torch.float64), protocol)
    whole = case.kinetics.response(att, rate, protocol).value
    torch.testing.assert_close(case.kinetics.value(att, rate, protocol), whole)


def test_where_the_first_label_arrives_with_the_image_a_longer_bolus_is_seen():
    acquisition = Acquisition(LabelingType.PCASL, (0.0, 0.3), (1.5, 1.5), 0.85)
    protocol = Protocol.of(acquisition).measurements_first()
    kinetics = ContinuousKinetics()
    att = protocol.labeling_duration.flatten()[:1].clone()
    rate = kinetics.rate(torch.full_like(att, 60.0), protocol)
    longer = kinetics.alternatives(att, rate, protocol, 0.2).longer
    difference = Kinetics.alternatives(kinetics, att, rate, protocol, 0.2).longer
    torch.testing.assert_close(longer, difference, rtol=1e-3, atol=0)
    assert (longer > 0).all()
