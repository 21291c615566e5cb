import math
from dataclasses import replace

import numpy as np
import pytest

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.constants import T1_TISSUE
from aslprep_nn.preprocessing.resample import resample_volume
from aslprep_nn.simulation.grid import Grid
from aslprep_nn.simulation.motion import MotionLevel, rigid_matrix
from aslprep_nn.simulation.scanner import Camera, add_rician_noise, scan


def scanned(phantom, protocol, *, motion=MotionLevel.NONE, seed=0):
    return scan(phantom, protocol, motion_level=motion, rng=np.random.default_rng(seed))


@pytest.fixture(scope='module')
def noise_free(coarse_phantom, multi_delay):
    return scanned(coarse_phantom, replace(multi_delay, snr=math.inf))


def model(cbf, att, *, pld, duration, efficiency, t1_tissue):
    """Buxton et al. (1998) by cases, written without a look at the package."""
    rate = 1 / t1_tissue + cbf / 6000 / 0.9
    scale = 2 * efficiency * cbf / 6000 / 0.9 * math.exp(-att / 1.65) / rate
    if pld + duration <= att:
        return 0.0
    if pld <= att:
        return scale * (1 - math.exp(-rate * (pld + duration - att)))
    return scale * math.exp(-rate * (pld - att)) * (1 - math.exp(-rate * duration))


def test_without_noise_delta_m_is_the_model_at_the_true_cbf_att_and_slice_time(noise_free):
    protocol, truth = noise_free.protocol, noise_free.truth
    series = protocol.series
    relative = (noise_free.series[..., 1::2] - noise_free.series[..., ::2]) / truth.m0[..., None]
    voxels = np.argwhere(truth.brain)[::37]
    assert len({z for _, _, z in voxels}) > 4
    for x, y, z in voxels:
        for measurement, volume in enumerate(series[::2]):
            pld = volume.pld + protocol.slice_times[z]
            expected = model(
                truth.cbf[x, y, z],
                truth.att[x, y, z],
                pld=pld,
                duration=1.8,
                efficiency=0.85 * 0.95**2,
                t1_tissue=1.2,
            )
            assert relative[x, y, z, measurement] == pytest.approx(expected, rel=1e-5)


def test_the_coil_cancels_in_the_ratio_to_m0(coarse_phantom, multi_delay):
    volume = multi_delay.series[0]
    tilt = np.linspace(0.5, 1.5, coarse_phantom.m0.shape[0])[:, None, None]
    cameras = [
        Camera(person, multi_delay)
        for person in (coarse_phantom, replace(coarse_phantom, m0=coarse_phantom.m0 * tilt))
    ]
    brain = cameras[0].truth().brain
    flat, tilted = ((c.delta_m(volume) / c.truth().m0.clip(min=1))[brain] for c in cameras)
    np.testing.assert_allclose(tilted, flat, rtol=1e-4)
    assert np.abs(cameras[1].truth().m0 / cameras[0].truth().m0 - 1)[brain].max() > 0.2


def test_suppression_leaves_its_fraction_of_the_static_tissue(coarse_phantom, multi_delay):
    camera = Camera(coarse_phantom, multi_delay)
    control = multi_delay.series[1]
    assert control.kind is VolumeType.CONTROL
    full = camera.acquire(replace(control, static_fraction=1.0))
    left = camera.acquire(replace(control, static_fraction=0.2))
    np.testing.assert_allclose(left, 0.2 * full)
    label, unsuppressed = (
        camera.acquire(replace(control, kind=VolumeType.LABEL, static_fraction=fraction))
        for fraction in (0.2, 1.0)
    )
    np.testing.assert_allclose(left - label, full - unsuppressed, atol=1e-9)


@pytest.mark.parametrize('repetition_time', [2.0, 7.0])
def test_the_m0_volume_recovers_for_its_repetition_time(
    coarse_phantom, multi_delay, repetition_time
):
    protocol = replace(
        multi_delay,
        m0_repetition_time=repetition_time,
        snr=math.inf,
        grid=Grid((40, 46, 20), (5.0, 5.0, 6.0)),
        slice_times=(),
    )
    camera = Camera(coarse_phantom, protocol)
    truth = camera.truth()
    corrected = camera.acquire(protocol.m0_volume) / (1 - np.exp(-repetition_time / 1.2))
    pure = truth.gray_matter + truth.white_matter > 0.995
    assert pure.sum() > 100
    assert T1_TISSUE.value == 1.2
    np.testing.assert_allclose(corrected[pure], truth.m0[pure], rtol=0.01)


def test_resampling_by_the_true_motion_brings_a_volume_back(coarse_phantom, multi_delay):
    protocol = replace(multi_delay, grid=Grid((44, 50, 22), (5.0, 5.0, 6.0)), slice_times=())
    camera = Camera(coarse_phantom, protocol)
    motion = rigid_matrix(np.array([2.0, -1.5, 1.0, 0.03, -0.02, 0.04]))
    volume, affine = protocol.m0_volume, protocol.grid.affine
    still, moved = camera.acquire(volume), camera.acquire(volume, motion)
    back = resample_volume(moved, affine, protocol.grid.shape, affine, motion)
    wrong_way = resample_volume(moved, affine, protocol.grid.shape, affine, np.linalg.inv(motion))
    inside = camera.truth().brain & np.isfinite(back) & np.isfinite(wrong_way)

    def error(image):
        return np.sqrt(np.mean((image - still)[inside] ** 2))

    # What remains is the detail finer than two voxels, which no interpolation can restore.
    assert error(back) < 0.25 * error(moved)
    assert error(wrong_way) > 2 * error(moved)


def test_each_slice_shows_its_own_delay(coarse_phantom, multi_delay):
    volume = multi_delay.series[0]
    together = Camera(coarse_phantom, replace(multi_delay, slice_times=()))
    in_turn = Camera(coarse_phantom, multi_delay)
    for z, time in enumerate(multi_delay.slice_times):
        later = together.delta_m(replace(volume, pld=volume.pld + time))
        np.testing.assert_allclose(in_turn.delta_m(volume)[:, :, z], later[:, :, z])


def test_the_mean_of_rician_noise_without_signal_is_1_2533_sigma():
    noise = add_rician_noise(np.zeros(400_000), 3.0, np.random.default_rng(0))
    assert noise.mean() == pytest.approx(3 * 1.2533, rel=0.005)


def test_far_above_the_noise_the_magnitude_is_gaussian_about_the_signal():
    signal = add_rician_noise(np.full(400_000, 500.0), 2.0, np.random.default_rng(0))
    assert signal.mean() == pytest.approx(500, abs=0.02)
    assert signal.std() == pytest.approx(2.0, rel=0.01)


@pytest.mark.parametrize('snr', [200.0, 1000.0])
def test_the_noise_in_the_air_has_the_snr_asked_for(coarse_phantom, multi_delay, snr):
    run = scanned(coarse_phantom, replace(multi_delay, snr=snr))
    assert run.noise == pytest.approx(run.truth.m0[run.truth.brain].mean() / snr)
    air = run.series[run.truth.m0 < 0.1 * run.noise]
    assert air.mean() == pytest.approx(1.2533 * run.noise, rel=0.05)


def test_a_difference_made_by_the_scanner_is_control_minus_label(
    coarse_phantom, multi_delay, noise_free
):
    run = scanned(coarse_phantom, replace(multi_delay, snr=math.inf, subtracted=True))
    differences = noise_free.series[..., 1::2] - noise_free.series[..., ::2]
    np.testing.assert_allclose(run.series, differences, atol=1e-9)


def test_noise_of_a_difference_has_twice_the_variance(coarse_phantom, multi_delay):
    run = scanned(coarse_phantom, replace(multi_delay, subtracted=True, n_pairs=20))
    still = run.series[..., :20][run.truth.brain]
    assert still.std(axis=-1).mean() == pytest.approx(np.sqrt(2) * run.noise, rel=0.05)


def test_the_head_rests_where_the_m0_volume_saw_it(coarse_phantom, single_delay, multi_delay):
    included = scanned(coarse_phantom, single_delay, motion=MotionLevel.STRONG)
    assert included.m0scan is None
    np.testing.assert_array_equal(included.motion.matrices[0], np.eye(4))
    separate = scanned(coarse_phantom, multi_delay, motion=MotionLevel.STRONG)
    assert separate.m0scan is not None
    assert np.abs(separate.motion.parameters[0]).max() > 0


def test_the_same_seed_gives_the_same_volumes_and_another_seed_does_not(
    coarse_phantom, single_delay
):
    first, again, other = (
        scanned(coarse_phantom, single_delay, motion=MotionLevel.MILD, seed=seed)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.series, again.series)
    assert (first.series != other.series).any()


def test_truth_is_stated_only_where_it_exists(noise_free):
    truth = noise_free.truth
    assert np.isfinite(truth.att[truth.brain]).all()
    assert np.isnan(truth.att[~truth.brain]).all()
    assert np.isnan(truth.t1[~truth.brain]).all()
    tissue = truth.gray_matter + truth.white_matter + truth.csf
    assert tissue.max() <= 1.001
    assert tissue[truth.brain].min() > 0.4
