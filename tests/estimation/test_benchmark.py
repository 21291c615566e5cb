"""The benchmark measures what it says, on small numbers of voxels."""

import pytest
import torch

from aslprep_nn.estimation.benchmark import accuracy, speed
from aslprep_nn.estimation.benchmark.early_arrival import early_arrival
from aslprep_nn.estimation.benchmark.scenarios import BRAIN, KIDNEY, PCASL_6, draw
from aslprep_nn.estimation.benchmark.scipy_fit import fit_with_scipy
from aslprep_nn.estimation.benchmark.suite import benchmark_tables
from aslprep_nn.estimation.least_squares import fit_cbf_att


def test_recovery_finds_the_truth_in_every_protocol_or_flags_it():
    table = accuracy.recovery(5)
    assert len(table.rows) == 8
    assert all(row['wrong and unflagged'] == 0 for row in table.rows)
    assert table.rows[0]['right'] == 27


def test_the_optimum_table_judges_a_fitter_by_the_least_cost(monkeypatch):
    honest = accuracy._Case(PCASL_6, 'brain', BRAIN, 1.0).rows(100, 30)
    assert [row['fitter'] for row in honest] == ['cones', 'scipy']
    assert honest[0]['within 1e-6 [%]'] == 100
    assert honest[1]['within 1e-6 [%]'] < 100

    def off(*arguments, **options):
        fit = fit_cbf_att(*arguments, **options)
        fit.parameters['cbf'][:10] *= 1.2
        return fit

    monkeypatch.setattr(accuracy, 'fit_cbf_att', off)
    assert accuracy._Case(PCASL_6, 'brain', BRAIN, 1.0).rows(100, 5)[0]['within 1e-6 [%]'] == 90


def test_scatter_is_near_the_bound():
    row = accuracy._scatter(PCASL_6, (60.0, 1.25), 2e-4, 4000)
    assert row['CBF var/CRB'] == pytest.approx(1, abs=0.1)
    assert row['ATT core/CRB'] == pytest.approx(1, abs=0.1)
    assert row['to a kink [sd]'] > 3
    assert abs(row['CBF bias/sd']) < 0.1


def test_arterial_claims_are_counted_where_there_is_something_to_see():
    absent = accuracy._claim(PCASL_6, 1e-3, 0.0, 500)
    present = accuracy._claim(PCASL_6, 3e-4, 0.03, 500)
    assert absent['visible [%]'] == 0
    assert absent['chosen where visible [%]'] == '-'
    assert absent['chosen [%]'] <= 6
    assert present['chosen where visible [%]'] > 95


def test_scipy_recovers_what_it_is_given():
    cbf, att, signal = draw(PCASL_6, BRAIN, 20, signal_to_noise=1e6)
    found = torch.from_numpy(fit_with_scipy(signal.numpy(), PCASL_6))
    close = torch.isclose(found, torch.stack([cbf, att], -1), rtol=1e-3)
    assert close.all(-1).double().mean() > 0.9


def test_the_fit_is_timed_against_scipy_on_the_same_voxels(monkeypatch):
    monkeypatch.setattr(speed, 'REPEATS', 1)
    monkeypatch.setattr(speed, 'N_SCIPY', 20)
    threads = torch.get_num_threads()
    table = speed.against_scipy(2000)
    assert torch.get_num_threads() == threads
    for row in table.rows:
        assert row['ratio'] == pytest.approx(
            row['scipy [us/voxel]'] / row['fit [us/voxel]'], rel=0.05
        )


def test_scaling_varies_one_thing_at_a_time(monkeypatch):
    monkeypatch.setattr(speed, 'REPEATS', 1)
    rows = speed.scaling(1000).rows
    assert {row['varied'] for row in rows} == {'voxels', 'delays', 'repetitions'}
    assert [row['PLDs'] for row in rows if row['varied'] == 'delays'] == [3, 6, 10, 20, 40]
    assert all(row['us/voxel'] > 0 for row in rows)


def test_a_population_has_its_own_t1():
    _, _, brain = draw(PCASL_6, BRAIN, 1000, signal_to_noise=1e9)
    assert brain.amax() < draw(PCASL_6, KIDNEY, 1000, signal_to_noise=1e9)[2].amax()
    assert KIDNEY.t1_tissue == 1.4


def test_every_table_can_be_asked_for_by_name():
    names = ['recovery', 'optimum', 'models', 'scatter', 'macrovascular', 'speed', 'scaling']
    assert list(benchmark_tables(quick=True))[:7] == names


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_an_accelerator_is_compared_with_its_bandwidth():
    for row in speed.on_accelerator(10**6).rows:
        assert 0 < row['voxels/s'] < row['bandwidth floor [voxels/s]']


def test_early_arrivals_are_counted_on_both_sides_of_the_first_delay():
    rows = early_arrival(400).rows
    assert [row['first delay [s]'] for row in rows] == [0.7] * 3 + [1.05] * 3
    assert all(row['early, not flagged [%]'] < 10 for row in rows)
    assert all(row['CBF covered'] > 0.85 for row in rows)
