from dataclasses import fields, replace

import numpy as np
import pytest

from aslprep_nn.simulation.grid import Grid
from aslprep_nn.simulation.phantom import draw_phantom
from aslprep_nn.simulation.protocols import PROTOCOLS, Preset

SMALL_GRID = Grid((14, 17, 8), (14.0, 14.0, 16.0))


@pytest.fixture(scope='session')
def phantom():
    return draw_phantom(np.random.default_rng(11))


@pytest.fixture(scope='session')
def coarse_phantom(phantom):
    """Every second voxel along each axis: quicker to image, and still a head."""

    def thinned(thing):
        values = {f.name: getattr(thing, f.name) for f in fields(thing)}
        for name, value in values.items():
            if name == 'affine':
                values[name] = value @ np.diag([2.0, 2.0, 2.0, 1.0])
            elif isinstance(value, np.ndarray):
                values[name] = value[::2, ::2, ::2]
        return replace(thing, **values)

    return replace(thinned(phantom), anatomy=thinned(phantom.anatomy))


@pytest.fixture(scope='session')
def multi_delay():
    protocol = PROTOCOLS[Preset.DEMO][0]
    return replace(protocol, grid=SMALL_GRID, slice_times=protocol.slice_times[:8])


@pytest.fixture(scope='session')
def single_delay():
    return replace(PROTOCOLS[Preset.DEMO][1], grid=SMALL_GRID)
