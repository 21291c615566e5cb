"""Protocols and simulated voxels that the tests of the estimators share."""

import pytest
import torch

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.signal.kinetics import delta_m
from aslprep_nn.signal.protocol import Protocol

PLD_21 = tuple(0.1 * i for i in range(11)) + tuple(1 + 0.2 * i for i in range(1, 11))
PLD_6 = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)


def acquire(labeling, delays, duration, efficiency=0.85, repetitions=1, **constants):
    delays = tuple(delays) * repetitions
    return Acquisition(labeling, delays, (duration,) * len(delays), efficiency, **constants)


def simulate(acquisition, cbf, att, noise=0.0, seed=0, **voxelwise):
    signal = delta_m(cbf, att, Protocol.of(acquisition, **voxelwise))
    generator = torch.Generator().manual_seed(seed)
    return signal + noise * torch.randn(signal.shape, generator=generator, dtype=signal.dtype)


def uniform(n_voxels, low, high, seed):
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(n_voxels, generator=generator, dtype=torch.float64)


@pytest.fixture(scope='session')
def make():
    return acquire


@pytest.fixture(scope='session')
def measure():
    return simulate


@pytest.fixture(scope='session')
def draw():
    return uniform


@pytest.fixture(scope='session')
def pcasl_6():
    return acquire(LabelingType.PCASL, PLD_6, 1.8)


@pytest.fixture(scope='session')
def pcasl_21():
    return acquire(LabelingType.PCASL, PLD_21, 1.5)


@pytest.fixture(scope='session')
def kidney_21():
    return acquire(LabelingType.PCASL, PLD_21, 1.5, t1_tissue=1.4)
