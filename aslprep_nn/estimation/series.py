"""A perfusion series as an image: the voxels of a brain with their neighbours."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.errors import Problem, UsageError
from aslprep_nn.estimation.measurements import Measurements
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.estimation.smoothing import smooth


@dataclass(frozen=True)
class PerfusionSeries:
    """Calibrated measurements over a volume.

    Parameters
    ----------
    relative_delta_m
        delta M / M0 of tissue, ``(x, y, slice, measurement)``; NaN marks a missing measurement.
    mask
        The voxels to estimate, ``(x, y, slice)``, boolean.
    noise
        Standard deviation of one measurement of weight 1, a scalar or ``(x, y, slice)``
        [delta M / M0].
    acquisitions
        The protocols, whose measurements follow one another.
    slice_delay
        Time after the first slice at which each slice was read out, ``(slice,)`` [s].
    t1_tissue
        Tissue T1, ``(x, y, slice)`` [s]; the acquisition's constant when absent.
    weights
        Relative precision of each measurement, ``(measurement,)``.

    Raises
    ------
    UsageError
        If the mask is not that of the volume.
    """

    relative_delta_m: Tensor
    mask: Tensor
    noise: Tensor
    acquisitions: tuple[Acquisition, ...]
    slice_delay: Tensor | None = None
    t1_tissue: Tensor | None = None
    weights: Tensor | None = None

    def __post_init__(self) -> None:
        if self.mask.shape == self.relative_delta_m.shape[:-1] and self.mask.ndim == 3:
            return
        found = f'of shape {tuple(self.mask.shape)}'
        expected = f'the volume of relative_delta_m, {tuple(self.relative_delta_m.shape[:-1])}'
        raise UsageError(Problem('series', 'mask', found, expected, 'Correct the call.'))

    def within(self, mask: Tensor) -> PerfusionSeries:
        """Keep only the voxels of another mask, ``(x, y, slice)``."""
        return replace(self, mask=self.mask & mask)

    @property
    def inside(self) -> Tensor:
        """The mask with slices first, ``(slice, x, y)``."""
        return self.mask.movedim(-1, 0)

    def voxels(self, image: Tensor) -> Tensor:
        """Take the masked voxels of ``(x, y, slice, ...)``, slice by slice: ``(voxel, ...)``."""
        return image.movedim(2, 0)[self.inside]

    def image(self, voxels: Tensor, outside: float = 0.0) -> Tensor:
        """Put ``(..., voxel)`` back into their places: ``(..., slice, x, y)``."""
        whole = voxels.new_full((*voxels.shape[:-1], *self.inside.shape), outside)
        whole[..., self.inside] = voxels
        return whole

    @property
    def voxel_noise(self) -> Tensor:
        """Noise of the masked voxels, ``(voxel,)``."""
        return self.voxels(self.noise.to(self.mask.device).expand(self.mask.shape))

    def measurements(self) -> Measurements:
        """List the measurements of the masked voxels."""
        n_voxels = self.inside.flatten(1).sum(1)
        delay, t1 = self.slice_delay, self.t1_tissue
        return Measurements(
            self.voxels(self.relative_delta_m),
            self.acquisitions,
            slice_delay=None
            if delay is None
            else delay.to(n_voxels.device).repeat_interleave(n_voxels),
            t1_tissue=None if t1 is None else self.voxels(t1),
            weights=self.weights,
        )

    def smoothed(self, sigma: float, *, sigma_through: float = 0.0) -> Measurements:
        """List what a Gaussian kernel inside the mask makes of the measurements.

        Parameters
        ----------
        sigma, sigma_through
            Standard deviation of the kernel within slices and across them [voxel]. Slices that
            were read out at different times measured different delays: do not mix those.

        Returns
        -------
        One measurement per distinct timing, whose weight says how much noise is left.
        """
        plain = self.measurements()
        repetitions = Repetitions.of(self.acquisitions)
        summary = repetitions.summarize(plain.relative_delta_m, self.weights)
        weight = summary.weight.to(summary.mean).expand_as(summary.mean)
        mean, weight = smooth(
            self.image(summary.mean),
            self.image(weight),
            {1: sigma_through, 2: sigma, 3: sigma},
        )
        return replace(
            plain,
            relative_delta_m=mean[:, self.inside].mT,
            acquisitions=repetitions.acquisitions,
            weights=weight[:, self.inside].mT,
        )
