"""What the network is given: profiles at several smoothings, free of scale and of protocol.

The number of channels is fixed whatever the protocol. Multiplying the signal and its noise by
one number changes nothing here except ``scale``, which multiplies the network's CBF.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.estimation.measurements import Measurements
from aslprep_nn.estimation.profile import N_ATT, Profile, profile
from aslprep_nn.estimation.series import PerfusionSeries
from aslprep_nn.estimation.smoothing import mean_around
from aslprep_nn.network.conditioning import N_BOUNDS, amplitudes, conditions

#: Grid points per channel: probabilities are summed over them, drops and amplitudes sampled.
POINTS_PER_CHANNEL, POINTS_PER_AMPLITUDE = 4, 6
#: Middle of the range of ATT [s]; channels of ATT are centred on it.
MIDDLE_ATT = 1.5
#: Channels that are the moments of a posterior.
N_MOMENTS = 4
#: Least reference amplitude, in posterior standard deviations: nothing is divided by noise.
LEAST_SCALE = 0.1
#: No step is shown to be larger [posterior standard deviations].
FARTHEST = 20.0
#: Added to the mean square of steps before its logarithm is taken [posterior variances].
LEAST_SQUARE = 0.01
#: What stands for the moments outside the mask: no amplitude, unit standard deviation.
OUTSIDE = (0.0, 1.0, 0.0, 1.0)


@dataclass(frozen=True)
class FeatureSettings:
    """Which channels and conditions are made.

    Parameters
    ----------
    smoothings
        Standard deviations of the kernels the profiles are taken after [voxel].
    roughness
        Whether the network is told how large the steps of smoothing are around each voxel, and
        on average over each slice: how much more than noise there is to smooth away.
    """

    smoothings: tuple[float, ...] = (0.0, 0.7, 1.5, 3.0)
    roughness: bool = True

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        apiece = 2 * N_ATT // POINTS_PER_CHANNEL + N_ATT // POINTS_PER_AMPLITUDE + N_MOMENTS
        return apiece * len(self.smoothings) + self.n_steps + self.n_roughnesses

    @property
    def n_att_steps(self) -> int:
        """Number of steps of ATT: one per smoothing."""
        return len(self.smoothings) - 1

    @property
    def n_amplitude_steps(self) -> int:
        """Number of steps of the amplitude: one per smoothing, and per pair of them."""
        return self.n_att_steps + len(list(combinations(self.smoothings, 2)))

    @property
    def n_steps(self) -> int:
        """Number of steps of the amplitude and of ATT."""
        return self.n_amplitude_steps + self.n_att_steps

    @property
    def n_roughnesses(self) -> int:
        """Number of roughnesses: one per step."""
        return self.n_steps * self.roughness

    @property
    def n_conditions(self) -> int:
        """Number of conditions of a slice."""
        return N_BOUNDS + len(self.smoothings) + self.n_roughnesses


class Posterior(NamedTuple):
    """Posterior mean and standard deviation of amplitude and ATT, ``(..., slice, x, y)``.

    Amplitudes are relative to the scale [1], ATT in s.
    """

    amplitude: Tensor
    amplitude_std: Tensor
    att: Tensor
    att_std: Tensor


@dataclass(frozen=True)
class NetworkInput:
    """Everything the network sees of one volume, or of several of one size.

    Parameters
    ----------
    features
        ``(..., slice, channel, x, y)``, 0 outside the mask.
    mask
        ``(..., slice, 1, x, y)``, boolean.
    conditions
        What the protocol can tell at this noise, ``(..., slice, condition)``.
    amplitudes
        Amplitude relative to the noise, by label type, ``(..., slice, amplitude)``.
    posterior
        What the network corrects; 0 outside the mask, its standard deviations 1.
    steps
        How far each smoothing would move the amplitude, and then ATT, in posterior standard
        deviations, less where there is more than noise to smooth, ``(..., slice, step, x, y)``.
    scale
        Reference amplitude by which all others were divided, ``(..., 1, 1, 1)`` [mL/100 g/min].
    """

    features: Tensor
    mask: Tensor
    conditions: Tensor
    amplitudes: Tensor
    posterior: Posterior
    steps: Tensor
    scale: Tensor

    @classmethod
    def stack(cls, inputs: list[NetworkInput]) -> NetworkInput:
        """Make a batch of volumes of one size."""
        parts = {
            field.name: torch.stack([getattr(one, field.name) for one in inputs])
            for field in fields(cls)
            if field.name != 'posterior'
        }
        posteriors = zip(*(one.posterior for one in inputs), strict=True)
        return cls(**parts, posterior=Posterior(*(torch.stack(part) for part in posteriors)))

    def with_images(self, change: Callable[[Tensor, float], Tensor]) -> NetworkInput:
        """Change everything that has voxels along its last two axes.

        Parameters
        ----------
        change
            Takes an image and the value it has outside the mask.
        """
        posterior = Posterior(
            *(change(part, outside) for part, outside in zip(self.posterior, OUTSIDE, strict=True))
        )
        return replace(
            self,
            features=change(self.features, 0.0),
            mask=change(self.mask, False),
            posterior=posterior,
            steps=change(self.steps, 0.0),
        )

    def copied(self) -> NetworkInput:
        """Copy everything into memory of its own."""
        copy = self.with_images(lambda image, _: image.clone())
        rest = ('conditions', 'amplitudes', 'scale')
        return replace(copy, **{name: getattr(self, name).clone() for name in rest})


def network_input(series: PerfusionSeries, settings: FeatureSettings | None = None) -> NetworkInput:
    """Turn a perfusion series into what the network sees.

    Voxels without a measurement leave the mask.
    """
    settings = settings or FeatureSettings()
    present = torch.isfinite(series.relative_delta_m).any(-1)
    series = series.within(present)
    measured = [_measured(series, sigma) for sigma in settings.smoothings]
    profiles = [profile(m, series.voxel_noise) for m in measured]
    scale = _scale(profiles[-1])
    moments = [_posterior(p, scale) for p in profiles]
    steps = _steps(profiles, moments, scale)
    channels = [_channels(p, q, scale) for p, q in zip(profiles, moments, strict=True)]
    around = _mean_squares(series, steps)
    roughness = (around + LEAST_SQUARE).log()[: settings.n_roughnesses]
    channels += [steps.asinh(), roughness]
    return NetworkInput(
        features=series.image(torch.cat(channels)).movedim(0, 1),
        mask=series.inside.unsqueeze(1),
        conditions=conditions(series, scale, profiles, roughness),
        amplitudes=amplitudes(series, series.measurements(), scale),
        posterior=Posterior(
            *(
                series.image(part, outside)
                for part, outside in zip(moments[0], OUTSIDE, strict=True)
            )
        ),
        steps=series.image(_reliable(steps, around)).movedim(0, 1),
        scale=scale.reshape(1, 1, 1),
    )


def _measured(series: PerfusionSeries, sigma: float) -> Measurements:
    return series.smoothed(sigma) if sigma > 0 else series.measurements()


def _scale(smoothest: Profile) -> Tensor:
    """Average the amplitude of a volume, a scalar [mL/100 g/min]; never much below its noise."""
    mean = smoothest.amplitude.clamp(min=0).mean()
    return torch.maximum(mean, LEAST_SCALE * smoothest.amplitude_std.mean())


def _posterior(found: Profile, scale: Tensor) -> Posterior:
    return Posterior(found.amplitude / scale, found.amplitude_std / scale, found.att, found.att_std)


def _channels(found: Profile, moments: Posterior, scale: Tensor) -> Tensor:
    """List the channels of one smoothing, ``(channel, voxel)``."""
    n_sums, n_voxels = N_ATT // POINTS_PER_CHANNEL, found.probability.shape[-1]
    pooled = found.probability.reshape(n_sums, POINTS_PER_CHANNEL, n_voxels)
    drop = found.drop[POINTS_PER_CHANNEL // 2 :: POINTS_PER_CHANNEL].tanh()
    amplitude = found.conditional_amplitude[POINTS_PER_AMPLITUDE // 2 :: POINTS_PER_AMPLITUDE]
    summary = [
        moments.amplitude.asinh(),
        moments.amplitude_std.log(),
        moments.att - MIDDLE_ATT,
        moments.att_std.log(),
    ]
    return torch.cat([pooled.sum(1), drop, (amplitude / scale).asinh(), torch.stack(summary)])


def _steps(profiles: list[Profile], moments: list[Posterior], scale: Tensor) -> Tensor:
    """Lead from the posterior mean of a voxel alone to that of its smoothest surroundings.

    An amplitude has a smoothing of its own and one, at least as strong, of the ATT it is taken
    at: much of what neighbours give comes from there (see `estimation.hybrid`). A step smooths
    once more; the amplitude where it can, else the ATT. Unlike the estimates themselves, their
    steps share little noise, so that a share of one can be learnt without the others.

    Returns
    -------
    Steps of the amplitude, then of ATT, in posterior standard deviations, ``(step, voxel)``.
    """
    own, n = moments[0], len(moments)
    amplitude = {
        (light, strong): moments[light].amplitude
        if light == strong
        else profiles[light].amplitude_at(moments[strong].att) / scale
        for strong in range(n)
        for light in range(strong + 1)
    }
    steps = [
        (found - amplitude[(light - 1, strong) if light else (0, strong - 1)]) / own.amplitude_std
        for (light, strong), found in amplitude.items()
        if strong
    ]
    steps += [(moments[k].att - moments[k - 1].att) / own.att_std for k in range(1, n)]
    if not steps:
        return own.att.new_zeros(0, len(own.att))
    return torch.stack(steps).clamp(-FARTHEST, FARTHEST)


def _mean_squares(series: PerfusionSeries, steps: Tensor) -> Tensor:
    """Average squared steps around each voxel, ``(step, voxel)``."""
    around = mean_around(series.image(steps).square(), series.inside)
    return around[:, series.inside].to(steps)


def _reliable(steps: Tensor, around: Tensor) -> Tensor:
    """Shrink steps where they are larger than noise makes them, as a Wiener filter does.

    Noise alone gives steps of less than one standard deviation. Where their mean square around
    a voxel is larger, smoothing takes detail away (Lee 1980). Without this the few steps that
    are far too large would outweigh all others in training.

    Parameters
    ----------
    steps, around
        Steps, and their mean squares around each voxel, ``(step, voxel)``.
    """
    return steps / (1 + around)
