"""What is compressed."""

import math

import pytest
import torch

from aslprep_nn.estimation.subspace.reproduction.cases import (
    CASES,
    LOOK_LOCKER,
    LOOK_LOCKER_T1_CASE,
    MRF_CASE,
    TISSUES,
    effective_t1,
    fingerprinted,
    lobe,
    perfused,
)


@pytest.mark.parametrize('case', [case for case in CASES if case is not MRF_CASE])
def test_a_case_is_as_long_as_it_says_and_draws_the_same_again(case):
    first, again = (list(case.make(20, 3)) for _ in range(2))
    assert first[0].signal.shape == (20, case.n_times)
    assert torch.equal(first[0].jacobian, again[0].jacobian)
    assert case.n_components[0] == len(first[0].parameters)


def test_tissues_come_in_chunks_and_none_is_drawn_twice():
    make = perfused(LOOK_LOCKER, t1_unknown=False, chunk=8)
    chunks = list(make(20, 0))
    assert [chunk.n_fingerprints for chunk in chunks] == [8, 8, 4]
    assert not torch.equal(chunks[0].signal, chunks[1].signal)


def test_readouts_shorten_t1_by_the_label_they_take():
    lost_per_second = math.log(math.cos(math.radians(10))) / 0.05
    assert 1 / effective_t1(1.2) == pytest.approx(1 / 1.2 - lost_per_second)
    assert LOOK_LOCKER.t1_tissue == effective_t1(1.2)
    assert 't1_tissue' in next(LOOK_LOCKER_T1_CASE.make(2, 0)).parameters


def test_flip_angles_rise_and_fall_once():
    angles = torch.rad2deg(lobe(11, low=5, peak=45))
    assert float(angles.max()) == pytest.approx(45)
    assert int(angles.argmax()) == 5
    torch.testing.assert_close(angles, angles.flip(0))


def test_fingerprinted_tissues_have_the_shares_of_the_papers_grid():
    sizes = [some.n_fingerprints for some in fingerprinted(20, 0)]
    assert sizes == [18, 1, 1]
    assert sum(tissue.share for tissue in TISSUES) == pytest.approx(1)
