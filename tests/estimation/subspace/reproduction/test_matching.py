"""Dictionary matching."""

import pytest
import torch

from aslprep_nn.estimation.subspace.basis import Dictionary
from aslprep_nn.estimation.subspace.reproduction import matching
from aslprep_nn.estimation.subspace.reproduction.cases import lobe
from aslprep_nn.estimation.subspace.reproduction.matching import MatchingGrid
from aslprep_nn.estimation.subspace.reproduction.phase_graph import PulseTrain


@pytest.fixture(scope='module')
def train():
    return PulseTrain(lobe(120), n_orders=16)


@pytest.fixture(scope='module')
def grid(train):
    axes = torch.arange(0.6, 1.0, 0.02).double(), torch.arange(0.02, 0.05, 0.002).double()
    return MatchingGrid.of(train, *axes)


@pytest.fixture(scope='module')
def subspace(train, grid):
    some = train.fingerprints(grid.t1, grid.t2)
    return Dictionary.of([some]).subspace(0.3).truncated(4)


def test_every_entry_matches_itself_whatever_m0(grid, subspace, monkeypatch):
    monkeypatch.setattr(matching, 'MOST_PRODUCTS', 1000)
    found = grid.match(2.5 * subspace.compress(grid.signals), subspace)
    assert torch.equal(found['t1'], grid.t1)
    assert torch.equal(found['t2'], grid.t2)


def test_a_tissue_between_entries_matches_a_neighbour(train, grid, subspace):
    t1, t2 = torch.tensor([0.811]).double(), torch.tensor([0.0305]).double()
    found = grid.match(subspace.compress(train.signal(t1, t2)), subspace)
    assert abs(found['t1'] - t1) <= 0.02
    assert abs(found['t2'] - t2) <= 0.002


def test_a_phase_of_m0_changes_no_match(train, grid):
    some = train.fingerprints(grid.t1, grid.t2)
    turned = type(some)(1j * some.signal, 1j * some.jacobian, some.parameters, some.interest)
    subspace = Dictionary.of([turned]).subspace(0.3).truncated(4)
    phase = torch.exp(torch.tensor(0.7j, dtype=torch.complex128))
    found = grid.match(phase * subspace.compress(grid.signals), subspace)
    assert torch.equal(found['t1'], grid.t1)
