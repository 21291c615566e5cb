"""A head measured without registration or template: cortex around white matter."""

from dataclasses import replace

import numpy as np
import torch

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.single_delay import single_delay_cbf
from aslprep_nn.maps import FitStatus
from aslprep_nn.quality.measured_run import MeasuredRun
from aslprep_nn.signal.kinetics import pcasl_delta_m
from aslprep_nn.signal.protocol import Protocol

SHAPE = (24, 30, 14)
AFFINE = np.array([[6.0, 0, 0, -69], [0, 6.0, 0, -87], [0, 0, 8.0, -52], [0, 0, 0, 1]])
X, Y, Z = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing='ij')
RADIUS = np.sqrt(X**2 + Y**2 + Z**2)
MASK = RADIUS < 0.95
CBF = np.where(RADIUS > 0.6, 60.0, 22.0)
SEVERAL = Acquisition(LabelingType.PCASL, (0.25, 0.7, 1.2, 1.7, 2.2) * 4, (1.6,) * 20, 0.8)
ONE = Acquisition(LabelingType.PCASL, (1.8,) * 8, (1.8,) * 8, 0.8)


def signal(acquisition: Acquisition, noise: float = 5e-4, seed: int = 0) -> np.ndarray:
    """Simulate delta M / M0, ``(x, y, z, measurement)``."""
    att = torch.from_numpy(0.8 + 0.3 * (RADIUS < 0.6))
    clean = pcasl_delta_m(torch.from_numpy(CBF), att, Protocol.of(acquisition)).numpy()
    relative = clean + np.random.default_rng(seed).normal(0, noise, clean.shape)
    return np.where(MASK[..., None], relative, np.nan)


def fit(run: MeasuredRun) -> MeasuredRun:
    """Estimate CBF from the signal of a run, as its acquisition is stated."""
    estimate = fit_cbf_att if run.acquisition.is_multi_delay else single_delay_cbf
    found = estimate(torch.from_numpy(run.relative_delta_m[MASK]), run.acquisition)
    cbf = np.full(SHAPE, np.nan)
    cbf[MASK] = found.parameters['cbf'].numpy()
    status = np.full(SHAPE, FitStatus.OUTSIDE, dtype=np.uint8)
    status[MASK] = found.status.numpy()
    return replace(run, cbf=cbf, status=status)


def healthy(acquisition: Acquisition) -> MeasuredRun:
    return fit(
        MeasuredRun(
            acquisition=acquisition,
            affine=AFFINE,
            mask=MASK,
            relative_delta_m=signal(acquisition),
            cbf=np.zeros(SHAPE),
            status=np.zeros(SHAPE, dtype=np.uint8),
            slice_delay=np.zeros(SHAPE),
            framewise_displacement=np.array([np.nan, np.nan, *[0.2] * 20]),
            control_over_m0=0.2,
            is_suppressed=True,
        )
    )
