from dataclasses import fields, replace

import pytest
import torch

from aslprep_nn.simulation.kinds import LesionKind, Split, Structure
from aslprep_nn.simulation.training import (
    TrainingBatch,
    TrainingSettings,
    draw_batch,
    training_batches,
)
from aslprep_nn.simulation.true_physics import TruePhysics

SETTINGS = TrainingSettings(6, (3, 32, 32))


def generator(seed=0, device='cpu'):
    return torch.Generator(device).manual_seed(seed)


@pytest.fixture(scope='module')
def batches():
    stream = training_batches(SETTINGS, generator())
    return [next(stream) for _ in range(12)]


def assert_equal(one, other):
    for field in fields(TrainingBatch):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, torch.Tensor):
            torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert one.acquisitions == other.acquisitions


def test_a_seed_gives_the_same_batches_and_another_seed_others(batches):
    stream = training_batches(SETTINGS, generator())
    for batch in batches[:3]:
        assert_equal(batch, next(stream))
    assert not torch.equal(draw_batch(SETTINGS, generator(1)).cbf, batches[0].cbf)


def test_shapes_fit_together(batches):
    for batch in batches:
        n_timings = sum(a.n_measurements for a in batch.acquisitions)
        assert batch.relative_delta_m.shape == (2, 6, 3, 32, 32, n_timings)
        assert batch.repetitions.shape == (n_timings,)
        assert batch.noise.shape == (2, 6)
        assert batch.slice_delay.shape == (6, 3)
        for name in ('mask', 'cbf', 'att', 'arterial_blood_volume', 'lesion'):
            assert getattr(batch, name).shape == (6, 3, 32, 32)


def test_everything_is_a_number_and_nothing_is_measured_outside_the_mask(batches):
    for batch in batches:
        for field in fields(TrainingBatch):
            value = getattr(batch, field.name)
            if isinstance(value, torch.Tensor):
                assert torch.isfinite(value).all(), field.name
        assert batch.mask.flatten(1).any(1).all()
        assert not batch.relative_delta_m[:, ~batch.mask].any()
        assert (batch.noise > 0).all()


def test_the_two_draws_share_the_signal_but_not_the_noise(batches):
    found = 0
    for batch in batches:
        for i in (batch.disturbances.snr > 20).nonzero().flatten().tolist():
            one, other = batch.relative_delta_m[:, i][:, batch.mask[i]]
            assert 0 < (one - other).norm() < 0.5 * (one + other).norm()
            found += 1
    assert found > 5


def test_the_thermal_noise_is_that_of_the_snr(batches):
    for batch in batches:
        calm = (batch.disturbances.fluctuation == 0) & (batch.disturbances.displacement == 0)
        for i in calm.nonzero().flatten().tolist():
            inside = batch.relative_delta_m[:, i][:, batch.mask[i]]
            spread = ((inside[0] - inside[1]) * batch.repetitions.sqrt()).std() / 2**0.5
            bright = batch.disturbances.static[i].min() > 3 * batch.thermal_noise[i]
            if bright:
                assert spread == pytest.approx(batch.thermal_noise[i].item(), rel=0.1)
                repeated = batch.repetitions.max() > 1
                limit = 0.1 if repeated else 0.5
                assert batch.noise[0, i] == pytest.approx(spread.item(), rel=limit)


def test_the_analysis_knows_the_constants_in_half_of_the_batches():
    settings = replace(SETTINGS, n_phantoms=1, shape=(1, 8, 8))
    stream = training_batches(settings, generator(2))
    known = [bool((next(stream).physics.t1_blood == 1).all()) for _ in range(100)]
    assert sum(known) / 100 == pytest.approx(0.5, abs=0.15)
    always = replace(settings, known_physics=1.0)
    batch = draw_batch(always, generator(3))
    assert batch.physics == TruePhysics(*[batch.physics.t1_tissue] * 4)


def test_the_acquisition_holds_what_is_assumed_not_what_is_true():
    settings = replace(SETTINGS, known_physics=0.0)
    batch = draw_batch(settings, generator(4))
    assert (batch.physics.t1_blood != 1).all()
    assert {a.t1_blood for a in batch.acquisitions} == {1.65}
    assert {a.t1_tissue for a in batch.acquisitions} == {1.2}


def test_lesions_and_phantoms_without_anatomy_are_among_them(batches):
    lesions = torch.cat([batch.lesion.flatten() for batch in batches]).unique()
    assert len(lesions) > 4
    assert lesions.max() <= len(LesionKind)
    structures = torch.cat([batch.structure for batch in batches]).unique().tolist()
    assert Structure.BRAIN in structures
    assert len(structures) > 1


def test_test_batches_can_be_drawn_as_well():
    batch = draw_batch(replace(SETTINGS, split=Split.TEST), generator(6))
    assert batch.mask.any()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_batches_are_drawn_where_the_generator_is():
    one, again = (draw_batch(SETTINGS, generator(0, 'cuda')) for _ in range(2))
    assert_equal(one, again)
    assert one.relative_delta_m.is_cuda
    assert one.slice_delay.is_cuda
