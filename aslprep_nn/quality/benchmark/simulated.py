"""Simulated runs as the gates see them, without waiting for registration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from aslprep_nn.acquisition import Acquisition, M0Type, VolumeType
from aslprep_nn.calibration.evidence import typical_ratio
from aslprep_nn.calibration.m0 import (
    equilibrium_magnetisation,
    recovered_fraction,
    relative_to_brain,
    relative_to_m0,
)
from aslprep_nn.calibration.slice_timing import slice_delay
from aslprep_nn.constants import T1_TISSUE
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.single_delay import single_delay_cbf
from aslprep_nn.maps import FitStatus, FloatArray
from aslprep_nn.preprocessing.mask import brain_mask
from aslprep_nn.preprocessing.motion import framewise_displacement
from aslprep_nn.preprocessing.pairs import pair_volumes, subtract_label
from aslprep_nn.preprocessing.resample import resample_series
from aslprep_nn.quality.measured_run import MeasuredRun
from aslprep_nn.simulation.grid import Grid
from aslprep_nn.simulation.protocols import PROTOCOLS, Preset, ScanProtocol
from aslprep_nn.simulation.scanner import Scan

_MULTI, _SINGLE = PROTOCOLS[Preset.DEMO]

#: Coarse and few repetitions: the gates look at the whole brain.
_GRID = Grid((26, 32, 14), (8.0, 8.0, 9.0))
_SLICES = tuple(round(0.045 * k, 4) for k in range(_GRID.shape[2]))
_SEVERAL = replace(_MULTI, grid=_GRID, slice_times=_SLICES, n_pairs=3, snr=600.0)
_ONE = replace(_SINGLE, grid=_GRID, n_pairs=8, snr=600.0)

VARIANTS: Mapping[str, ScanProtocol] = {
    'several delays, 2-D': _SEVERAL,
    'several delays, unsuppressed': replace(
        _SEVERAL, static_fraction=(1.0,) * 6, n_suppression_pulses=0
    ),
    'several delays, subtracted': replace(_SEVERAL, subtracted=True),
    'one delay, 3-D': _ONE,
    'one delay, little signal': replace(_ONE, snr=150.0),
}


def measure(
    scan: Scan, acquisition: Acquisition | None = None, *, has_m0: bool = True
) -> MeasuredRun:
    """Process a scan as the app would, motion undone as it was made.

    Parameters
    ----------
    scan
        What was acquired.
    acquisition
        The protocol as its metadata state it; as it was when absent.
    has_m0
        Whether M0 is used to calibrate.
    """
    protocol = scan.protocol
    series = protocol.series
    types = tuple(volume.kind for volume in series)
    affine = protocol.grid.affine
    still, seen = resample_series(scan.series, affine, scan.motion.matrices)
    included = protocol.m0_type is M0Type.INCLUDED
    m0_volume = still[..., 0] if included or scan.m0scan is None else scan.m0scan
    mask = brain_mask(m0_volume, affine) & seen
    recovered = np.array([recovered_fraction(protocol.m0_repetition_time, T1_TISSUE.value)])
    m0 = equilibrium_magnetisation(m0_volume[..., None], recovered)
    timings = [(volume.pld, volume.labeling_duration) for volume in series]
    pairs = pair_volumes(types, timings)
    given = np.array(types) == VolumeType.DELTAM
    delta_m = subtract_label(still, pairs) if pairs else still[..., given]
    stated = acquisition or stated_acquisition(protocol)
    relative = relative_to_m0(delta_m, m0, mask) if has_m0 else relative_to_brain(delta_m, mask)
    cbf, status = _fit(relative, mask, stated)
    controls = np.array(types) == VolumeType.CONTROL
    return MeasuredRun(
        acquisition=stated,
        affine=affine,
        mask=mask,
        relative_delta_m=relative,
        cbf=cbf,
        status=status,
        slice_delay=slice_delay(stated, mask.shape),
        has_m0=has_m0,
        has_label_and_control=bool(pairs),
        framewise_displacement=framewise_displacement(scan.motion.parameters, types)
        if pairs
        else None,
        control_over_m0=typical_ratio(still[..., controls].mean(axis=-1), m0, mask)
        if has_m0 and controls.any()
        else None,
        is_suppressed=protocol.n_suppression_pulses > 0,
    )


def stated_acquisition(protocol: ScanProtocol) -> Acquisition:
    """Describe the measurements of a protocol with the T1 of tissue that the app assumes."""
    return replace(protocol.acquisition, t1_tissue=T1_TISSUE.value)


def _fit(
    relative: FloatArray, mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], stated: Acquisition
) -> tuple[FloatArray, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """Return CBF and status of every voxel, ``(x, y, z)``."""
    signal = torch.from_numpy(relative[mask])
    delay = torch.from_numpy(slice_delay(stated, mask.shape)[mask].copy())
    estimate = fit_cbf_att if stated.is_multi_delay else single_delay_cbf
    fit = estimate(signal, stated, slice_delay=delay)
    cbf = np.full(mask.shape, np.nan)
    cbf[mask] = fit.parameters['cbf'].numpy()
    status = np.full(mask.shape, FitStatus.OUTSIDE, dtype=np.uint8)
    status[mask] = fit.status.numpy()
    return cbf, status
