"""Fingerprints of perfused tissue, and of a decaying turn in the complex plane."""

import pytest
import torch

from aslprep_nn.estimation.subspace.fingerprints import Fingerprints
from aslprep_nn.signal.model import SignalModel

TIMES = torch.linspace(0, 1, 24, dtype=torch.float64)


def fingerprints_of_turns(rate, frequency, phase):
    """Decay at a rate while turning; all parameters ``(fingerprint, 1)``."""
    signal = torch.exp(-rate * TIMES + 1j * (frequency * TIMES + phase))
    jacobian = torch.stack([-TIMES * signal, 1j * TIMES * signal, 1j * signal], -1)
    return Fingerprints(signal, jacobian, ('rate', 'frequency', 'phase'), ('rate', 'frequency'))


@pytest.fixture(scope='session')
def turns():
    """Make those of ``(fingerprint, parameter)``."""
    return lambda point: fingerprints_of_turns(*point.split(1, dim=-1))


@pytest.fixture(scope='session')
def perfused(pcasl_21, draw):
    def make(n, *, seed=0, t1_unknown=False):
        cbf, att = draw(n, 10, 120, 3 * seed), draw(n, 0.1, 2.2, 3 * seed + 1)
        t1 = draw(n, 0.8, 1.6, 3 * seed + 2) if t1_unknown else None
        model = SignalModel.of([pcasl_21], t1_tissue=t1)
        return Fingerprints.of(model, cbf, att, t1_unknown=t1_unknown)

    return make


@pytest.fixture(scope='session')
def turning(draw):
    """Real rate and frequency are of interest; an unknown phase is not."""

    def make(n, *, seed=0):
        rate, frequency, phase = (
            draw(n, low, high, 10 + 3 * seed + i).unsqueeze(-1)
            for i, (low, high) in enumerate(((1, 6), (-20, 20), (-3, 3)))
        )
        return fingerprints_of_turns(rate, frequency, phase)

    return make


@pytest.fixture(params=['perfused', 'perfused, T1 unknown', 'turning'])
def fingerprints(request, perfused, turning):
    """Make real and complex ones, with and without a nuisance parameter."""
    kinds = {
        'perfused': perfused,
        'perfused, T1 unknown': lambda n, seed=0: perfused(n, seed=seed, t1_unknown=True),
        'turning': turning,
    }
    return kinds[request.param]
