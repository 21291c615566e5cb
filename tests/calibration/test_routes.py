"""Each way to M0 gives the true CBF of a phantom without noise, at any repetition time."""

import numpy as np
import pytest

from aslprep_nn.benchmark.routes import (
    COARSE,
    DRY,
    FINE,
    FINEST,
    Head,
    blood_over_truth,
    cbf_over_truth,
    head_of_water,
    m0_of,
    uneven_head,
)
from aslprep_nn.constants import FLUID, T2_STAR_BLOOD
from aslprep_nn.errors import ImageError
from aslprep_nn.run import M0Plan, M0Route
from aslprep_nn.settings import M0Method, M0Options, ReferenceTissue

FLUID_REFERENCE = M0Options(method=M0Method.REFERENCE, reference=ReferenceTissue.FLUID)
WHITE_REFERENCE = M0Options(method=M0Method.REFERENCE, reference=ReferenceTissue.WHITE_MATTER)


@pytest.fixture(scope='module')
def uneven() -> Head:
    return uneven_head(3)


@pytest.fixture(scope='module')
def coarse() -> Head:
    return head_of_water(3, COARSE)


@pytest.fixture(scope='module')
def finest() -> Head:
    return head_of_water(3, FINEST)


def plan(*times: float, **more: object) -> M0Plan:
    return M0Plan(M0Route.SEPARATE, repetition_times=times, **more)


@pytest.mark.parametrize('times', [(1.0,), (10.0,), (2.0, 5.0)], ids=str)
def test_voxelwise_m0_gives_the_true_cbf_of_tissue_at_any_repetition_time(uneven, times):
    m0, notes, _ = m0_of(uneven, uneven.m0_volumes(times), plan(*times), M0Options())
    assert not notes
    dry = uneven.truth.brain & (uneven.truth.csf < DRY)
    assert dry.sum() > 1500
    ratio = cbf_over_truth(uneven, m0, dry)
    assert np.quantile(abs(ratio - 1), 0.99) < 0.02
    assert np.median(ratio) == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize('seconds', [1.0, 10.0])
def test_white_matter_as_the_reference_gives_m0_of_blood(coarse, seconds):
    m0 = m0_of(coarse, coarse.m0_volumes((seconds,)), plan(seconds), WHITE_REFERENCE).m0
    assert np.ptp(m0) == 0
    assert blood_over_truth(coarse, m0) == pytest.approx(1, abs=0.02)


def test_fluid_as_the_reference_gives_m0_of_blood_at_any_repetition_time(finest):
    for seconds in (1.0, 4.0, 10.0):
        volumes = finest.m0_volumes((seconds,))
        m0 = m0_of(finest, volumes, plan(seconds), FLUID_REFERENCE).m0
        assert blood_over_truth(finest, m0) == pytest.approx(1, abs=0.02)
    decayed = volumes * np.exp(-0.02 / FLUID.t2_star.value)
    echoes = {'echo_time': 0.02, 'series_echo_time': 0.015}
    with_echo = m0_of(finest, decayed, plan(10.0, **echoes), FLUID_REFERENCE).m0
    assert with_echo == pytest.approx(m0 * np.exp(-0.015 / T2_STAR_BLOOD.value))


def test_voxels_in_which_fluid_is_not_alone_are_refused_where_it_recovers_little():
    fine = head_of_water(3, FINE)
    m0 = m0_of(fine, fine.m0_volumes((4.0,)), plan(4.0), FLUID_REFERENCE).m0
    assert blood_over_truth(fine, m0) == pytest.approx(1, abs=0.02)
    with pytest.raises(
        ImageError, match=r'7\.0 mm from corner to corner, M0 repeated every 1\.5 s'
    ):
        m0_of(fine, fine.m0_volumes((1.5,)), plan(1.5), FLUID_REFERENCE)


def test_an_m0_too_coarse_for_a_ventricle_is_refused_on_a_fine_series_too(finest):
    volumes = finest.m0_volumes((7.0,))
    with pytest.raises(ImageError, match=r'11\.0 mm from corner.*--m0-method voxelwise'):
        m0_of(finest, volumes, plan(7.0, voxel_diagonal=11.0), FLUID_REFERENCE)
