"""Does the amplitude of the signal reach CBF, as it must?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.estimation.series import PerfusionSeries
from aslprep_nn.evaluation.conditions import Condition, measured
from aslprep_nn.evaluation.phantoms import Phantoms
from aslprep_nn.network.features import network_input
from aslprep_nn.network.model import AmplitudeAwareNetwork, Estimate
from aslprep_nn.network.samples import series_of

#: The signal is multiplied by these.
FACTORS = (0.1, 0.3, 1.0, 3.0, 10.0)
#: What M0 and the difference signal are multiplied by together.
COMMON_FACTOR = 3.7


class Sensitivity(NamedTuple):
    """How estimates follow the amplitude of the signal.

    Parameters
    ----------
    ratios
        Mean amplitude at each of `FACTORS` over that at 1, which it should equal [1]. Amplitude
        is CBF but for the known nonlinearity of its clearance.
    slope
        Of the logarithm of the mean amplitude against that of the factor: 1 [1].
    att_change
        Largest change of ATT in any voxel [s].
    common_change
        Largest change, relative for the amplitude and absolute for ATT [s], where M0 is
        multiplied, too.
    """

    ratios: tuple[float, ...]
    slope: float
    att_change: float
    common_change: float


def amplitude_sensitivity(
    network: AmplitudeAwareNetwork, phantoms: Phantoms, snr: float, dial: float, seed: int
) -> Sensitivity:
    """Multiply the signal and its noise of some phantoms, M0 as it was, and see what changes."""
    batch = next(measured(phantoms, Condition(snr), seed))
    rows = []
    for phantom in range(batch.mask.shape[0]):
        series = series_of(batch, 0, phantom)
        plain = _estimate(network, series, dial)
        scaled = [_estimate(network, _scaled(series, factor), dial) for factor in FACTORS]
        inside = series.inside
        means = [one.amplitude[inside].mean() for one in scaled]
        att = max(_largest(one.att - plain.att) for one in scaled)
        common = _estimate(network, _with_common_factor(series), dial)
        relative = (common.amplitude - plain.amplitude) / plain.amplitude[inside].abs().mean()
        change = max(_largest(relative), _largest(common.att - plain.att))
        rows.append((torch.stack(means) / plain.amplitude[inside].mean(), att, change))
    ratios = torch.stack([row[0] for row in rows]).mean(0)
    return Sensitivity(
        tuple(ratios.tolist()),
        _slope(FACTORS, ratios),
        max(row[1] for row in rows),
        max(row[2] for row in rows),
    )


@torch.inference_mode()
def _estimate(network: AmplitudeAwareNetwork, series: PerfusionSeries, dial: float) -> Estimate:
    found: Estimate = network(network_input(series, network.settings.features), torch.tensor(dial))
    return found


def _scaled(series: PerfusionSeries, factor: float) -> PerfusionSeries:
    return replace(
        series,
        relative_delta_m=factor * series.relative_delta_m,
        noise=factor * series.noise,
    )


def _with_common_factor(series: PerfusionSeries) -> PerfusionSeries:
    """Let the scanner's units change: delta M and M0, of any size, grow by one factor."""
    m0 = 1000.0 + torch.arange(series.mask.numel()).reshape(series.mask.shape) % 7
    delta_m = series.relative_delta_m * m0.unsqueeze(-1)
    again = (COMMON_FACTOR * delta_m) / (COMMON_FACTOR * m0).unsqueeze(-1)
    return replace(series, relative_delta_m=again)


def _largest(change: Tensor) -> float:
    return change.abs().max().item()


def _slope(factors: Sequence[float], ratios: Tensor) -> float:
    x = torch.tensor(factors, dtype=ratios.dtype).log()
    y = ratios.clamp(min=1e-6).log()
    x = x - x.mean()
    return float((x * (y - y.mean())).sum() / x.square().sum())
