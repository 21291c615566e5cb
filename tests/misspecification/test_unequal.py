"""Standard deviations where timings were not measured equally often."""

from dataclasses import replace

import pytest
import torch
from voxels import SHORT_DELAYS, Population, measure, pcasl

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.misspecification.assessment import assess
from aslprep_nn.misspecification.unequal import covariance_of_all
from aslprep_nn.signal.model import SignalModel

ONE_VOXEL = Population((60, 60), (1.2, 1.2), 0.001)


def unequal(counts: tuple[int, ...], delays=SHORT_DELAYS[:5]) -> Acquisition:
    pld = tuple(delay for delay, count in zip(delays, counts, strict=True) for _ in range(count))
    return replace(pcasl(), pld=pld, labeling_duration=(1.5,) * len(pld))


def without_one(data: torch.Tensor) -> torch.Tensor:
    data = data.clone()
    data[:, 3] = torch.nan
    return data


@pytest.mark.parametrize(
    ('acquisition', 'change'),
    [
        (unequal((6, 6, 6, 10, 15)), lambda data: data),
        (unequal((5, 9, 20, 5, 5)), lambda data: data),
        (pcasl(delays=SHORT_DELAYS, repetitions=5), without_one),
    ],
    ids=['later delays more often', 'one delay most often', 'a measurement missing'],
)
def test_the_standard_deviation_is_that_of_the_estimates(acquisition, change):
    data = change(measure(acquisition, ONE_VOXEL, n_voxels=4000))
    fit = fit_cbf_att(data, acquisition)
    found = assess(data, acquisition, fit).statistics
    for name in ('cbf', 'att'):
        expected = float(fit.parameters[name].std())
        promised = float(found[f'std{name}'].square().mean().sqrt())
        assert promised == pytest.approx(expected, rel=0.06), name


def test_a_fluctuating_flow_is_in_it_where_counts_differ():
    """The m-th measurements of all timings share the flow of that repetition."""
    counts = (8, 8, 8, 12, 12)
    acquisition, generator = unequal(counts), torch.Generator().manual_seed(3)
    data = measure(acquisition, replace(ONE_VOXEL, noise=1e-4), n_voxels=3000)
    flow = 1 + 0.1 * torch.randn(3000, max(counts), generator=generator, dtype=torch.float64)
    data = data * torch.cat([flow[:, :count] for count in counts], 1)
    fit = fit_cbf_att(data, acquisition)
    found = assess(data, acquisition, fit).statistics
    promised = float(found['stdcbf'].square().mean().sqrt())
    assert promised == pytest.approx(float(fit.parameters['cbf'].std()), rel=0.1)


def test_complete_repetitions_have_the_sandwich_of_their_vectors():
    acquisition = pcasl(delays=SHORT_DELAYS, repetitions=6)
    data = measure(acquisition, n_voxels=50)
    fit = fit_cbf_att(data, acquisition)
    found = assess(data, acquisition, fit).statistics
    repetitions = Repetitions.of([acquisition])
    point = (fit.parameters[name].double() for name in ('cbf', 'att'))
    here = SignalModel.of(repetitions.acquisitions).linearize(*point)
    covariance = covariance_of_all(data, repetitions, here)
    for name, variance in (('cbf', covariance.cbf), ('att', covariance.att)):
        torch.testing.assert_close(variance.sqrt().float(), found[f'std{name}'], rtol=1e-4, atol=0)
