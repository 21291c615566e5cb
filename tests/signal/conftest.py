"""What the tests of every kinetic model share: protocols, and an independent convolution."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
import torch

from aslprep_nn.acquisition import Acquisition, BolusCutOff, LabelingType
from aslprep_nn.signal.continuous import ContinuousKinetics, OutflowKinetics
from aslprep_nn.signal.dispersion import DispersedKinetics
from aslprep_nn.signal.pulsed import (
    PulsedBolusKinetics,
    QuipssKinetics,
    VelocitySelectiveKinetics,
    WangEquation4Kinetics,
)
from aslprep_nn.signal.response import LabelDecay

PLD_21 = tuple(0.1 * i for i in range(11)) + tuple(1 + 0.2 * i for i in range(1, 11))
PLD_6 = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
TI_9 = (0.4, 0.7, 1.0, 1.3, 1.6, 1.9, 2.2, 2.5, 2.8)


def acquire(labeling, delays, duration, efficiency, **constants):
    return Acquisition(labeling, tuple(delays), (duration,) * len(delays), efficiency, **constants)


PCASL_21 = acquire(LabelingType.PCASL, PLD_21, 1.5, 0.85)
PCASL_6 = acquire(LabelingType.PCASL, PLD_6, 1.8, 0.85)
KIDNEY = acquire(LabelingType.PCASL, PLD_21, 1.5, 0.85, t1_tissue=1.4)
PASL_9 = acquire(LabelingType.PASL, TI_9, 0.8, 0.98)
QUIPSS_9 = acquire(LabelingType.PASL, TI_9, 0.8, 0.98, bolus_cut_off=BolusCutOff.QUIPSS)
VSASL_6 = acquire(LabelingType.VSASL, PLD_6, 1.0, 0.56)
BLOOD_LIKE = acquire(LabelingType.PASL, TI_9, 0.8, 0.98, t1_tissue=1.6787)


@dataclass(frozen=True)
class Case:
    """A model, a protocol and a point away from kinks."""

    name: str
    acquisition: Acquisition
    kinetics: object
    cbf: float
    att: float


CASES = [
    Case('pcasl_21', PCASL_21, ContinuousKinetics(), 60.0, 1.23),
    Case('pcasl_21_low_flow_late', PCASL_21, ContinuousKinetics(), 20.0, 1.77),
    Case('pcasl_21_high_flow', PCASL_21, ContinuousKinetics(), 100.0, 0.73),
    Case('pcasl_6_early', PCASL_6, ContinuousKinetics(), 60.0, 0.33),
    Case('pcasl_6', PCASL_6, ContinuousKinetics(), 30.0, 2.1),
    Case('kidney', KIDNEY, ContinuousKinetics(), 400.0, 0.87),
    Case('pcasl_blood_decay', PCASL_6, ContinuousKinetics(LabelDecay.BLOOD), 60.0, 1.73),
    Case('outflow', KIDNEY, OutflowKinetics(residence_time=0.82, outflow_rate=0.4), 300.0, 0.77),
    Case('dispersed', PCASL_21, DispersedKinetics(sharpness=6.0, time_to_peak=0.2), 60.0, 1.03),
    Case('pasl', PASL_9, PulsedBolusKinetics(), 60.0, 0.66),
    Case('pasl_tissue_like_blood', BLOOD_LIKE, PulsedBolusKinetics(), 60.0, 0.66),
    Case('quipss', QUIPSS_9, QuipssKinetics(), 60.0, 0.93),
    Case('quipss_early', QUIPSS_9, QuipssKinetics(), 60.0, 0.53),
    Case('vsasl', VSASL_6, VelocitySelectiveKinetics(), 60.0, 1.23),
    Case('vsasl_blood_decay', VSASL_6, VelocitySelectiveKinetics(LabelDecay.BLOOD), 60.0, 1.73),
    Case('wang_equation_4', PCASL_21, WangEquation4Kinetics(), 60.0, 1.23),
]


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request):
    return request.param


def gauss_legendre(function, breaks, n_points=60):
    """Integrate a function that is smooth between the breaks."""
    nodes, weights = np.polynomial.legendre.leggauss(n_points)
    total = 0.0
    for low, high in pairwise(breaks):
        half = (high - low) / 2
        total += half * float(weights @ function(low + half * (nodes + 1)))
    return total


@pytest.fixture(scope='session')
def integrate():
    return gauss_legendre


@pytest.fixture(scope='session')
def tensor():
    return lambda value: torch.tensor(value, dtype=torch.float64)
