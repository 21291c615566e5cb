"""The network on a perfusion series: from the measurements to maps of CBF and ATT."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.profile import flow_with_std, status_of
from aslprep_nn.estimation.series import PerfusionSeries
from aslprep_nn.network.features import NetworkInput, network_input
from aslprep_nn.network.model import AmplitudeAwareNetwork, Estimate


@torch.inference_mode()
def estimate(network: AmplitudeAwareNetwork, series: PerfusionSeries, dial: float) -> Fit:
    """Estimate CBF and ATT in the masked voxels of a series.

    Parameters
    ----------
    network
        Trained or not; untrained it returns the posterior mean.
    series
        The measurements.
    dial
        Weight of bias against variance, 1 (least error) to 8 (least bias).

    Returns
    -------
    A fit with the parameters ``cbf`` and ``att``, one entry per voxel of the volume, ``(x * y *
    slice,)``; outside the mask NaN, with the status that says so. It holds no residual.
    """
    return estimate_at_dials(network, series, (dial,))[0]


@torch.inference_mode()
def estimate_at_dials(
    network: AmplitudeAwareNetwork, series: PerfusionSeries, dials: Sequence[float]
) -> list[Fit]:
    """Estimate at several dials what is looked at once; otherwise as `estimate`."""
    given = network_input(series, network.settings.features)
    device = given.features.device
    return [
        _fit(series, given, network(given, torch.tensor(dial, device=device))) for dial in dials
    ]


def _fit(series: PerfusionSeries, given: NetworkInput, found: Estimate) -> Fit:
    """Turn what the network says into flow, and put it into its places."""
    inside = given.mask.squeeze(1)
    seen = series.within(inside.movedim(0, -1))
    amplitude, amplitude_std, att, att_std = (part[inside] for part in found)
    att = att.clamp(min=0)
    cbf, cbf_std = flow_with_std(seen.measurements(), amplitude, amplitude_std, att)
    fit = Fit.nothing(series.mask.numel(), ('cbf', 'att'), cbf.dtype, cbf.device)
    noise = seen.voxel_noise.to(cbf)
    part = Fit(
        parameters={'cbf': cbf, 'att': att},
        std={'cbf': cbf_std, 'att': att_std},
        status=status_of(cbf, att_std),
        residual=torch.full_like(cbf, torch.nan),
        noise=noise,
    )
    fit.put(_places(inside), part)
    return fit


def _places(inside: Tensor) -> Tensor:
    """Number the masked voxels, slice by slice, as ``(x, y, slice)`` flattened does."""
    n_slices, n_x, n_y = inside.shape
    numbers = torch.arange(inside.numel(), device=inside.device)
    return numbers.reshape(n_x, n_y, n_slices).movedim(-1, 0)[inside]
