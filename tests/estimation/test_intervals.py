"""The arrival intervals between kinks."""

import torch

from aslprep_nn.estimation.intervals import (
    interval_edges,
    is_flat,
    nearest_not_flat,
    tells_nothing,
    trim_ends,
)


def rows(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_edges_are_the_kinks_inside_the_range_and_its_ends():
    kinks = rows(-0.3, 0.0, 0.5, 0.5, 2.3, 4.8)
    assert interval_edges(kinks, (0.0, 4.0)).tolist() == [0.0, 0.5, 2.3, 4.0]


def test_parallel_signals_leave_att_without_effect():
    signals = rows([1.0, 2.0], [2.0, 4.0], [2.0, 4.1], [0.0, 0.0])
    assert is_flat(signals, rows(0.0, 0.5, 1.0, 1.5)).tolist() == [True, False, True]


def test_an_unchanged_signal_and_a_single_measurement_tell_nothing():
    signals = rows([1.0, 2.0], [1.0, 2.0], [1.1, 2.0], [0.0, 1.0], [0.0, 0.5])
    assert tells_nothing(signals).tolist() == [True, False, False, True]


def test_ends_that_tell_nothing_are_left_out_and_remembered():
    edges, open_ends = trim_ends(rows(0.0, 1.0, 2.0, 3.0), torch.tensor([True, False, False]))
    assert edges.tolist() == [1.0, 2.0, 3.0]
    assert open_ends == (True, False)
    nothing = trim_ends(rows(0.0, 1.0, 2.0), torch.tensor([True, True]))
    assert nothing[1] == (True, True)


def test_a_flat_interval_is_represented_by_the_next_that_is_not():
    flat = torch.tensor([True, False, True, False, True])
    assert nearest_not_flat(flat).tolist() == [1, 1, 3, 3, 3]
    assert nearest_not_flat(torch.tensor([True, True])).tolist() == [0, 1]
