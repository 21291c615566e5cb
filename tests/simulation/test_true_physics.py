from dataclasses import replace

import pytest
import torch

from aslprep_nn.acquisition import Acquisition, BolusCutOff, LabelingType
from aslprep_nn.signal.arterial import arterial_delta_m
from aslprep_nn.signal.dispersion import DispersedKinetics
from aslprep_nn.signal.kinetics import delta_m
from aslprep_nn.signal.protocol import Protocol
from aslprep_nn.simulation.dice import Dice
from aslprep_nn.simulation.perfusion import draw_perfusion
from aslprep_nn.simulation.planes import draw_stacks
from aslprep_nn.simulation.true_physics import TruePhysics, draw_physics, perfusion_signal

PLD = (0.3, 1.1, 1.9)
ACQUISITIONS = {
    labeling: Acquisition(
        labeling=labeling,
        pld=PLD,
        labeling_duration=(0.8, 1.4, 1.8) if labeling.is_continuous else (0.8,) * 3,
        labeling_efficiency=0.8,
        bolus_cut_off=BolusCutOff.Q2TIPS if labeling is LabelingType.PASL else None,
    )
    for labeling in LabelingType
}
SLICE_DELAY = torch.tensor([[0.1, 0.15, 0.2], [0.6, 0.65, 0.7]])


@pytest.fixture(scope='module')
def maps():
    dice = Dice(torch.Generator().manual_seed(0))
    drawn = draw_perfusion(draw_stacks(2, (3, 24, 24), dice), dice)
    volume = 0.01 * dice.unit(*drawn.cbf.shape)
    return replace(drawn, arterial_blood_volume=volume, att=drawn.att.clamp(min=0.4))


def assumed(maps):
    return TruePhysics.as_assumed(len(maps.cbf), torch.device('cpu'))


def alone(maps, acquisition, physics, voxel):
    """Predict one voxel with the plain models in double precision."""
    phantom, z, *_ = voxel
    true = replace(
        acquisition,
        pld=tuple(pld + SLICE_DELAY[phantom, z].item() for pld in acquisition.pld),
        t1_tissue=acquisition.t1_tissue * physics.t1_tissue[phantom].item(),
        t1_blood=acquisition.t1_blood * physics.t1_blood[phantom].item(),
        labeling_efficiency=acquisition.labeling_efficiency
        * physics.labeling_efficiency[phantom].item(),
    )
    protocol = Protocol.of(true)
    cbf, att, volume, arrival = (
        getattr(maps, name)[voxel].double()
        for name in ('cbf', 'att', 'arterial_blood_volume', 'arterial_arrival')
    )
    dispersed = physics.dispersion is not None and acquisition.labeling.is_continuous
    signal = (
        delta_m(cbf, att - physics.mean_dispersion, protocol, physics.dispersion)
        if dispersed
        else delta_m(cbf, att, protocol)
    )
    if acquisition.labeling is not LabelingType.VSASL:
        signal = signal + arterial_delta_m(volume, arrival, protocol)
    return signal / physics.m0.expand(maps.cbf.shape)[voxel].double()


@pytest.mark.parametrize('known', [True, False], ids=['as assumed', 'randomised'])
@pytest.mark.parametrize('labeling', LabelingType)
def test_the_signal_is_the_models_in_every_voxel(labeling, known, maps):
    acquisition = ACQUISITIONS[labeling]
    dice = Dice(torch.Generator().manual_seed(1))
    physics = assumed(maps)
    if not known:
        physics = replace(draw_physics(maps.where, dice), dispersion=DispersedKinetics())
    signal = perfusion_signal(maps, (acquisition,), SLICE_DELAY, physics)
    voxels = maps.mask.nonzero()
    assert signal.shape == (len(voxels), 3)
    for i in range(0, len(voxels), 37):
        expected = alone(maps, acquisition, physics, tuple(voxels[i].tolist()))
        torch.testing.assert_close(signal[i].double(), expected, rtol=2e-4, atol=2e-8)


def test_two_protocols_follow_one_another(maps):
    both = tuple(ACQUISITIONS[kind] for kind in (LabelingType.PCASL, LabelingType.VSASL))
    together = perfusion_signal(maps, both, SLICE_DELAY, assumed(maps))
    apart = [perfusion_signal(maps, (one,), SLICE_DELAY, assumed(maps)) for one in both]
    torch.testing.assert_close(together, torch.cat(apart, -1))


def test_constants_are_randomised_around_what_is_assumed(maps):
    dice = Dice(torch.Generator().manual_seed(2))
    where = maps.where[:1, :1, ::6, ::6].expand(500, -1, -1, -1, -1)
    physics = draw_physics(where, dice)
    for factor, low, high in (
        (physics.t1_tissue, 0.88, 1.12),
        (physics.t1_blood, 0.9, 1.1),
        (physics.labeling_efficiency, 0.85, 1.1),
    ):
        assert low <= factor.min() < low + 0.02
        assert high - 0.02 < factor.max() <= high
    assert physics.m0.mean() == pytest.approx(1, abs=0.01)
    assert physics.m0.std() == pytest.approx(0.042, abs=0.01)
    drawn = [draw_physics(where[:1], dice).dispersion is not None for _ in range(300)]
    assert sum(drawn) / 300 == pytest.approx(0.3, abs=0.08)


def test_a_dispersed_bolus_arrives_on_average_at_the_true_att(maps):
    """The slower the sampling the less dispersion matters: late, only its mean is left."""
    kernel = DispersedKinetics(sharpness=20.0, time_to_peak=0.05)
    dispersed = replace(assumed(maps), dispersion=kernel)
    late = replace(ACQUISITIONS[LabelingType.PCASL], pld=(2.9, 3.0, 3.1))
    sharp, spread = (
        perfusion_signal(replace(maps, att=maps.att.clamp(max=1.5)), (late,), SLICE_DELAY, physics)
        for physics in (assumed(maps), dispersed)
    )
    torch.testing.assert_close(sharp, spread, rtol=0.01, atol=1e-7)
    assert dispersed.mean_dispersion == pytest.approx(0.1)


def test_no_label_is_more_than_complete(maps):
    perfect = replace(ACQUISITIONS[LabelingType.PASL], labeling_efficiency=1.0)
    better = replace(assumed(maps), labeling_efficiency=torch.full((2, 1, 1, 1), 1.1))
    torch.testing.assert_close(
        perfusion_signal(maps, (perfect,), SLICE_DELAY, better),
        perfusion_signal(maps, (perfect,), SLICE_DELAY, assumed(maps)),
    )
