"""The feasible signals as a fan of cones."""

import pytest
import torch

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.estimation.fan import Fan
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.signal.continuous import ContinuousKinetics, OutflowKinetics
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.response import LabelDecay

FIXED_RATE = [ContinuousKinetics(LabelDecay.BLOOD)]


def build(acquisition, kinetics=None, att_range=(0.0, 4.0)):
    repetitions = Repetitions.of([acquisition])
    model = SignalModel.of(repetitions.acquisitions, kinetics)
    fan = Fan.of(
        model,
        repetitions.shared_weight(),
        att_range=att_range,
        dtype=torch.float64,
    )
    return repetitions, model, fan


def test_at_a_fixed_rate_one_projection_recovers_cbf_and_att(pcasl_6, draw):
    repetitions, model, fan = build(pcasl_6, FIXED_RATE)
    cbf, att = draw(500, 10, 900, 1), draw(500, 0.51, 3.9, 2)
    data = repetitions.summarize(model.linearize(cbf, att).delta_m.mT)
    projection = fan.project(data)
    best, cone = projection.energy.max(0)
    torch.testing.assert_close(best, data.energy, rtol=1e-10, atol=0)
    start = fan.start(projection, cone)
    torch.testing.assert_close(start.att, att, rtol=0, atol=0.02)
    torch.testing.assert_close(start.cbf, cbf, rtol=0.01, atol=0)


def test_no_point_of_the_fan_explains_more_than_the_best_cone(pcasl_6, draw):
    """Against a fine grid of ATT with CBF solved for: the cones are the exact optimum."""
    repetitions, model, fan = build(pcasl_6, FIXED_RATE)
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn(300, 6, generator=generator, dtype=torch.float64)
    data = repetitions.summarize(noise)
    energy = fan.project(data).energy.max(0).values
    att = torch.linspace(0.5, 4.0, 7001, dtype=torch.float64)
    signal = model.linearize(torch.ones_like(att), att).delta_m
    on_grid = (noise @ signal).clamp(min=0).square() / signal.square().sum(0)
    best_on_grid = on_grid.max(1).values
    assert (energy >= best_on_grid - 1e-12).all()
    torch.testing.assert_close(energy, best_on_grid, rtol=2e-4, atol=1e-9)


def test_voxelwise_weights_give_the_same_projection_where_they_are_equal(pcasl_6, measure, draw):
    repetitions, _, fan = build(pcasl_6)
    signal = measure(pcasl_6, draw(50, 20, 100, 1), draw(50, 0.6, 2.5, 2), noise=1e-3)
    shared = fan.project(repetitions.summarize(signal))
    own = fan.project(repetitions.summarize(signal, torch.ones(50, 6)))
    torch.testing.assert_close(shared.energy, own.energy)


def test_below_the_first_delay_att_only_scales_the_signal(pcasl_6):
    _, _, fan = build(pcasl_6)
    assert fan.edges[:2].tolist() == [0.0, 0.5]
    assert fan.flat.tolist() == [True] + [False] * (len(fan.flat) - 1)


def test_intervals_in_which_only_one_measurement_has_signal_are_left_out():
    single_tail = Acquisition(LabelingType.PCASL, (0.5, 1.0), (1.0, 1.0), 0.85)
    _, _, fan = build(single_tail)
    assert fan.edges[-1].item() == pytest.approx(1.5)
    assert fan.open_ends == (False, True)


def test_cones_of_continuous_labelling_need_no_halving(pcasl_6):
    _, _, fan = build(pcasl_6)
    assert len(fan.interval) == len(fan.edges)


def test_intervals_are_halved_where_the_model_leaves_their_plane(pcasl_6):
    plain = build(pcasl_6)[2]
    bent = build(pcasl_6, [OutflowKinetics(residence_time=0.8, outflow_rate=1.0)])[2]
    assert len(bent.edges) > bent.is_kink.sum() > len(plain.edges)
    assert bool(plain.is_kink.all())


def test_kinks_closer_than_a_millisecond_are_one():
    close = Acquisition(LabelingType.PCASL, (0.5, 0.5004, 1.0), (1.5,) * 3, 0.85)
    _, _, fan = build(close)
    assert fan.edges.diff().min() > 1e-3


def test_the_neighbor_lies_beyond_the_kink_that_att_is_near(pcasl_6):
    _, _, fan = build(pcasl_6)
    interval = torch.tensor([1, 1, 1, 2])
    att = torch.tensor([0.52, 0.75, 0.98, 1.04], dtype=torch.float64)
    assert fan.beside(interval, att, 0.1).tolist() == [1, 1, 2, 1]


def test_a_ruled_out_interval_explains_nothing(pcasl_6):
    _, _, fan = build(pcasl_6)
    energy = torch.ones(len(fan.interval), 2, dtype=torch.float64)
    fan.rule_out(energy, torch.tensor([2, 3]))
    assert (energy < 0).nonzero().tolist() == [[2, 0], [3, 1]]


def test_the_ray_of_a_flat_interval_counts_for_its_neighbor(pcasl_6):
    _, _, fan = build(pcasl_6)
    assert fan.interval[:3].tolist() == [1, 1, 2]
    at_edge = torch.tensor([0.5, 0.6], dtype=torch.float64)
    assert fan.flat_beside(torch.tensor([1, 1]), at_edge, 0.1).tolist() == [0, 1]


def test_a_start_is_corrected_for_the_decay_rate_of_its_own_flow(pcasl_21, draw):
    repetitions, model, fan = build(pcasl_21)
    cbf, att = torch.full((300,), 120.0).double(), draw(300, 0.2, 2.8, 2)
    data = repetitions.summarize(model.linearize(cbf, att).delta_m.mT)
    projection = fan.project(data)
    start = fan.start(projection, projection.energy.argmax(0))
    assert (start.att - att).abs().quantile(0.9) < 2e-3
    assert (start.cbf / cbf - 1).abs().quantile(0.9) < 2e-3
