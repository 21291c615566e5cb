"""Small phantoms, a small network, and one small evaluation of it that many tests look at."""

from types import SimpleNamespace

import pytest
import torch

from aslprep_nn.evaluation import estimators, phantoms, suite
from aslprep_nn.network.model import AmplitudeAwareNetwork, AmplitudePath, NetworkSettings
from aslprep_nn.simulation.held_out import HELD_OUT_PROTOCOLS

TINY = suite.Effort(
    snr=(2.0, 3.0, 5.0, 10.0),
    central_snr=(3.0, 5.0, 10.0),
    n_known=1,
    n_correlated=1,
    n_wrong=1,
    n_protocol=1,
    n_lesions=1,
    factors=(1.1,),
    total_variation=True,
)
TWO = ('PCASL, 6 long delays', 'PASL, 8 inversion times')


@pytest.fixture(scope='session', autouse=True)
def _small():
    """Cut small pieces out of brains, under two of the protocols."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phantoms, 'SHAPE', (3, 24, 24))
        patch.setattr(phantoms, 'FEWEST_VOXELS', 100)
        patch.setattr(suite, 'HELD_OUT_PROTOCOLS', {name: HELD_OUT_PROTOCOLS[name] for name in TWO})
        yield


@pytest.fixture(scope='session')
def brains(_small):
    return phantoms.draw_brains(4, 1)


def make_network(path=AmplitudePath.FULL, *, seed=None):
    """Make a small network: untrained, or with random weights where a seed is given."""
    settings = NetworkSettings(
        amplitude_path=path, width=8, n_levels=2, n_groups=4, condition_width=8
    )
    network = AmplitudeAwareNetwork(settings)
    if seed is not None:
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return network


@pytest.fixture(scope='session')
def a_network():
    return make_network


@pytest.fixture(scope='session')
def tiny_evaluation(_small):
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(estimators, 'SIGMAS', (1.0, 2.0))
        patch.setattr(estimators, 'SIGMAS_OF_ATT', (1.0, 2.0))
        patch.setattr(estimators, 'SIGMAS_OF_CBF', (0.0, 1.0))
        patch.setattr(estimators, 'STRENGTHS', (1.0,))
        found = suite.evaluate(make_network(), TINY, 3, told.append)
    return SimpleNamespace(found=found, told=told)
