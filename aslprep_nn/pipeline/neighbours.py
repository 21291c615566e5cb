"""The steps of the estimators that look at neighbours: the hybrid fit and the network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.errors import Problem
from aslprep_nn.estimation.common_noise import common_noise
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.hybrid import fit_hybrid
from aslprep_nn.estimation.series import PerfusionSeries
from aslprep_nn.maps import FloatArray
from aslprep_nn.network.apply import estimate
from aslprep_nn.network.training_range import peak_snr, refusals
from aslprep_nn.network.weights import load_weights
from aslprep_nn.pipeline.fit_maps import BoolArray, save_fit
from aslprep_nn.pipeline.gpu import choose_device
from aslprep_nn.pipeline.images import load_mask, load_series


class OtherEstimates(NamedTuple):
    """Maps, each named by its quantity, or none and the problems that stood in the way."""

    maps: tuple[Path, ...]
    problems: Path


def estimate_hybrid(
    *,
    relative_delta_m: Path,
    mask: Path,
    fit: Path,
    acquisition: Acquisition,
    device: str,
    n_threads: int,
    folder: Path,
) -> OtherEstimates:
    """Fit ATT on strongly, then CBF on lightly smoothed data."""
    torch.set_num_threads(n_threads)
    scene = _Scene.load(relative_delta_m, mask, fit, acquisition, choose_device(device))
    problems = scene.noise_problems()
    if problems:
        return OtherEstimates((), _write(problems, folder))
    found = fit_hybrid(scene.series)
    # The hybrid fit lists voxels slice by slice, inside the mask only.
    number = torch.arange(found.n_voxels, device=found.status.device)
    image = scene.series.image(number).movedim(0, -1)
    return OtherEstimates(scene.save(found, image, folder), _write((), folder))


def estimate_network(
    *,
    relative_delta_m: Path,
    mask: Path,
    fit: Path,
    acquisition: Acquisition,
    weights: Path,
    dial: float,
    device: str,
    n_threads: int,
    folder: Path,
) -> OtherEstimates:
    """Let the network correct the posterior mean of every voxel by its surroundings."""
    torch.set_num_threads(n_threads)
    place = choose_device(device)
    scene = _Scene.load(relative_delta_m, mask, fit, acquisition, place)
    loaded = load_weights(weights, place)
    problems = scene.noise_problems()
    if not problems:
        snr = scene.signal_to_noise()
        trained = loaded.card.training_range
        problems = refusals(trained, [acquisition], file=relative_delta_m.name, snr=snr)
    if problems:
        return OtherEstimates((), _write(problems, folder))
    found = estimate(loaded.network, scene.series, dial)
    # The network lists every voxel of the volume.
    image = torch.arange(found.n_voxels).reshape(scene.series.mask.shape)
    return OtherEstimates(scene.save(found, image, folder), _write((), folder))


@dataclass(frozen=True)
class _Scene:
    """A perfusion series with its slices along the third axis, and the way back.

    Parameters
    ----------
    series
        What the estimators see.
    brain
        The mask as it is stored, ``(x, y, z)``.
    affine
        Voxel to world.
    file
        What problems are about.
    """

    series: PerfusionSeries
    brain: BoolArray
    affine: FloatArray
    file: str

    @classmethod
    def load(
        cls, relative_delta_m: Path, mask: Path, fit: Path, acquisition: Acquisition, device: str
    ) -> _Scene:
        """Load measurements, and one noise for all voxels from the fit of each."""
        signal, affine = load_series(relative_delta_m)
        brain, axis = load_mask(mask), acquisition.slice_axis
        noise = Fit(**torch.load(fit, map_location='cpu')).noise
        times = acquisition.slice_times
        series = PerfusionSeries(
            torch.from_numpy(np.moveaxis(signal, axis, 2).copy()).to(device),
            torch.from_numpy(np.moveaxis(brain, axis, 2).copy()).to(device),
            torch.tensor(common_noise(noise), device=device),
            (acquisition,),
            slice_delay=torch.tensor(times, device=device) if times else None,
        )
        return cls(series, brain, affine, relative_delta_m.name)

    def noise_problems(self) -> list[Problem]:
        """Say so where there is no noise to weigh neighbours by."""
        noise = float(self.series.noise)
        if np.isfinite(noise) and noise > 0:
            return []
        found = 'not known: too few measurements' if np.isnan(noise) else '0'
        expected = 'a number above 0, from repetitions or from more timings than parameters'
        return [Problem(self.file, 'Noise', found, expected, 'Least squares needs none.')]

    def signal_to_noise(self) -> float:
        """Measure it as the training range counts it."""
        inside = self.series.relative_delta_m[self.series.mask].cpu().numpy()
        return peak_snr(inside, self.series.acquisitions[0], float(self.series.noise))

    def save(self, found: Fit, number: Tensor, folder: Path) -> tuple[Path, ...]:
        """Save the maps of a fit whose entry of each voxel is ``number``, ``(x, y, slice)``."""
        stored = np.moveaxis(number.cpu().numpy(), 2, self.series.acquisitions[0].slice_axis)
        entries = torch.from_numpy(stored[self.brain]).long().to(found.status.device)
        return save_fit(found.at(entries), self.brain, self.affine, folder)


def _write(problems: Sequence[Problem], folder: Path) -> Path:
    path = folder / 'problems_of_estimate.json'
    path.write_text(json.dumps([asdict(problem) for problem in problems]), encoding='utf-8')
    return path
