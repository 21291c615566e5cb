"""CBF from one delay: the consensus formulas, which assume that all label has arrived."""

from __future__ import annotations

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition, BolusCutOff, LabelingType
from aslprep_nn.errors import Problem, UnsupportedError
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.maps import FitStatus
from aslprep_nn.signal.response import ML_PER_100G_MIN_PER_ML_G_S


def single_delay_cbf(
    relative_delta_m: Tensor,
    acquisition: Acquisition,
    *,
    slice_delay: Tensor | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = 'cpu',
) -> Fit:
    """Estimate CBF without ATT, by the formula its labelling calls for.

    (P)CASL and QUIPSS II: Alsop et al. (2015), eq. 1 and 2; Q2TIPS takes the same formula, with
    the inversion time and not the last saturation in the exponent (Luh et al. 1999); QUIPSS:
    Wong et al. (1998), eq. 4; VSASL: Qin et al. (2022), eq. 1. Where measurements differ in
    timing, their estimates are averaged by their precision.

    A negative estimate is noise about a small CBF. It is kept, so that regional means stay
    unbiased, and its status is `FitStatus.AT_BOUND`.

    Parameters
    ----------
    relative_delta_m
        delta M / M0 of tissue, ``(voxel, measurement)``; NaN marks a missing measurement.
    acquisition
        The protocol.
    slice_delay
        Time after the first slice at which each voxel was read out, ``(voxel,)`` [s].
    dtype, device
        Of the arithmetic.

    Returns
    -------
    A fit with the parameter ``cbf``. Its standard deviation is the standard error of the mean
    of the measurements, NaN where there is only one.

    Raises
    ------
    UnsupportedError
        If the bolus of a PASL acquisition has no known duration.
    """
    data = relative_delta_m.to(dtype=dtype, device=device)
    per_cbf = _signal_per_cbf(acquisition, slice_delay, data)
    present = torch.isfinite(data)
    data = torch.where(present, data, 0)
    precision = (present * per_cbf.square()).sum(-1)
    cbf = (data * per_cbf).sum(-1) / precision
    residual = (present * (data - per_cbf * cbf.unsqueeze(-1)).square()).sum(-1)
    noise = (residual / (present.sum(-1) - 1).clamp(min=0)).sqrt()
    failed = ~present.any(-1)
    status = torch.full_like(cbf, FitStatus.CONVERGED, dtype=torch.uint8)
    status[cbf < 0] = FitStatus.AT_BOUND
    status[failed] = FitStatus.FAILED
    return Fit(
        parameters={'cbf': cbf.masked_fill(failed, torch.nan)},
        std={'cbf': noise / precision.sqrt()},
        status=status,
        residual=residual.masked_fill(failed, torch.nan),
        noise=noise,
    )


def _signal_per_cbf(acquisition: Acquisition, slice_delay: Tensor | None, like: Tensor) -> Tensor:
    """Compute what one mL/100 g/min adds to each measurement, ``(..., measurement)``."""
    delay = torch.tensor(acquisition.pld, dtype=like.dtype, device=like.device)
    if slice_delay is not None:
        delay = delay + slice_delay.to(delay).unsqueeze(-1)
    t1_blood = acquisition.t1_blood
    duration = delay.new_tensor(acquisition.labeling_duration)
    if acquisition.labeling.is_continuous:
        bolus = t1_blood * -torch.expm1(-duration / t1_blood)
    elif acquisition.labeling is LabelingType.VSASL:
        bolus = delay
    elif acquisition.bolus_cut_off is BolusCutOff.QUIPSS:
        bolus = delay - duration
    elif acquisition.bolus_cut_off is not None:
        bolus = duration
    else:
        raise UnsupportedError(_NO_BOLUS_DURATION)
    scale = 2 * acquisition.labeling_efficiency / acquisition.partition_coefficient
    return scale / ML_PER_100G_MIN_PER_ML_G_S * bolus * torch.exp(-delay / t1_blood)


_NO_BOLUS_DURATION = Problem(
    'acquisition',
    'BolusCutOffFlag',
    'false for a PASL acquisition with one delay',
    'QUIPSS, QUIPSS II or Q2TIPS, without which the amount of label is unknown',
    'State the cut-off in the sidecar if there was one; otherwise only relative CBF exists.',
)
