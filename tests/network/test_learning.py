"""A network of a few thousand parameters learns in seconds what neighbours are good for."""

from dataclasses import replace

import pytest
import torch

from aslprep_nn.network.features import FeatureSettings, NetworkInput, network_input
from aslprep_nn.network.losses import BiasVarianceError, Target, gaussian_likelihood
from aslprep_nn.network.model import AmplitudeAwareNetwork, NetworkSettings
from aslprep_nn.network.targets import target_of

SETTINGS = NetworkSettings(
    FeatureSettings((0.0, 1.5)), width=8, n_levels=2, n_groups=4, condition_width=8
)
NOISE = 2e-3


def lesson(make_brain, seeds):
    """Make two draws of the noise of some uniform brains, and their target."""
    draws, aims = [[], []], []
    for seed in seeds:
        clean = make_brain(shape=(16, 16, 1), noise=0, seed=seed, uniform=True)
        series = replace(clean.series, noise=torch.tensor(NOISE))
        for draw, inputs in enumerate(draws):
            generator = torch.Generator().manual_seed(2 * seed + draw)
            noise = torch.randn(series.relative_delta_m.shape, generator=generator).double()
            noisy = replace(series, relative_delta_m=series.relative_delta_m + NOISE * noise)
            inputs.append(network_input(noisy, SETTINGS.features))
        aims.append(target_of(series, clean.cbf, clean.att, torch.tensor(1.0)))
    truth, bound = (torch.stack([getattr(a, n) for a in aims], 1) for n in ('truth', 'bound'))
    mask = torch.stack([a.mask for a in aims])
    return [NetworkInput.stack(d) for d in draws], Target(truth, bound, mask, torch.tensor(1.0))


def score(network, inputs, target):
    found = [network(given, target.dial) for given in inputs]
    draws = torch.stack([torch.stack([f.amplitude, f.att]) for f in found])
    stds = torch.stack([torch.stack([f.amplitude_std, f.att_std]) for f in found])
    stds = torch.where(target.mask, stds, 1)
    return BiasVarianceError()(draws, target), gaussian_likelihood(draws, stds, target)


@pytest.mark.parametrize('seed', [0, 1])
def test_a_tiny_network_learns_to_use_its_neighbours(make_brain, seed):
    torch.manual_seed(seed)
    network = AmplitudeAwareNetwork(SETTINGS)
    inputs, target = lesson(make_brain, range(12))
    held_out = lesson(make_brain, range(50, 56))
    with torch.no_grad():
        before = [part.item() for part in score(network, *held_out)]
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    for _ in range(80):
        optimizer.zero_grad()
        sum(score(network, inputs, target)).backward()
        optimizer.step()
    with torch.no_grad():
        after = [part.item() for part in score(network, *held_out)]
    assert after[0] < 0.5 * before[0]
    assert after[1] < before[1]
