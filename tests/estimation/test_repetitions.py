"""Repetitions as sufficient statistics."""

import pytest
import torch

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.signal.model import Direction

# Delays .5 and 1.0 at two labelling durations: three timings, unequally often.
UNEQUAL = Acquisition(
    LabelingType.PCASL, (0.5, 1.0, 0.5, 0.5, 1.0), (1.8, 1.8, 1.8, 1.4, 1.8), 0.85
)
DATA = torch.tensor([[1.0, 4.0, 3.0, 7.0, 6.0], [0.0, 1.0, 2.0, 3.0, 5.0]], dtype=torch.float64)


def test_measurements_of_the_same_delay_and_duration_are_repetitions():
    repetitions = Repetitions.of([UNEQUAL])
    assert repetitions.timing.tolist() == [0, 1, 0, 2, 1]
    assert repetitions.acquisitions[0].pld == (0.5, 1.0, 0.5)
    assert repetitions.acquisitions[0].labeling_duration == (1.8, 1.8, 1.4)


def test_the_same_timing_in_two_acquisitions_is_not_a_repetition():
    assert Repetitions.of([UNEQUAL, UNEQUAL]).n_timings == 6


def test_a_summary_holds_means_weights_and_scatter():
    summary = Repetitions.of([UNEQUAL]).summarize(DATA)
    assert summary.mean.mT.tolist() == [[2.0, 5.0, 7.0], [1.0, 3.0, 3.0]]
    assert summary.weight.flatten().tolist() == [2.0, 2.0, 1.0]
    assert summary.scatter.tolist() == [4.0, 10.0]
    assert (summary.n_measurements.item(), summary.n_timings.item()) == (5, 3)
    assert summary.energy.tolist() == [2 * 4 + 2 * 25 + 49, 2 * 1 + 2 * 9 + 9]


def test_missing_measurements_count_for_nothing():
    data = DATA.clone()
    data[0, [0, 3]] = torch.nan
    data[1, 4] = torch.inf
    summary = Repetitions.of([UNEQUAL]).summarize(data)
    assert summary.mean.mT.tolist() == [[3.0, 5.0, 0.0], [1.0, 1.0, 3.0]]
    assert summary.weight.mT.tolist() == [[1.0, 2.0, 0.0], [2.0, 1.0, 1.0]]
    assert summary.n_measurements.tolist() == [3, 4]
    assert summary.n_timings.tolist() == [2, 3]
    assert torch.isfinite(summary.scatter).all()


def test_weights_weigh_the_means_and_the_scatter():
    weights = torch.tensor([3.0, 1.0, 1.0, 2.0, 0.0])
    summary = Repetitions.of([UNEQUAL]).summarize(DATA, weights)
    assert summary.mean[:, 0].tolist() == [1.5, 4.0, 7.0]
    assert summary.weight.flatten().tolist() == [4.0, 1.0, 2.0]
    assert summary.scatter[0].item() == pytest.approx(3 * 0.25 + 2.25)
    assert summary.n_measurements.item() == 4


def test_a_missing_measurement_of_weight_zero_does_not_spoil_the_rest():
    once = Acquisition(LabelingType.PCASL, (0.5, 1.0), (1.8, 1.8), 0.85)
    data = torch.tensor([[torch.nan, 1.0]])
    summary = Repetitions.of([once]).summarize(data, torch.tensor([0.0, 1.0]))
    assert summary.mean.flatten().tolist() == [0.0, 1.0]


def test_voxels_of_a_summary_can_be_kept():
    data = DATA.clone()
    data[0, 0] = torch.nan
    second = Repetitions.of([UNEQUAL]).summarize(data).at(torch.tensor([1]))
    assert second.mean.flatten().tolist() == [1.0, 3.0, 3.0]
    assert second.n_measurements.tolist() == [5]


def test_a_direction_can_be_projected_out_of_the_means():
    summary = Repetitions.of([UNEQUAL]).summarize(DATA)
    direction = Direction(torch.ones(3, 1, dtype=torch.float64), summary.weight)
    without = summary.without(direction)
    torch.testing.assert_close((summary.weight * without.mean).sum(0), torch.zeros(2).double())
    assert without.n_timings.item() == 2
    assert (without.energy < summary.energy).all()


def test_rounding_is_relative_to_the_data_and_not_to_the_residual():
    summary = Repetitions.of([UNEQUAL]).summarize(DATA.float())
    assert (summary.with_rounding(torch.zeros(2)) > 0).all()
    large = torch.full((2,), 50.0)
    assert (summary.with_rounding(large) < 1.0001 * large).all()


def test_shared_weights_are_summed_over_repetitions():
    repetitions = Repetitions.of([UNEQUAL])
    assert repetitions.shared_weight().tolist() == [2.0, 2.0, 1.0]
    shared = repetitions.shared_weight(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert shared.tolist() == [4.0, 7.0, 4.0]
