"""A deviation that another test already tells of is not tested twice."""

import pytest
import torch
from voxels import BRAIN, DELAYS, SHORT_DELAYS, Population, measure, pcasl

from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.misspecification.assessment import assess
from aslprep_nn.misspecification.directions import assumption_directions
from aslprep_nn.misspecification.distinct import LEAST_DIFFERENCE, distinct, told_from_parameters
from aslprep_nn.misspecification.projections import Projections
from aslprep_nn.misspecification.vectors import RepetitionVectors
from aslprep_nn.signal.model import SignalModel

#: Delays half a second apart: arrivals from .7 to .8 s stay between two of them, give or take .2.
SPARSE_DELAYS = (0.5, 1.0, 1.5, 2.0, 2.5)
SCORES = ('tdecay', 'ttau', 'tdispersion')


def scores_of(delays: tuple[float, ...], att: tuple[float, float]) -> torch.Tensor:
    acquisition = pcasl(delays=delays, repetitions=8)
    data = measure(acquisition, Population((60, 90), att, 1e-4), n_voxels=200)
    found = assess(data, acquisition, fit_cbf_att(data, acquisition)).statistics
    return torch.stack([found[name] for name in SCORES])


def directions_of(delays: tuple[float, ...], cbf: float) -> tuple[Projections, Projections]:
    """Give the directions at arrivals of 0 to 3 s, as they are and without CBF and ATT."""
    acquisition = pcasl(delays=delays, repetitions=1)
    model, att = SignalModel.of([acquisition]), torch.linspace(0, 3, 301, dtype=torch.float64)
    flow = torch.full_like(att, cbf)
    here = model.linearize(flow, att)
    assumed = assumption_directions(model, flow, att, here)
    none = torch.zeros(1, len(delays), 301, dtype=torch.float64)
    vectors = RepetitionVectors(none, torch.ones(1, 301, dtype=torch.bool))
    directions = [here.d_cbf, here.d_att, *assumed]
    raw = Projections.of(vectors, directions, here.delta_m, n_parameters=2)
    return raw, raw.orthogonalized()


def test_dispersion_between_two_delays_is_tissue_decay_and_tested_once():
    decay, _, dispersion = scores_of(SPARSE_DELAYS, att=(0.72, 0.78))
    assert torch.isfinite(decay).all()
    assert dispersion.isnan().all()


def test_dispersion_across_a_delay_is_a_test_of_its_own():
    assert torch.isfinite(scores_of(SPARSE_DELAYS, att=(0.85, 1.15))[2]).all()


def test_a_longer_label_is_tissue_decay_where_it_acts_on_all_delays_but_one():
    decay, duration, _ = scores_of(SPARSE_DELAYS, att=(0.6, 0.9))
    assert torch.isfinite(decay).all()
    assert duration.isnan().all()


@pytest.mark.parametrize('delays', [SPARSE_DELAYS, SHORT_DELAYS, DELAYS])
def test_no_two_scores_of_a_voxel_are_the_same(delays):
    acquisition = pcasl(delays=delays, repetitions=8)
    data = measure(acquisition, BRAIN, n_voxels=2000)
    found = assess(data, acquisition, fit_cbf_att(data, acquisition)).statistics
    decay = found['tdecay'].abs()
    assert torch.isfinite(decay).double().mean() > 0.9
    for name in ('ttau', 'tdispersion'):
        assert ((found[name].abs() - decay).abs() < 1e-6 * decay).double().mean() < 0.002


@pytest.mark.parametrize('delays', [SPARSE_DELAYS, SHORT_DELAYS, DELAYS])
@pytest.mark.parametrize('cbf', [10.0, 60.0, 900.0])
def test_directions_are_either_the_same_or_clearly_apart(delays, cbf):
    """So that the limit decides nothing: it lies between two populations."""
    raw, rest = directions_of(delays, cbf)
    told = told_from_parameters(raw, rest, len(raw.energy))
    both = told & told[rest.n_parameters]
    difference = (1 - rest.likeness(rest.n_parameters)).abs()[rest.n_parameters + 1 :]
    between = (difference > 1e-6) & (difference < 2 * LEAST_DIFFERENCE)
    assert (between & both[rest.n_parameters + 1 :]).double().mean() < 0.01


def test_tissue_decay_itself_is_never_a_copy():
    raw, rest = directions_of(SPARSE_DELAYS, 60.0)
    told, own = (test(raw, rest, len(raw.energy)) for test in (told_from_parameters, distinct))
    assert torch.equal(told[: rest.n_parameters + 1], own[: rest.n_parameters + 1])
    assert not torch.equal(told, own)
