"""Timings that no voxel has."""

import torch
from voxels import SHORT_DELAYS, measure, pcasl

from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.misspecification.absent import measured_part
from aslprep_nn.misspecification.assessment import NAMES, assess
from aslprep_nn.misspecification.trust import assess_run

SENTENCE = 'No voxel has a measurement at the delay of 1 s (labelling 1.5 s): the tests are of'
KEPT = tuple(delay for delay in SHORT_DELAYS if delay != 1.0)


def without_a_delay():
    acquisition = pcasl(delays=SHORT_DELAYS, repetitions=6)
    data = measure(acquisition, n_voxels=60)
    data[:, torch.tensor(acquisition.pld) == 1.0] = torch.nan
    return acquisition, data


def test_the_other_timings_are_tested_as_if_it_had_not_been_asked_for():
    acquisition, data = without_a_delay()
    found = assess(data, acquisition, fit_cbf_att(data, acquisition))
    rest, shorter = data[:, torch.tensor(acquisition.pld) != 1.0], pcasl(delays=KEPT, repetitions=6)
    direct = assess(rest, shorter, fit_cbf_att(rest, shorter))
    assert torch.isfinite(found.statistics['pnoise']).all()
    for name in NAMES:
        torch.testing.assert_close(
            found.statistics[name], direct.statistics[name], equal_nan=True, rtol=1e-3, atol=1e-3
        )


def test_it_is_said_once():
    acquisition, data = without_a_delay()
    fit = fit_cbf_att(data, acquisition)
    brain = {'brain': torch.ones(60, dtype=torch.bool)}
    for limits in (
        assess(data, acquisition, fit).limits,
        assess_run(data, acquisition, fit, brain)[1].limits,
    ):
        assert sum(SENTENCE in limit for limit in limits) == 1


def test_a_timing_that_few_voxels_have_is_kept():
    acquisition, data = without_a_delay()
    many = data.repeat(50, 1)
    many[2500, acquisition.pld.index(1.0)] = 0.01
    rest, (same,), sentences = measured_part(many, (acquisition,))
    assert rest is many
    assert (same, sentences) == (acquisition, ())


def test_of_several_acquisitions_only_the_one_that_lacks_a_timing_changes():
    acquisition, data = without_a_delay()
    other = pcasl(repetitions=2)
    both = torch.cat([measure(other, n_voxels=60), data], 1)
    rest, (same, shorter), sentences = measured_part(both, (other, acquisition))
    assert same == other
    assert shorter.pld == KEPT * 6
    assert rest.shape[1] == other.n_measurements + shorter.n_measurements
    assert torch.isfinite(rest).all()
    assert len(sentences) == 1
