"""Weights small enough to be made in a test: untrained, they give the posterior mean."""

from dataclasses import replace
from pathlib import Path

import torch

from aslprep_nn.network.model import AmplitudeAwareNetwork, NetworkSettings
from aslprep_nn.network.training_range import TrainingRange
from aslprep_nn.network.weights import ModelCard, save_weights
from aslprep_nn.simulation.dice import Interval

TINY = NetworkSettings(width=8, n_levels=2, n_groups=4, condition_width=8)
#: Everything the tests measure, whatever the size of its voxels and its noise.
ANYTHING = replace(
    TrainingRange.of_simulation(),
    in_plane=Interval(1.0, 20.0),
    thickness=Interval(1.0, 20.0),
    snr=Interval(0.0, 1e9),
)
CARD = ModelCard(
    'tiny', ANYTHING, seed=3, commit='abc', loss='none: not trained', n_steps=0, wall_time=1.5,
    device='cpu', metrics={'cbf': 1.0},
)  # fmt: skip


def write_weights(folder: Path, **changes: object) -> Path:
    """Write weights into a folder, their training range changed; return the file of tensors."""
    card = replace(CARD, training_range=replace(ANYTHING, **changes))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return save_weights(AmplitudeAwareNetwork(TINY), card, folder)
