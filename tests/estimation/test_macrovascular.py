"""Label in arteries: found where it is, and not claimed where it is not."""

import pytest
import torch

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.errors import UnsupportedError
from aslprep_nn.estimation.fan import Fan
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.macrovascular import ArterialFans, arterial_passages
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.maps import FitStatus
from aslprep_nn.settings import Macrovascular
from aslprep_nn.signal.arterial import arterial_delta_m
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.protocol import Protocol

VOLUME = 'arterial_blood_volume'


@pytest.fixture(scope='module')
def voxels(draw):
    return draw(1500, 20, 100, 1), draw(1500, 0.8, 1.9, 2), draw(1500, 0.3, 0.7, 3)


@pytest.fixture(scope='module')
def early(make):
    delays = [0.2 * i for i in range(1, 13)]
    return make(LabelingType.PCASL, delays, 1.5, repetitions=2)


def with_artery(measure, acquisition, voxels, volume, noise):
    cbf, att, arrival = voxels
    artery = arterial_delta_m(torch.full_like(cbf, volume), arrival, Protocol.of(acquisition))
    return measure(acquisition, cbf, att, noise) + artery


@pytest.mark.parametrize('noise', [3e-4, 1e-3, 3e-3])
def test_at_most_one_voxel_in_twenty_is_claimed_without_arterial_signal(
    early, measure, voxels, noise
):
    signal = measure(early, *voxels[:2], noise=noise)
    fit = fit_cbf_att(signal, early, macrovascular=Macrovascular.AUTO)
    assert (~fit.parameters[VOLUME].isnan()).double().mean() <= 0.05


@pytest.mark.parametrize('volume', [0.01, 0.02, 0.03])
def test_arterial_signal_is_found_and_cbf_freed_of_it(early, measure, voxels, volume):
    signal = with_artery(measure, early, voxels, volume, 1e-3)
    found = fit_cbf_att(signal, early, macrovascular=Macrovascular.AUTO)
    ignored = fit_cbf_att(signal, early)
    claimed = ~found.parameters[VOLUME].isnan()
    assert claimed.double().mean() > 0.9
    assert found.parameters[VOLUME][claimed].median().item() == pytest.approx(volume, rel=0.1)
    error, error_ignored = (
        (fit.parameters['cbf'].double() - voxels[0]).abs().median() for fit in (found, ignored)
    )
    assert error < error_ignored / 3


def test_the_volume_s_standard_deviation_matches_its_scatter(early, measure, voxels):
    fixed = tuple(torch.full_like(v, x) for v, x in zip(voxels, (60.0, 1.3, 0.5), strict=True))
    signal = with_artery(measure, early, fixed, 0.03, 5e-4)
    fit = fit_cbf_att(signal, early, macrovascular=Macrovascular.ON)
    scatter = fit.parameters[VOLUME][~fit.parameters[VOLUME].isnan()].std()
    assert fit.std[VOLUME].nanmedian().item() == pytest.approx(scatter.item(), rel=0.25)


def test_on_claims_it_wherever_it_fits_and_off_never(early, measure, voxels):
    signal = measure(early, *voxels[:2], noise=1e-3)
    on = fit_cbf_att(signal, early, macrovascular=Macrovascular.ON)
    off = fit_cbf_att(signal, early, macrovascular=Macrovascular.OFF)
    assert (~on.parameters[VOLUME].isnan()).double().mean() > 0.5
    assert VOLUME not in off.parameters


def test_missing_measurements_do_not_hide_the_artery(early, measure, voxels):
    signal = with_artery(measure, early, voxels, 0.03, 5e-4)
    signal[torch.arange(1500), torch.arange(1500) % 12] = torch.nan
    fit = fit_cbf_att(signal, early, macrovascular=Macrovascular.AUTO)
    assert (~fit.parameters[VOLUME].isnan()).double().mean() > 0.9
    assert (fit.status != FitStatus.FAILED).all()


def test_passages_cover_every_arrival_once(early):
    passages = arterial_passages(SignalModel.of([early]))
    for arrival in (0.3, 0.5, 0.75, 1.3, 1.71):
        value = torch.tensor(arrival, dtype=torch.float64)
        seen = arterial_delta_m(torch.ones_like(value), value, Protocol.of(early)) > 0
        matching = [p for p in passages if torch.equal(p.signal.squeeze(-1) > 0, seen)]
        assert len(matching) == 1
        assert matching[0].earliest < arrival


def test_label_passes_through_arteries_before_it_reaches_tissue(early, measure, voxels):
    repetitions = Repetitions.of([early])
    model = SignalModel.of(repetitions.acquisitions)
    fans = ArterialFans.of(
        model,
        repetitions.shared_weight(),
        lambda model: Fan.of(
            model,
            repetitions.shared_weight(),
            att_range=(0.0, 4.0),
            dtype=torch.float64,
        ),
    )
    late = voxels[0], voxels[1] - 0.4, voxels[2] + 1.0
    signal = with_artery(measure, early, late, 0.03, 1e-3)
    found = fans.fit(model, repetitions.summarize(signal))
    chosen = found.passage >= 0
    earliest = torch.tensor([p.earliest for p in fans.passages]).double()[found.passage[chosen]]
    assert (earliest <= found.optimum.att[chosen]).all()


def test_vsasl_has_no_arterial_term():
    velocity = Acquisition(LabelingType.VSASL, (0.5, 1.0, 1.5), (1.0,) * 3, 0.56)
    with pytest.raises(UnsupportedError, match='VSASL'):
        fit_cbf_att(torch.zeros(1, 3), velocity, macrovascular=Macrovascular.AUTO)
