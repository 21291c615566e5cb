"""From simulated batches to what the network sees and what it should say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.data import DataLoader, Dataset

from aslprep_nn.estimation.series import PerfusionSeries
from aslprep_nn.estimation.smoothing import mean_around
from aslprep_nn.network.features import NetworkInput
from aslprep_nn.network.features import network_input as look
from aslprep_nn.network.losses import Target
from aslprep_nn.network.recipe import TrainingRecipe
from aslprep_nn.network.targets import target_of
from aslprep_nn.simulation.kinds import SMALL_LESIONS
from aslprep_nn.simulation.training import TrainingBatch, TrainingSettings, draw_batch

#: Seeds of different batches lie this far apart, so that no two recipes share one by accident.
SEED_STRIDE = 1_000_003


@dataclass(frozen=True)
class Sample:
    """One phantom, measured several times.

    Parameters
    ----------
    given
        What the network sees; its images are ``(draw, slice, channel, x, y)``.
    truth, bound
        ``(parameter, slice, x, y)``; see `Target`.
    mask, importance
        ``(slice, x, y)``; see `Target`.
    series
        The measurements, one series per draw, never mirrored.
    mirrored
        The axes, -2 for x and -1 for y, along which everything else was.
    """

    given: NetworkInput
    truth: Tensor
    bound: Tensor
    mask: Tensor
    importance: Tensor
    series: tuple[PerfusionSeries, ...]
    mirrored: tuple[int, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Voxels along x and y."""
        return self.mask.shape[-2], self.mask.shape[-1]


def series_of(batch: TrainingBatch, draw: int, phantom: int) -> PerfusionSeries:
    """Take one measurement of one phantom, as an analysis would receive it."""
    return PerfusionSeries(
        batch.relative_delta_m[draw, phantom].movedim(0, 2),
        batch.mask[phantom].movedim(0, -1),
        batch.noise[draw, phantom],
        batch.acquisitions,
        slice_delay=batch.slice_delay[phantom],
        weights=batch.repetitions.to(batch.relative_delta_m),
    )


@torch.no_grad()
def samples_of(batch: TrainingBatch, recipe: TrainingRecipe) -> list[Sample]:
    """Prepare every phantom of a batch, cut to the box around its mask.

    Parameters
    ----------
    batch
        What was simulated.
    recipe
        Which channels the network sees, and how bounds are raised.
    """
    samples = []
    importance = importance_of(batch, recipe.focus_weight)
    for phantom in range(len(batch.mask)):
        box = _box(batch.mask[phantom])
        series = tuple(
            _cut(series_of(batch, draw, phantom), box)
            for draw in range(len(batch.relative_delta_m))
        )
        cbf, att = (image[phantom][..., *box].movedim(0, -1) for image in (batch.cbf, batch.att))
        target = target_of(series[0], cbf, att, torch.ones(()))
        given = NetworkInput.stack([look(one, recipe.network.features) for one in series])
        bound = raised_bound(given, target, recipe)
        counts = importance[phantom][..., *box]
        samples.append(Sample(given, target.truth, bound, target.mask, counts, series))
    return samples


def importance_of(batch: TrainingBatch, focus_weight: float) -> Tensor:
    """Say how much the standard deviation of each voxel matters.

    Like those of a fit, predicted standard deviations are conditional on the constants of the
    analysis: phantoms in which these are wrong teach none. Foci of one to three voxels are so
    rare that a missed one would hardly cost anything.

    Returns
    -------
    ``(phantom, slice, x, y)`` [1].
    """
    foci = torch.tensor([kind.number for kind in SMALL_LESIONS], device=batch.lesion.device)
    counts = torch.where(torch.isin(batch.lesion, foci), focus_weight, 1.0)
    return counts * batch.physics.is_as_assumed.reshape(-1, 1, 1, 1)


def raised_bound(given: NetworkInput, target: Target, recipe: TrainingRecipe) -> Tensor:
    """Raise the bound where it is below what can be known; see `TrainingRecipe`.

    Returns
    -------
    ``(parameter, slice, x, y)``.
    """
    relative, absolute = recipe.bound_floor
    floor = torch.stack([relative * target.truth[0], torch.full_like(target.truth[1], absolute)])
    known = given.posterior
    plain = torch.stack([known.amplitude * given.scale, known.att])
    square = (plain - target.truth.unsqueeze(1)).square().mean(1)
    around = mean_around(square, target.mask)
    bound = target.bound + floor.square()
    return torch.maximum(bound, torch.where(target.mask, around.to(bound), 0) / recipe.tolerance**2)


def _box(mask: Tensor) -> tuple[slice, slice]:
    """Find the smallest box in x and y that holds the mask ``(slice, x, y)``."""
    seen = mask.any(0)
    ends = []
    for along in (seen.any(1), seen.any(0)):
        places = along.nonzero().squeeze(1)
        ends.append(slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 1))
    return ends[0], ends[1]


def _cut(series: PerfusionSeries, box: tuple[slice, slice]) -> PerfusionSeries:
    return PerfusionSeries(
        series.relative_delta_m[box].clone(),
        series.mask[box].clone(),
        series.noise.clone(),
        series.acquisitions,
        slice_delay=series.slice_delay,
        weights=series.weights,
    )


@dataclass(frozen=True)
class Together:
    """Several samples as one batch, with the phantom first.

    Parameters
    ----------
    given
        What the network sees; its images are ``(phantom, draw, slice, channel, x, y)``.
    target
        What it should say; its images are ``(parameter, phantom, slice, x, y)``.
    """

    given: NetworkInput
    target: Target


def put_together(samples: Sequence[Sample], dials: Tensor) -> Together:
    """Make one batch of samples of different sizes and protocols.

    Parameters
    ----------
    samples
        The samples, padded here to the size of the largest.
    dials
        Weight of bias against variance of each, ``(phantom,)``.
    """
    size = tuple(max(sample.size[axis] for sample in samples) for axis in (0, 1))

    def fill(image: Tensor, outside: float) -> Tensor:
        margins = (0, size[1] - image.shape[-1], 0, size[0] - image.shape[-2])
        return pad(image, margins, value=outside)

    given = NetworkInput.stack([sample.given.with_images(fill) for sample in samples])
    target = Target(
        torch.stack([fill(sample.truth, 0.0) for sample in samples], 1),
        torch.stack([fill(sample.bound, 1.0) for sample in samples], 1),
        torch.stack([fill(sample.mask, False) for sample in samples]),
        dials.reshape(-1, 1, 1, 1),
        torch.stack([fill(sample.importance, 0.0) for sample in samples]),
    )
    return Together(given, target)


def mirrored(sample: Sample, axes: tuple[int, ...]) -> Sample:
    """Mirror the images of a sample as they were simulated along x (-2) or y (-1)."""

    def flip(image: Tensor, _: float) -> Tensor:
        return image.flip(axes)

    return Sample(
        sample.given.with_images(flip),
        flip(sample.truth, 0),
        flip(sample.bound, 0),
        flip(sample.mask, 0),
        flip(sample.importance, 0),
        sample.series,
        axes,
    )


@dataclass(frozen=True)
class Simulated(Dataset[list[Sample]]):
    """The batches of a recipe by number: each is the same whenever and wherever it is made."""

    recipe: TrainingRecipe
    device: str = 'cpu'

    def __getitem__(self, number: int) -> list[Sample]:
        """Simulate one batch."""
        recipe = self.recipe
        generator = torch.Generator(self.device)
        generator.manual_seed(recipe.seed * SEED_STRIDE + number)
        settings = TrainingSettings(
            n_phantoms=recipe.batch,
            shape=(recipe.slices, recipe.size, recipe.size),
            known_physics=recipe.known_physics,
            voxelwise=recipe.voxelwise,
            fine_structure=recipe.fine_structure,
        )
        batch = draw_batch(settings, generator)
        return samples_of(batch, recipe)


def simulate(
    recipe: TrainingRecipe, numbers: range, *, device: str = 'cpu', n_workers: int = 0
) -> Iterator[list[Sample]]:
    """Simulate batches in the order of their numbers.

    Parameters
    ----------
    recipe
        What they are made of.
    numbers
        Which.
    device
        Where; on a GPU without workers.
    n_workers
        Processes that simulate ahead.
    """
    workers = n_workers if device == 'cpu' else 0
    loader = DataLoader(
        Simulated(recipe, device),
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        prefetch_factor=2 if workers else None,
        multiprocessing_context='spawn' if workers else None,
        generator=torch.Generator(),
    )
    for samples in loader:
        yield [_owned(sample) for sample in samples] if workers else samples


def _owned(sample: Sample) -> Sample:
    """Copy what a worker shares: every shared tensor keeps a file open."""
    return Sample(
        sample.given.copied(),
        sample.truth.clone(),
        sample.bound.clone(),
        sample.mask.clone(),
        sample.importance.clone(),
        tuple(_cut(one, (slice(None), slice(None))) for one in sample.series),
    )
