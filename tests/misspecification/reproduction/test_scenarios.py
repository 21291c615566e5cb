"""What is simulated."""

import pytest
import torch

from aslprep_nn.misspecification.reproduction.scenarios import (
    BRAIN,
    FLOW_CHANGE,
    KIDNEY,
    ORGANS,
    Scenario,
    Truth,
    generator_of,
    measure,
    repeat,
    signal_of,
)

WRONG_MEAN = (Scenario.T1, Scenario.OUTFLOW, Scenario.DURATION, Scenario.ARTERIAL, Scenario.LATE)


def signals(scenario: Scenario, organ=BRAIN) -> torch.Tensor:
    truth = Truth.draw(organ.population, 50, generator_of(0, 1))
    return signal_of(scenario, truth, organ.protocol, 4, generator_of(0, 2))


@pytest.mark.parametrize('organ', ORGANS, ids=lambda organ: organ.name)
def test_the_protocol_is_the_paper_s(organ):
    assert organ.protocol.n_measurements == 21
    assert organ.protocol.pld[-1] == pytest.approx(3.0)
    assert set(organ.protocol.labeling_duration) == {1.5}
    assert (BRAIN.n_repetitions, KIDNEY.n_repetitions) == (10, 8)


@pytest.mark.parametrize('scenario', WRONG_MEAN)
def test_a_wrong_mean_is_the_same_in_every_repetition(scenario):
    wrong, right = signals(scenario), signals(Scenario.CORRECT)
    assert torch.equal(wrong[:, 0], wrong[:, 3])
    assert not torch.allclose(wrong, right, rtol=1e-3)


def test_only_the_first_repetition_is_displaced():
    moved, still = signals(Scenario.MOVED), signals(Scenario.CORRECT)
    assert torch.equal(moved[:, 1:], still[:, 1:])
    assert not torch.allclose(moved[:, 0], still[:, 0])


def test_flow_changes_by_the_share_it_says():
    change = signals(Scenario.FLOW) / signals(Scenario.CORRECT)
    seen = change[torch.isfinite(change)]
    assert float(seen.std()) == pytest.approx(FLOW_CHANGE, rel=0.2)
    assert float(seen.mean()) == pytest.approx(1, abs=0.05)


def test_measurements_are_the_signal_and_noise_of_the_organ():
    truth = Truth.draw(KIDNEY.population, 200, generator_of(0, 1))
    data = measure(Scenario.CORRECT, truth, KIDNEY, 8, generator_of(0, 2))
    signal = signal_of(Scenario.CORRECT, truth, KIDNEY.protocol, 8, generator_of(0, 2))
    assert data.shape == (200, repeat(KIDNEY.protocol, 8).n_measurements)
    assert float((data - signal.flatten(1)).std()) == pytest.approx(0.006, rel=0.02)


def test_parts_of_a_run_are_seeded_apart():
    draws = [torch.rand(1, generator=generator_of(*place)).item() for place in
             ((0, 1), (0, 2), (1, 1), (0, 1, 1))]  # fmt: skip
    assert len(set(draws)) == 4
    assert draws[0] == torch.rand(1, generator=generator_of(0, 1)).item()
