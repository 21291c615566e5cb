"""What is learnt: truth, bound and signal of simulated series."""

from dataclasses import replace

import pytest
import torch

from aslprep_nn.estimation.information import smoothed_covariance
from aslprep_nn.network.losses import BoundWeightedError
from aslprep_nn.network.targets import reconstruction_error, target_of
from aslprep_nn.signal.model import SignalModel

ONE = torch.tensor(1.0)


def aim(brain, **more):
    return target_of(brain.series, brain.cbf, brain.att, ONE, **more)


@pytest.mark.parametrize('name', ['pcasl', 'pasl', 'pcasl_vsasl'])
def test_the_bound_is_the_smoothed_one_of_the_truth(make_brain, name):
    brain = make_brain(name)
    found, series = aim(brain), brain.series
    model, noise = SignalModel.of(series.acquisitions), series.voxel_noise.double()
    weight = torch.ones(1, 1, dtype=torch.float64)
    truth = series.voxels(brain.cbf), series.voxels(brain.att)
    expected = smoothed_covariance(model, *truth, weight, noise=noise)
    ours = found.bound[:, series.inside].double()
    torch.testing.assert_close(ours[0], expected.cbf, rtol=2e-3, atol=1e-6)
    torch.testing.assert_close(ours[1], expected.att, rtol=2e-3, atol=1e-6)
    assert (found.bound[:, ~series.inside] == 1).all()


def test_the_truth_is_amplitude_and_att(make_brain):
    brain = make_brain()
    found, series = aim(brain), brain.series
    att = series.voxels(brain.att).float()
    torch.testing.assert_close(found.truth[1][series.inside], att)
    ratio = found.truth[0][series.inside] / series.voxels(brain.cbf)
    assert 0.98 < ratio.min() < ratio.max() < 1.02


def test_a_narrower_prior_tightens_the_bound(make_brain):
    brain = make_brain(noise=3e-3)
    wide, narrow = aim(brain), aim(brain, prior_range=(30.0, 0.5))
    inside = brain.series.inside
    assert (narrow.bound[:, inside] < wide.bound[:, inside]).all()


def test_each_slice_has_the_bound_of_its_delay(make_brain):
    brain = make_brain()
    delayed = replace(brain.series, slice_delay=torch.tensor([0.0, 0.3, 0.6]))
    change = (target_of(delayed, brain.cbf, brain.att, ONE).bound / aim(brain).bound).log()
    inside = brain.series.inside
    assert change[:, 0][:, inside[0]].abs().max() < 1e-5
    assert change[:, 2][:, inside[2]].abs().median() > 0.05


def test_the_truth_itself_has_no_error(make_brain):
    found = aim(make_brain())
    assert BoundWeightedError()(found.truth.unsqueeze(0), found) == 0


def test_the_reconstruction_error_is_one_at_the_truth_and_more_elsewhere(make_brain):
    brain = make_brain(shape=(40, 40, 2))
    series, found = brain.series, aim(brain)
    truth = found.truth[:, series.inside]
    measured, noise = series.measurements(), series.voxel_noise
    at_truth = reconstruction_error(measured, noise, truth).mean().item()
    assert at_truth == pytest.approx(1, abs=0.05)
    for factor in ([1.5, 1.0], [1.0, 1.5]):
        wrong = truth * torch.tensor(factor)[:, None]
        assert reconstruction_error(measured, noise, wrong).mean() > 1.5


def test_the_reconstruction_error_leads_to_the_amplitude(make_brain):
    brain = make_brain(noise=1e-5)
    series, found = brain.series, aim(brain)
    truth = found.truth[:, series.inside]
    factor = torch.tensor([0.8, 1.0], requires_grad=True)
    error = reconstruction_error(series.measurements(), series.voxel_noise, factor[:, None] * truth)
    error.mean().backward()
    assert factor.grad[0] < 0


def test_the_reconstruction_error_keeps_voxels_in_their_places(make_brain):
    """Slices are worked on by their delay, not in the order of the voxels."""
    brain = make_brain()
    series = replace(brain.series, slice_delay=torch.tensor([0.3, 0.0, 0.3]))
    measured, found = series.measurements(), aim(brain)
    truth = found.truth[:, series.inside]
    whole = reconstruction_error(measured, series.voxel_noise, truth)
    last = replace(series, mask=series.mask & (torch.arange(3) == 1))
    apart = reconstruction_error(last.measurements(), last.voxel_noise, found.truth[:, last.inside])
    torch.testing.assert_close(series.image(whole)[last.inside], apart)
