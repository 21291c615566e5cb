"""Figure 6: errors over a plane of tissues."""

import pytest

from aslprep_nn.estimation.subspace.reproduction import cases, maps
from aslprep_nn.estimation.subspace.reproduction.maps import plane_maps, plane_table


def test_every_tissue_of_the_plane_is_measured_in_every_subspace(monkeypatch):
    monkeypatch.setattr(maps, 'N_REPEATED', 2)
    found = plane_maps(3, 6, seed=0)
    keys = [(n, weight) for n in (3, 4, 10) for weight in (0.0, 0.3)]
    assert list(found.r1_error) == list(found.r1_rms) == keys
    assert {tuple(part.shape) for part in found.r1_rms.values()} == {(3, 3)}
    assert len(plane_table(found).rows) == len(keys)
    assert (float(found.t1[0]), float(found.t1[-1])) == cases.TISSUES[0].t1


def test_without_noise_there_is_no_error(monkeypatch):
    monkeypatch.setattr(maps, 'SIGNAL_TO_NOISE', 1e9)
    monkeypatch.setattr(maps, 'N_REPEATED', 1)
    found = plane_maps(3, 6, seed=0)
    assert all(float(part.abs().max()) == pytest.approx(0) for part in found.r1_rms.values())
