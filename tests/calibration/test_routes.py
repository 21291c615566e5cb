"""Each way to M0 gives the true CBF of a phantom without noise, at any repetition time."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.calibration.m0 import relative_to_m0
from aslprep_nn.calibration.measured import measured_m0
from aslprep_nn.calibration.slice_timing import slice_delay
from aslprep_nn.constants import FLUID, T2_STAR_BLOOD, WHITE_MATTER
from aslprep_nn.errors import ImageError
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.preprocessing.brightness import late_delta_m
from aslprep_nn.run import M0Plan, M0Route
from aslprep_nn.settings import M0Method, M0Options, ReferenceTissue
from aslprep_nn.simulation.grid import Grid
from aslprep_nn.simulation.phantom import draw_phantom
from aslprep_nn.simulation.protocols import PROTOCOLS, Preset
from aslprep_nn.simulation.scanner import Camera

PROTOCOL = PROTOCOLS[Preset.DEMO][0]
#: Small enough for a ventricle.
FINE = Grid((56, 64, 24), (3.5, 3.5, 5.0))
M0_BLOOD = 1600.0
LABELS = [v for v in replace(PROTOCOL, n_pairs=1).series if v.kind is VolumeType.LABEL]
ACQUISITION = replace(
    PROTOCOL.acquisition_of(LABELS[0]),
    pld=tuple(v.pld for v in LABELS),
    labeling_duration=tuple(v.labeling_duration for v in LABELS),
)
FLUID_REFERENCE = M0Options(method=M0Method.REFERENCE, reference=ReferenceTissue.FLUID)
WHITE_REFERENCE = M0Options(method=M0Method.REFERENCE, reference=ReferenceTissue.WHITE_MATTER)


@pytest.fixture(scope='module')
def phantom():
    return draw_phantom(np.random.default_rng(3))


@pytest.fixture(scope='module')
def of_water(phantom):
    """Return the phantom as the reference method has it: an even coil, each tissue's own water."""
    anatomy = phantom.anatomy
    parts = np.stack([anatomy.gray_matter, anatomy.white_matter, anatomy.csf, anatomy.scalp])
    over_blood = (0.98, 1 / WHITE_MATTER.blood_over_tissue.value, 1 / FLUID.blood_over_tissue.value)
    water = M0_BLOOD * np.tensordot((*over_blood, 0.5), parts, axes=1)
    whole = parts.sum(axis=0)
    t1 = np.tensordot((1.33, WHITE_MATTER.t1.value, FLUID.t1.value, 0.4), parts, axes=1)
    t1 = np.where(whole > 0.01, t1 / np.maximum(whole, 1e-6), 1.2)
    even = np.full_like(water, M0_BLOOD * ACQUISITION.partition_coefficient)
    return replace(phantom, m0=water, t1=t1), replace(phantom, m0=even)


def differences(camera: Camera) -> np.ndarray:
    return np.stack([camera.delta_m(label) for label in LABELS], axis=-1)


@pytest.fixture(scope='module')
def seen(phantom):
    """Return truth and delta M of the phantom, which do not depend on how M0 is measured."""
    camera = Camera(phantom, PROTOCOL)
    return camera.truth(), differences(camera)


@pytest.fixture(scope='module')
def of_water_seen(of_water):
    """Return brain and delta M on the coarse grid."""
    static, even = of_water
    return Camera(static, PROTOCOL).truth().brain, differences(Camera(even, PROTOCOL))


def m0_volume(phantom, seconds: float, protocol=PROTOCOL) -> np.ndarray:
    protocol = replace(protocol, m0_repetition_time=seconds)
    return Camera(phantom, protocol).acquire(protocol.m0_volume)[..., None]


def plan(*times: float, **more: object) -> M0Plan:
    return M0Plan(M0Route.SEPARATE, repetition_times=times, **more)


def fitted(delta_m: np.ndarray, m0: np.ndarray, mask: np.ndarray) -> np.ndarray:
    signal = torch.from_numpy(relative_to_m0(delta_m, m0, mask)[mask])
    delay = torch.from_numpy(slice_delay(ACQUISITION, mask.shape)[mask].copy())
    return fit_cbf_att(signal, ACQUISITION, slice_delay=delay).parameters['cbf'].numpy()


def by_region(volumes, delta_m, mask, *, affine, options, times, **more) -> float:
    """Return M0 of blood over the true one."""
    m0, _ = measured_m0(
        volumes,
        late_delta_m(delta_m, ACQUISITION),
        mask,
        affine,
        plan=plan(*times, **more),
        acquisition=ACQUISITION,
        options=options,
    )
    assert np.ptp(m0) == 0
    return float(m0[0, 0, 0] / ACQUISITION.partition_coefficient / M0_BLOOD)


def check_voxelwise(volumes: np.ndarray, times: tuple[float, ...], seen) -> None:
    truth, delta_m = seen
    m0, notes = measured_m0(
        volumes,
        late_delta_m(delta_m, ACQUISITION),
        truth.brain,
        PROTOCOL.grid.affine,
        plan=plan(*times),
        acquisition=ACQUISITION,
        options=M0Options(),
    )
    assert not notes
    ratio = fitted(delta_m, m0, truth.brain) / truth.cbf[truth.brain]
    dry = truth.csf[truth.brain] < 0.01  # fluid recovers more slowly than the T1 of tissue says
    assert dry.sum() > 1500
    assert np.quantile(abs(ratio[dry] - 1), 0.99) < 0.02
    assert np.median(ratio[dry]) == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize('seconds', [1.0, 10.0])
def test_voxelwise_m0_gives_the_true_cbf_of_tissue_at_any_repetition_time(phantom, seen, seconds):
    check_voxelwise(m0_volume(phantom, seconds), (seconds,), seen)


def test_m0_volumes_of_several_repetition_times_give_the_true_cbf(phantom, seen):
    times = (2.0, 5.0)
    volumes = np.concatenate([m0_volume(phantom, time) for time in times], axis=-1)
    check_voxelwise(volumes, times, seen)


@pytest.mark.parametrize('seconds', [1.0, 10.0])
def test_white_matter_as_the_reference_gives_m0_of_blood(of_water, of_water_seen, seconds):
    mask, delta_m = of_water_seen
    found = by_region(
        m0_volume(of_water[0], seconds), delta_m, mask,
        affine=PROTOCOL.grid.affine, options=WHITE_REFERENCE, times=(seconds,),
    )  # fmt: skip
    assert found == pytest.approx(1, abs=0.02)


def test_fluid_as_the_reference_gives_m0_of_blood(of_water):
    static, even = of_water
    protocol = replace(PROTOCOL, grid=FINE, slice_times=tuple(0.03 * k for k in range(24)))
    mask, delta_m = Camera(static, protocol).truth().brain, differences(Camera(even, protocol))
    where = {'affine': FINE.affine, 'options': FLUID_REFERENCE}
    for seconds in (2.5, 10.0):
        volumes = m0_volume(static, seconds, protocol)
        found = by_region(volumes, delta_m, mask, **where, times=(seconds,))
        assert found == pytest.approx(1, abs=0.02)
    decayed = volumes * np.exp(-0.02 / FLUID.t2_star.value)
    echoes = {'echo_time': 0.02, 'series_echo_time': 0.015}
    with_echo = by_region(decayed, delta_m, mask, **where, times=(10.0,), **echoes)
    assert with_echo == pytest.approx(found * np.exp(-0.015 / T2_STAR_BLOOD.value))


def test_voxels_too_large_for_a_ventricle_are_refused(of_water, of_water_seen):
    mask, delta_m = of_water_seen
    with pytest.raises(ImageError, match=r'sought in voxels of 252 mm³.*--m0-method voxelwise'):
        by_region(
            m0_volume(of_water[0], 7.0), delta_m, mask,
            affine=PROTOCOL.grid.affine, options=FLUID_REFERENCE, times=(7.0,),
        )  # fmt: skip
