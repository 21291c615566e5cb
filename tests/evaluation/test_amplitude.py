"""Whether a network sees the amplitude is found out."""

import pytest
import torch

from aslprep_nn.errors import UsageError
from aslprep_nn.evaluation import speed
from aslprep_nn.evaluation.ablations import ablation_tables, load_all
from aslprep_nn.evaluation.amplitude import FACTORS, amplitude_sensitivity
from aslprep_nn.evaluation.speed import speed_table
from aslprep_nn.evaluation.suite import QUICK
from aslprep_nn.network.model import AmplitudePath
from aslprep_nn.network.training_range import TrainingRange
from aslprep_nn.network.weights import ModelCard, save_weights


def card(name):
    return ModelCard(
        name, TrainingRange.of_simulation(), seed=0, commit='', loss='none', n_steps=0,
        wall_time=0.0, device='cpu',
    )  # fmt: skip


@pytest.fixture
def folder(a_network, tmp_path):
    for path in (AmplitudePath.FULL, AmplitudePath.NONE):
        save_weights(a_network(path, seed=0), card(str(path)), tmp_path)
    return tmp_path


def test_the_amplitude_path_follows_the_signal_exactly(brains, a_network):
    found = amplitude_sensitivity(a_network(seed=1), brains.at(slice(2)), 5.0, 1.0, 0)
    assert found.ratios == pytest.approx(FACTORS, rel=1e-4)
    assert found.slope == pytest.approx(1, abs=1e-3)
    assert found.att_change < 1e-4
    assert found.common_change < 1e-5


def test_a_plain_network_cannot_see_the_amplitude(brains, a_network):
    plain = a_network(AmplitudePath.NONE, seed=1)
    found = amplitude_sensitivity(plain, brains.at(slice(2)), 5.0, 1.0, 0)
    assert found.ratios == pytest.approx([1.0] * len(FACTORS), abs=1e-3)
    assert found.slope == pytest.approx(0, abs=1e-3)


def test_ablations_compare_every_network_of_a_folder(folder):
    told = []
    errors, amplitudes = ablation_tables(load_all(folder), QUICK, 0, told.append)
    assert told == ['full', 'none']
    assert [(row['network'], row['dial']) for row in errors.rows] == [
        ('full', '1'), ('full', '8'), ('none', '1'), ('none', '8'),
    ]  # fmt: skip
    by_name = {row['network']: row for row in amplitudes.rows}
    assert by_name['full']['× 10'] == '10'
    assert by_name['none']['× 10'] == '1'
    assert by_name['full']['slope'] == '1.000'


def test_a_folder_without_weights_is_named(tmp_path):
    with pytest.raises(UsageError, match='without weights'):
        load_all(tmp_path)


def test_speed_states_time_and_memory(a_network, monkeypatch):
    monkeypatch.setattr(speed, 'VOLUME', (3, 24, 24))
    monkeypatch.setattr(speed, 'N_RUNS', 1)
    threads = torch.get_num_threads()
    row = speed_table(a_network(), 0).rows[0]
    assert torch.get_num_threads() == threads
    assert row['device'] == '2 threads'
    assert float(row['time [s]']) > 0
    assert row['peak memory [MiB]'] >= row['before [MiB]'] > 50
    assert 0 < row['voxels'] <= 3 * 24 * 24
