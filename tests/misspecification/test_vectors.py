import pytest
import torch
from voxels import pcasl

from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.misspecification.vectors import RepetitionVectors, complete_sets


def repetitions(*delays: float) -> Repetitions:
    return Repetitions.of([pcasl(delays=delays, repetitions=1)])


def test_the_mth_measurements_of_all_timings_make_one_repetition():
    interleaved, blocked = repetitions(1, 2, 1, 2), repetitions(1, 1, 2, 2)
    assert complete_sets(interleaved).tolist() == [[0, 2], [1, 3]]
    assert complete_sets(blocked).tolist() == [[0, 1], [2, 3]]


def test_the_rarest_timing_says_how_many_repetitions_there_are():
    assert complete_sets(repetitions(1, 2, 2, 1, 2)).tolist() == [[0, 3], [1, 2]]


def test_a_repetition_with_a_missing_measurement_is_left_out_of_that_voxel_only():
    data = torch.arange(8.0).reshape(2, 4).double()
    data[1, 2] = torch.nan
    vectors = RepetitionVectors.of(data, repetitions(1, 2, 1, 2))
    assert vectors.count.tolist() == [2, 1]
    assert torch.isfinite(vectors.values).all()


def test_the_pooled_variance_is_that_of_the_noise_whatever_the_signal():
    generator = torch.Generator().manual_seed(1)
    data = 3 * torch.randn(4000, 12, generator=generator, dtype=torch.float64)
    data += torch.tensor([5.0, -7.0, 100.0]).repeat(4)
    variance = RepetitionVectors.of(data, repetitions(*[1, 2, 3] * 4)).variance
    assert variance.mean() == pytest.approx(9, rel=0.02)


def test_a_signal_is_taken_from_complete_repetitions_only():
    data = torch.arange(8.0).reshape(2, 4).double()
    data[1, 2] = torch.nan
    signal = torch.tensor([[1.0, 10.0], [2.0, 20.0]]).double()
    rest = RepetitionVectors.of(data, repetitions(1, 2, 1, 2)).less(signal)
    assert rest.values.movedim(-1, 0).tolist() == [[[-1, -1], [1, 1]], [[-6, -15], [0, 0]]]


def test_complete_data_have_the_summary_that_the_fit_uses():
    generator = torch.Generator().manual_seed(3)
    data = torch.randn(5, 12, generator=generator, dtype=torch.float64)
    plan = repetitions(*[1, 2, 3] * 4)
    vectors, expected = RepetitionVectors.of(data, plan), plan.summarize(data)
    assert vectors.hold(data)
    for name in ('mean', 'scatter', 'energy'):
        torch.testing.assert_close(getattr(vectors.summary, name), getattr(expected, name))
    assert int(vectors.summary.n_measurements) == 12


@pytest.mark.parametrize('delays', [(1, 2, 1, 2, 2), (1, 2, 1, 2)])
def test_repetitions_do_not_hold_what_is_left_over_or_missing(delays):
    data = torch.ones(2, len(delays)).double()
    data[0, 0] = torch.nan if len(delays) == 4 else 1
    assert not RepetitionVectors.of(data, repetitions(*delays)).hold(data)
