"""Philips intensities: display values are scaled for each series, its own value is not.

A stored number n is shown as n RS + RI; the signal is that over RS SS (Chenevert et al. 2014,
eq. 1), RS and SS being chosen anew for each series. Whoever divides a series by an M0 image of
another series must compare signals.
"""

from __future__ import annotations

from aslprep_nn.bids.sidecar import Sidecar

RESCALE, SCALE = 'PhilipsRescaleSlope', 'PhilipsScaleSlope'
IS_SIGNAL = 'UsePhilipsFloatNotDisplayScaling'


def m0_scale_correction(series: Sidecar, m0scan: Sidecar) -> float | None:
    """Return what brings M0 to the unit of the series, 1 where both hold signals.

    Parameters
    ----------
    series, m0scan
        The sidecars.

    Returns
    -------
    A factor; None, with a problem in the sidecar of M0, where it cannot be told.
    """
    slopes = [_slope(sidecar) for sidecar in (series, m0scan)]
    if any(slope is None for slope in slopes):
        return 1.0
    of_series, of_m0 = (float(slope) for slope in slopes if slope is not None)
    stored = [_holds_signal(sidecar) for sidecar in (series, m0scan)]
    if None in stored and of_series != of_m0:
        m0scan.complain(
            IS_SIGNAL,
            f'1 for signals or 0 for display values, in both sidecars: {RESCALE} and {SCALE} of '
            'M0 and series differ',
            'Convert again by dcm2niix, which writes the field, or add it.',
        )
        return None
    correction = 1.0
    if stored[0] is False:
        correction *= of_series
    if stored[1] is False:
        correction /= of_m0
    return correction


def _slope(sidecar: Sidecar) -> float | None:
    """Return display units per signal; None where it is not stated."""
    rescale, scale = sidecar.number(RESCALE), sidecar.number(SCALE)
    if rescale is None or scale is None:
        return None
    if rescale <= 0 or scale <= 0:
        field = RESCALE if rescale <= 0 else SCALE
        sidecar.complain(field, 'above 0', 'Convert the series again.')
        return None
    return rescale * scale


def _holds_signal(sidecar: Sidecar) -> bool | None:
    value = sidecar.values.get(IS_SIGNAL)
    return None if value is None else bool(value)
