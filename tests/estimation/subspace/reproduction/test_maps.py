"""Figure 6: errors over a plane of tissues."""

import pytest

from aslprep_nn.estimation.subspace.reproduction import cases, maps
from aslprep_nn.estimation.subspace.reproduction.maps import plane_findings, plane_maps, plane_table


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
    for maps_ in (found.r1_rms, found.t2_rms):
        assert all(float(part.abs().max()) == pytest.approx(0) for part in maps_.values())


def test_errors_of_t1_fall_with_the_bounds_in_the_weight_on_average_over_tissues():
    found = plane_maps(6, 40, seed=0)
    of_r1, of_t2 = plane_findings(found)
    assert str(of_r1.verdict) == 'yes'
    assert 0.5 < of_r1.ours < 1
    assert of_t2.ours == pytest.approx(
        float(found.t2_rms[3, 0.3].mean() / found.t2_rms[3, 0.0].mean())
    )
