"""What was fitted beside CBF and ATT, found again from the fit."""

import torch
from voxels import BRAIN, Population, measure, pcasl

from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.estimation.tissue_t1 import fit_cbf_att_t1
from aslprep_nn.misspecification.third_parameter import (
    Third,
    extend_by_arterial_blood,
    extend_by_t1,
    voxels_by_third,
)
from aslprep_nn.settings import Macrovascular
from aslprep_nn.signal.model import SignalModel

ACQUISITION = pcasl(repetitions=4)


def test_a_plain_fit_has_no_third_parameter():
    fit = fit_cbf_att(measure(ACQUISITION, n_voxels=5), ACQUISITION)
    assert list(voxels_by_third(fit)) == [Third.NONE]
    assert voxels_by_third(fit)[Third.NONE].all()


def test_voxels_are_told_apart_by_what_was_fitted():
    data = measure(ACQUISITION, BRAIN, n_voxels=30)
    fit = fit_cbf_att(data, ACQUISITION, macrovascular=Macrovascular.ON)
    fit.parameters['arterial_blood_volume'][:7] = torch.nan
    found = voxels_by_third(fit)
    arterial = fit.parameters['arterial_blood_volume'].isfinite()
    assert int(arterial.sum()) == 23
    assert found[Third.ARTERIAL_BLOOD_VOLUME].equal(arterial)
    assert found[Third.NONE].equal(~arterial)


def test_the_passage_that_was_fitted_leaves_the_residual_of_the_fit():
    data = measure(ACQUISITION, BRAIN, n_voxels=200)
    fit = fit_cbf_att(data, ACQUISITION, macrovascular=Macrovascular.ON, dtype=torch.float64)
    volume = fit.parameters['arterial_blood_volume']
    kept = volume.isfinite()
    cbf, att = fit.parameters['cbf'][kept], fit.parameters['att'][kept]
    plan = Repetitions.of([ACQUISITION])
    model, summary = SignalModel.of(plan.acquisitions), plan.summarize(data[kept])
    here = model.linearize(cbf, att)
    found = extend_by_arterial_blood(model, here, summary, volume[kept])
    misfit = summary.mean - here.delta_m - found.signal
    residual = (summary.weight * misfit.square()).sum(0) + summary.scatter
    torch.testing.assert_close(residual, fit.residual[kept], rtol=1e-5, atol=0)


def test_the_direction_of_t1_is_the_change_of_the_signal_with_it():
    data = measure(ACQUISITION, Population(noise=1e-4), n_voxels=20)
    fit = fit_cbf_att_t1(data, ACQUISITION)
    assert voxels_by_third(fit)[Third.TISSUE_T1].all()
    cbf, att, t1 = (fit.parameters[name] for name in ('cbf', 'att', 't1_tissue'))
    distinct = Repetitions.of([ACQUISITION]).acquisitions
    step = 1e-5
    signals = [SignalModel.of(distinct, t1_tissue=t1 + s).predict(cbf, att) for s in (-step, step)]
    model = SignalModel.of(distinct, t1_tissue=t1)
    found = extend_by_t1(model, model.linearize(cbf, att))
    numeric = (signals[1] - signals[0]) / (2 * step)
    torch.testing.assert_close(found.direction, numeric, rtol=1e-5, atol=1e-9)
    assert not found.signal.any()
