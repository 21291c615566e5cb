"""A film shows what its scene says, and its truth is true."""

import numpy as np
import pytest

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.benchmark import scenes
from aslprep_nn.benchmark.scenes import Readout, Scene, Suppression, film
from aslprep_nn.simulation.grid import Grid
from aslprep_nn.simulation.motion import MotionLevel

SMALL = Grid((34, 40, 18), (6.0, 6.0, 7.0))


@pytest.fixture(scope='module')
def taken() -> scenes.Film:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenes, 'GRIDS', dict.fromkeys(Readout, SMALL))
        return film(Scene(Readout.SLICES, Suppression.STRONG, n_pairs=1), seed=3)


def test_a_film_has_a_pair_at_each_delay_and_a_position_for_each_volume(taken):
    assert taken.series.shape == (*SMALL.shape, 12)
    assert taken.volume_types.count(VolumeType.CONTROL) == 6
    assert len(taken.motion.matrices) == len(taken.timings) == 12
    assert taken.acquisition.n_measurements == 6


def test_the_first_slices_of_the_brain_are_suppressed_and_the_last_have_recovered(taken):
    ratio = taken.series[..., 0] / np.maximum(taken.m0, 1)
    slices = [np.median(ratio[:, :, z][taken.brain[:, :, z]]) for z in (4, 14)]
    assert slices[0] < 0.3
    assert slices[1] > slices[0] + 0.1


def test_grey_matter_is_brain_and_m0_is_its_magnetisation(taken):
    assert taken.grey_matter[taken.brain].any()
    assert not taken.grey_matter[~taken.brain].any()
    ratio = (taken.m0 / taken.true_m0)[taken.grey_matter]
    assert np.median(ratio) == pytest.approx(1, abs=0.03)  # 7 s to recover


def test_the_protocol_of_a_scene_is_that_of_its_readout():
    assert Scene(Readout.VOLUME, Suppression.NONE).protocol.slice_times == ()
    protocol = Scene(Readout.SLICES, Suppression.VARYING, MotionLevel.NONE, 3).protocol
    assert len(protocol.slice_times) == protocol.grid.shape[2]
    assert protocol.static_fraction == Suppression.VARYING.fractions
    assert protocol.n_pairs == 3
