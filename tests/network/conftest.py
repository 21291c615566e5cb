"""Small brains that the tests of the network share."""

from dataclasses import dataclass, replace

import pytest
import torch

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.estimation.series import PerfusionSeries
from aslprep_nn.signal.kinetics import delta_m
from aslprep_nn.signal.protocol import Protocol

DELAYS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
PCASL = (Acquisition(LabelingType.PCASL, DELAYS, (1.8,) * 6, 0.85),)
VSASL = (Acquisition(LabelingType.VSASL, DELAYS, (1.0,) * 6, 0.56),)
PASL = (Acquisition(LabelingType.PASL, tuple(0.3 * i for i in range(1, 9)), (0.8,) * 8, 0.98),)
ONE_DELAY = (Acquisition(LabelingType.PCASL, (1.8,), (1.8,), 0.85),)
PROTOCOLS = {'one_delay': ONE_DELAY, 'pcasl': PCASL, 'pasl': PASL, 'pcasl_vsasl': PCASL + VSASL}


@dataclass(frozen=True)
class Brain:
    """A disc of random tissue."""

    cbf: torch.Tensor
    att: torch.Tensor
    series: PerfusionSeries

    def scaled(self, factor: float) -> PerfusionSeries:
        """Multiply the signal and its noise."""
        return replace(
            self.series,
            relative_delta_m=factor * self.series.relative_delta_m,
            noise=factor * self.series.noise,
        )


def brain(
    protocol='pcasl', *, shape=(21, 18, 3), noise=1e-3, seed=0, uniform=False, **more
) -> Brain:
    """Simulate one whose voxels differ, or are ``uniform``; ``more`` goes to the series."""
    generator = torch.Generator().manual_seed(seed)

    def draw(low, high):
        size = (1, 1, 1) if uniform else shape
        share = torch.rand(size, generator=generator, dtype=torch.float64)
        return low + (high - low) * share.expand(shape)

    cbf, att = draw(20, 90), draw(0.6, 2.2)
    acquisitions = PROTOCOLS[protocol]
    data = torch.cat([delta_m(cbf, att, Protocol.of(a)) for a in acquisitions], -1)
    data = data + noise * torch.randn(data.shape, generator=generator, dtype=torch.float64)
    x, y = (torch.arange(n) - n // 2 for n in shape[:2])
    disc = (x[:, None].square() + y.square() < (min(shape[:2]) // 2) ** 2).unsqueeze(-1)
    mask = disc.expand(shape).clone()
    series = PerfusionSeries(data, mask, torch.tensor(noise), acquisitions, **more)
    return Brain(cbf, att, series)


@pytest.fixture(scope='session')
def make_brain():
    return brain
