"""A volume as voxels and back."""

from dataclasses import replace

import pytest
import torch

from aslprep_nn.acquisition import LabelingType
from aslprep_nn.errors import UsageError
from aslprep_nn.estimation.series import PerfusionSeries

NOISE = torch.tensor(1.0)


@pytest.fixture(scope='module')
def twice(make):
    return (make(LabelingType.PCASL, (1.0, 2.0), 1.8, repetitions=2),)


def volume(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_voxels_return_to_their_places(twice):
    data = volume(4, 5, 3, 4)
    series = PerfusionSeries(data, volume(4, 5, 3, seed=1) > 0.5, NOISE, twice)
    back = series.image(series.voxels(data).mT, outside=torch.nan)
    expected = data.movedim(2, 0).movedim(-1, 0).clone()
    expected[:, ~series.inside] = torch.nan
    torch.testing.assert_close(back, expected, equal_nan=True)


def test_each_voxel_has_the_delay_and_t1_of_its_place(twice):
    t1 = 1 + volume(4, 5, 3)
    mask = volume(4, 5, 3, seed=1) > 0.5
    delay = torch.tensor([0.0, 0.04, 0.08])
    series = PerfusionSeries(
        volume(4, 5, 3, 4), mask, NOISE, twice, slice_delay=delay, t1_tissue=t1
    )
    measured = series.measurements()
    assert torch.equal(measured.t1_tissue, series.voxels(t1))
    expected = delay.expand(4, 5, 3)
    assert torch.equal(measured.slice_delay, series.voxels(expected))


def test_smoothing_pools_repetitions_and_says_what_noise_is_left(twice):
    data = torch.randn(20, 20, 400, 4, generator=torch.Generator().manual_seed(4)).double()
    series = PerfusionSeries(data, torch.ones(20, 20, 400).bool(), NOISE, twice)
    smoothed = series.smoothed(1.0)
    assert smoothed.relative_delta_m.shape == (160000, 2)
    assert smoothed.acquisitions[0].pld == (1.0, 2.0)
    standardised = smoothed.relative_delta_m * smoothed.weights.sqrt()
    assert standardised.std().item() == pytest.approx(1, abs=0.01)
    middle = series.image(smoothed.weights.mT)[0, 0, 10, 10].item()
    assert middle == pytest.approx(2 * 4 * torch.pi, rel=0.02)


def test_smoothing_stays_in_the_slice_unless_told(twice):
    data = torch.zeros(6, 6, 3, 4).double()
    data[:, :, 1] = 1
    series = PerfusionSeries(data, torch.ones(6, 6, 3).bool(), NOISE, twice)
    within = series.image(series.smoothed(1.0).relative_delta_m.mT)[0]
    assert within[0].abs().max() == 0
    across = series.image(series.smoothed(1.0, sigma_through=1.0).relative_delta_m.mT)[0]
    assert across[0].min() > 0.2


def test_a_missing_measurement_is_taken_from_its_neighbours(twice):
    data = torch.full((5, 5, 1, 4), 3.0).double()
    data[2, 2, 0, [0, 2]] = torch.nan
    series = PerfusionSeries(data, torch.ones(5, 5, 1).bool(), NOISE, twice)
    smoothed = series.smoothed(0.7)
    torch.testing.assert_close(smoothed.relative_delta_m, torch.full((25, 2), 3.0).double())
    alone = replace(series, mask=torch.zeros(5, 5, 1).bool())
    alone.mask[2, 2] = True
    assert alone.smoothed(0.7).weights.tolist() == [[0.0, 2.0]]


def test_a_mask_of_another_volume_is_refused(twice):
    with pytest.raises(UsageError, match='mask'):
        PerfusionSeries(volume(4, 5, 3, 4), torch.ones(4, 5, 2).bool(), NOISE, twice)
