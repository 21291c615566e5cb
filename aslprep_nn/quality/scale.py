"""An M0 stored in other units than the series, and how one can tell."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch

from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.single_delay import single_delay_cbf
from aslprep_nn.quality.measured_run import MeasuredRun

#: What M0 has been found to be off by: powers of ten from exports that round or rescale, 32 from
#: GE's 3-D sequence, which stores its differences multiplied by it.
FACTORS = (10.0, 32.0, 100.0)

#: CBF of grey matter that a right scale should give, and how far around it a wrong factor is
#: still told from its neighbours [mL/100 g/min].
TYPICAL_CBF, POSSIBLE_CBF = 55.0, (25.0, 110.0)

#: Control over M0 of an unsuppressed series that is measured in one unit.
SAME_UNIT = (0.4, 1.6)

#: A ratio within this factor of a known one is taken for it.
NEAR = 1.7


def suspected_factor(run: MeasuredRun) -> tuple[float, str] | None:
    """Find what M0 may have to be multiplied with, and say why; None where nothing points to it.

    Two kinds of evidence: unsuppressed controls are about as bright as M0, whatever the flow;
    and one of the known factors turns an impossible CBF into a common one.

    Returns
    -------
    The factor for ``--m0-scale``, and the evidence as a clause.
    """
    ratio = run.control_over_m0
    if ratio is not None and run.is_suppressed is False:
        if SAME_UNIT[0] <= ratio <= SAME_UNIT[1]:
            return None
        factor = _nearest(ratio)
        if abs(math.log(factor / ratio)) <= math.log(NEAR):
            return factor, (
                f'the controls, which were not suppressed, are {ratio:.3g} times as bright as M0 '
                'where about 1 is expected'
            )
    cbf = grey_cbf_with_factors(run)
    likely = min(cbf, key=lambda factor: abs(math.log(max(cbf[factor], 1e-9) / TYPICAL_CBF)))
    if not POSSIBLE_CBF[0] <= cbf[likely] <= POSSIBLE_CBF[1]:
        return None
    bright = (
        f', and the suppressed controls are {ratio:.3g} times as bright as M0'
        if ratio is not None and run.is_suppressed and ratio > SAME_UNIT[1]
        else ''
    )
    return likely, (
        f'grey-matter-like CBF is {run.grey_cbf:.3g} mL/100 g/min, and {cbf[likely]:.0f} if M0 is '
        f'multiplied by {likely:g}{bright}'
    )


def grey_cbf_with_factors(run: MeasuredRun) -> Mapping[float, float]:
    """Return CBF of the grey-matter-like mean signal for M0 times each known factor.

    Estimated anew, because CBF is not proportional to the signal where it is impossibly high.
    """
    factors = [*FACTORS, *(1 / factor for factor in FACTORS)]
    signal = np.nanmean(run.relative_delta_m[run.mask][run.grey].astype(float), axis=0)
    delay = float(run.slice_delay[run.mask][run.grey].mean())
    scaled = torch.from_numpy(np.stack([signal / factor for factor in factors]))
    delays = torch.full((len(factors),), delay, dtype=torch.float64)
    if run.acquisition.is_multi_delay:
        fit = fit_cbf_att(scaled, run.acquisition, slice_delay=delays, dtype=torch.float64)
    else:
        fit = single_delay_cbf(scaled, run.acquisition, slice_delay=delays, dtype=torch.float64)
    found = fit.parameters['cbf'].nan_to_num().tolist()
    return dict(zip(factors, found, strict=True))


def _nearest(ratio: float) -> float:
    """Return the known factor nearest to a ratio."""
    factors = [*FACTORS, *(1 / factor for factor in FACTORS)]
    return min(factors, key=lambda factor: abs(math.log(factor / max(ratio, 1e-9))))
