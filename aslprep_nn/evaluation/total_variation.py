"""Denoising by total variation: the edge-preserving rival of a Gaussian kernel."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from aslprep_nn.estimation.measurements import Measurements
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.estimation.series import PerfusionSeries

#: Steps of the fast gradient projection; more change estimates by less than 1 % of the noise.
N_STEPS = 40
#: Largest eigenvalue of the squared gradient of an image.
LIPSCHITZ = 8.0


def denoised(series: PerfusionSeries, strength: float) -> Measurements:
    """List what denoising the images of all timings together makes of the measurements.

    Parameters
    ----------
    series
        Measurements whose timings are all equally noisy.
    strength
        Weight of the total variation over the standard deviation of the noise of a mean [1].

    Returns
    -------
    One measurement per distinct timing, with the weights they had.
    """
    plain = series.measurements()
    repetitions = Repetitions.of(series.acquisitions)
    summary = repetitions.summarize(plain.relative_delta_m, series.weights)
    unit = series.voxel_noise / summary.weight.mean(0).to(series.voxel_noise).sqrt()
    images = series.image(summary.mean / unit).movedim(0, 1)
    smooth = least_total_variation(images, series.inside, strength).movedim(1, 0)
    return replace(
        plain,
        relative_delta_m=(smooth[:, series.inside] * unit).mT.to(plain.relative_delta_m),
        acquisitions=repetitions.acquisitions,
        weights=None if series.weights is None else summary.weight.mT.expand_as(summary.mean.mT),
    )


def least_total_variation(images: Tensor, mask: Tensor, strength: float) -> Tensor:
    """Find the images closest to given ones that vary little, by fast gradient projection.

    Minimises ½ Σ (u − f)² + strength · Σ |∇u|, where the gradient's length is taken over both
    axes and all channels, so that edges are shared (Beck and Teboulle 2009; Blomgren and Chan
    1998). Differences to voxels outside the mask do not count.

    Parameters
    ----------
    images
        ``(slice, channel, x, y)``.
    mask
        ``(slice, x, y)``, boolean.
    strength
        In the unit of the images.
    """
    if strength == 0:
        return images
    inner = _inner_edges(mask)
    dual = torch.zeros(2, *images.shape).to(images)
    ahead, momentum = dual, 1.0
    for _ in range(N_STEPS):
        ascent = _gradient(images - strength * _adjoint(ahead), inner) / (LIPSCHITZ * strength)
        step = ahead + ascent
        length = step.square().sum((0, 2), keepdim=True).sqrt()
        new = step / length.clamp(min=1)
        faster = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = new + (momentum - 1) / faster * (new - dual)
        dual, momentum = new, faster
    return images - strength * _adjoint(dual)


def _inner_edges(mask: Tensor) -> Tensor:
    """Say which voxels have a next one inside the mask along x and y, ``(2, slice, 1, x, y)``."""
    edges = torch.zeros(2, *mask.shape, dtype=torch.bool, device=mask.device)
    edges[0, :, :-1] = mask[:, :-1] & mask[:, 1:]
    edges[1, :, :, :-1] = mask[:, :, :-1] & mask[:, :, 1:]
    return edges.unsqueeze(2)


def _gradient(images: Tensor, inner: Tensor) -> Tensor:
    """Take differences to the next voxel along x and y, ``(2, slice, channel, x, y)``."""
    ahead = torch.stack([images.roll(-1, axis) - images for axis in (-2, -1)])
    return ahead * inner


def _adjoint(dual: Tensor) -> Tensor:
    """Apply the transpose of `_gradient` to what is 0 outside the inner edges."""
    along_x, along_y = dual
    back: Tensor = along_x.roll(1, -2) - along_x + along_y.roll(1, -1) - along_y
    return back
