"""The gates: rates of false alarms, power, and what the tests must not react to."""

import math
from dataclasses import replace

import pytest
import torch
from voxels import BRAIN, KIDNEY, SHORT_DELAYS, Population, measure, pcasl, rejected

from aslprep_nn.errors import UsageError
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.tissue_t1 import fit_cbf_att_t1
from aslprep_nn.misspecification.assessment import NAMES, Assessment, assess
from aslprep_nn.misspecification.multiplicity import VoxelClass
from aslprep_nn.misspecification.trust import assess_run
from aslprep_nn.settings import Macrovascular
from aslprep_nn.signal.arterial import arterial_delta_m
from aslprep_nn.signal.continuous import OutflowKinetics
from aslprep_nn.signal.protocol import Protocol

CALIBRATED = ('pnoise', 'ptrace', 'pmodel', 'pdecay', 'ptau', 'pdispersion')


def assessed(acquisition, data, **options) -> Assessment:
    fit = fit_cbf_att(data, acquisition)
    return assess(data, acquisition, fit, **options)


@pytest.fixture(scope='module')
def null() -> Assessment:
    acquisition = pcasl(repetitions=8)
    return assessed(acquisition, measure(acquisition, n_voxels=12000))


@pytest.mark.parametrize('name', CALIBRATED)
def test_a_correct_voxel_is_rejected_at_the_nominal_rate(null, name):
    assert 0.04 <= rejected(null.statistics[name]) <= 0.06


def test_half_of_correct_voxels_have_the_kappa_of_the_exact_null(null):
    assert float(null.statistics['kappa'].nanmedian()) == pytest.approx(2.66, abs=0.05)


def test_every_named_statistic_has_one_value_per_voxel(null):
    assert set(null.statistics) == set(NAMES)
    assert all(values.shape == (12000,) for values in null.statistics.values())
    assert null.limits == ()


def test_searching_for_arterial_blood_never_exceeds_the_nominal_rate(null):
    assert 0.02 <= rejected(null.statistics['parterial']) <= 0.055


def test_early_and_late_delays_of_a_correct_voxel_disagree_at_the_nominal_rate(null):
    p = null.statistics['phausman']
    assert float(torch.isfinite(p).double().mean()) > 0.6
    assert 0.04 <= rejected(p) <= 0.06


def test_hardly_any_correct_voxel_is_classified_as_wrong(null):
    assert float((null.classes != VoxelClass.CONSISTENT).double().mean()) < 0.002


def test_the_standard_deviation_of_the_repetitions_is_the_scatter_of_estimates():
    acquisition = pcasl(repetitions=8)
    truth = Population(cbf=(60.0, 60.0), att=(1.15, 1.15), noise=0.001)
    data = measure(acquisition, truth, n_voxels=3000)
    fit = fit_cbf_att(data, acquisition)
    found = assess(data, acquisition, fit).statistics
    for name in ('cbf', 'att'):
        scatter = float(fit.parameters[name].std())
        claimed = float(found[f'std{name}'].square().mean().sqrt())
        assert claimed == pytest.approx(scatter, rel=0.06)


@pytest.mark.parametrize(
    ('population', 'delays', 'repetitions', 'untested'),
    [
        (replace(BRAIN, cbf=(5.0, 20.0)), None, 8, ()),
        # before the first delay a longer label is tissue decay
        (replace(BRAIN, att=(0.05, 0.2), noise=0.001), SHORT_DELAYS, 8, ('ptau',)),
        (replace(BRAIN, noise=0.001), SHORT_DELAYS, 8, ()),
        (replace(BRAIN, noise=0.001), SHORT_DELAYS, 4, ()),
    ],
    ids=['low CBF', 'ATT below the first PLD', '6 PLDs, M = 8', '6 PLDs, M = 4'],
)
def test_every_stratum_keeps_its_level(population, delays, repetitions, untested):
    acquisition = pcasl(repetitions=repetitions, **({'delays': delays} if delays else {}))
    found = assessed(acquisition, measure(acquisition, population, n_voxels=6000)).statistics
    assert all(found[name].isnan().all() for name in untested)
    for name in set(CALIBRATED) - set(untested):
        assert 0.03 <= rejected(found[name]) <= 0.07, name


def test_voxels_without_perfusion_have_no_shape_to_question():
    """Noise chooses ATT there, and the score tests rejected .06 to .11 of such voxels."""
    acquisition = pcasl(repetitions=8)
    data = measure(acquisition, replace(BRAIN, cbf=(0.0, 0.0)), n_voxels=2000)
    found = assessed(acquisition, data)
    for name in ('pdecay', 'ptau', 'pdispersion', 'parterial'):
        assert torch.isfinite(found.statistics[name]).double().mean() < 0.1
        assert (found.statistics[name] < 0.05).double().mean() < 0.01
    untested = int(found.statistics['pdecay'].isnan().sum())
    assert any('no time course' in limit for limit in found.limits)
    assert untested > 1800
    for name in ('pnoise', 'pmodel'):
        assert 0.03 <= rejected(found.statistics[name]) <= 0.07


def test_unequal_repetitions_and_missing_measurements_keep_the_level():
    full = pcasl(delays=SHORT_DELAYS, repetitions=8)
    kept = [i for i in range(48) if not (i % 6 < 3 and i >= 36)]
    timings = {
        'pld': tuple(full.pld[i] for i in kept),
        'labeling_duration': tuple(full.labeling_duration[i] for i in kept),
    }
    acquisition = replace(full, **timings)
    data = measure(acquisition, replace(BRAIN, noise=0.001), n_voxels=6000)
    data[::2, 7] = torch.nan
    found = assessed(acquisition, data)
    for name in CALIBRATED:
        assert 0.03 <= rejected(found.statistics[name]) <= 0.07, name
    assert any('measured 6 to 8 times' in limit for limit in found.limits)


def without(acquisition, data, *measurements):
    spoilt = data.clone()
    spoilt[:, list(measurements)] = torch.nan
    return assessed(acquisition, spoilt)


def test_repetitions_that_missing_measurements_cost_are_counted_and_said():
    acquisition = pcasl(delays=SHORT_DELAYS, repetitions=8)
    data = measure(acquisition, n_voxels=30)
    found = without(acquisition, data, 3, 9)
    assert found.n_repetitions.tolist() == [6] * 30
    assert any('of 8 repetitions 6 in 30 voxels are complete' in limit for limit in found.limits)
    few = without(acquisition, data, *range(0, 30, 6))
    assert any('at least 4 repetitions; there are 3' in limit for limit in few.limits)
    data[:2, range(0, 30, 6)] = torch.nan
    some = assessed(acquisition, data)
    assert any('In 2 voxels fewer than 4 repetitions' in limit for limit in some.limits)


def test_three_repetitions_of_which_one_is_spoilt_are_two():
    acquisition = pcasl(delays=SHORT_DELAYS, repetitions=3)
    data = measure(acquisition, n_voxels=20)
    found = without(acquisition, data, 1)
    assert any('M = 2' in limit for limit in found.limits)
    single = without(acquisition, data, 1, 7)
    assert any('Kappa needs at least 3' in limit for limit in single.limits)


@pytest.mark.parametrize('delays', [(0.8, 2.0), (0.3, 0.6)])
def test_two_timings_leave_nothing_to_test_the_model_with(delays):
    acquisition = pcasl(delays=delays, repetitions=8)
    found = assessed(acquisition, measure(acquisition, n_voxels=500))
    for name in ('pmodel', 'pdecay', 'ptau', 'pdispersion', 'parterial', 'ptrace'):
        assert found.statistics[name].isnan().all(), name


def test_three_timings_leave_one_direction_and_no_other():
    acquisition = pcasl(delays=(0.7, 1.2, 1.8), repetitions=8)
    data = measure(acquisition, n_voxels=2000)
    everywhere = {'brain': torch.ones(2000, dtype=torch.bool)}
    found, summary = assess_run(data, acquisition, fit_cbf_att(data, acquisition), everywhere)
    of_brain = summary.regions[0].p
    assert found.statistics['pdecay'].isfinite().any()
    assert math.isfinite(of_brain['pdecay'])
    for name in ('ptau', 'pdispersion', 'parterial'):
        assert found.statistics[name].isnan().all(), name
        assert math.isnan(of_brain[name]), name


def test_a_t1_that_nothing_tells_before_the_first_delay_is_not_called_noise():
    acquisition = pcasl(delays=(1.0, 1.5, 2.0, 2.5, 3.0), repetitions=8)
    data = measure(acquisition, Population((30, 90), (0.5, 1.8), 0.001), n_voxels=3000)
    fit = fit_cbf_att_t1(data, acquisition)
    found = assess(data, acquisition, fit)
    assert not (found.statistics['kappa'] > 1e8).any()
    assert 0.03 <= rejected(found.statistics['pnoise']) <= 0.07
    assert any('only where CBF and ATT alone' in limit for limit in found.limits)


def test_kidney_outflow_is_found_and_named():
    """Label stays 1 s and then leaves at 0.5 / s; 200-600 mL/100 g/min, noise .006."""
    acquisition = pcasl(repetitions=8, t1_tissue=1.4)
    data = measure(acquisition, KIDNEY, n_voxels=3000, kinetics=OutflowKinetics())
    found = assessed(acquisition, data)
    assert rejected(found.statistics['pmodel']) >= 0.88
    assert rejected(found.statistics['pdecay']) >= 0.90
    named = found.classes[found.classes > VoxelClass.NOISE] == VoxelClass.TISSUE_DECAY
    assert float(named.double().mean()) > 0.76


def test_kappa_does_not_see_a_wrong_t1_but_the_score_test_does():
    acquisition = pcasl(repetitions=8, t1_tissue=1.4)
    data = measure(replace(acquisition, t1_tissue=1.68), KIDNEY, n_voxels=6000)
    found = assessed(acquisition, data).statistics
    assert rejected(found['pnoise']) <= 0.06
    assert rejected(found['pdecay']) >= 0.70


def test_a_wrong_labelling_duration_is_the_class_of_most_voxels_it_is_found_in():
    acquisition = pcasl(repetitions=10)
    population = Population(cbf=(60.0, 150.0), att=(0.0, 2.0))
    data = measure(pcasl(repetitions=10, duration=1.8), population)
    found = assessed(acquisition, data)
    assert rejected(found.statistics['ptau']) >= 0.40
    named = found.classes[found.classes > VoxelClass.NOISE] == VoxelClass.LABELING_DURATION
    assert float(named.double().mean()) > 0.6


def test_arterial_blood_is_found():
    acquisition = pcasl(repetitions=10)
    protocol = Protocol.of(acquisition)

    def with_artery(signal, cbf, att):
        return signal + arterial_delta_m(torch.full_like(cbf, 0.01), att - 0.3, protocol)

    data = measure(acquisition, replace(BRAIN, att=(0.8, 1.8)), change=with_artery)
    assert rejected(assessed(acquisition, data).statistics['parterial']) >= 0.85


def test_flow_that_changes_between_repetitions_is_noise_and_not_a_wrong_model():
    acquisition = pcasl(repetitions=10)
    generator = torch.Generator().manual_seed(5)

    def with_change(signal, cbf, att):
        change = 0.2 * torch.randn(len(cbf), 10, generator=generator, dtype=torch.float64)
        return signal * (1 + change).repeat_interleave(21, -1)

    data = measure(acquisition, Population(cbf=(60.0, 150.0)), change=with_change)
    found = assessed(acquisition, data)
    assert rejected(found.statistics['pnoise']) >= 0.6
    assert rejected(found.statistics['ptrace']) >= 0.6
    assert rejected(found.statistics['pdecay']) <= 0.07
    assert float((found.classes == VoxelClass.NOISE).double().mean()) > 0.4


def test_voxels_with_arterial_blood_are_tested_with_three_parameters():
    acquisition = pcasl(repetitions=8)
    protocol = Protocol.of(acquisition)

    def with_artery(signal, cbf, att):
        return signal + arterial_delta_m(torch.full_like(cbf, 0.02), att - 0.4, protocol)

    data = measure(acquisition, replace(BRAIN, att=(0.8, 1.8), noise=0.001), change=with_artery)
    fit = fit_cbf_att(data, acquisition, macrovascular=Macrovascular.ON)
    volume = fit.parameters['arterial_blood_volume'].isfinite()
    found = assess(data, acquisition, fit)
    for name in ('pnoise', 'ptrace', 'pmodel', 'pdecay', 'ptau', 'pdispersion'):
        assert 0.03 <= rejected(found.statistics[name][volume]) <= 0.075, name
    assert found.statistics['parterial'][volume].isnan().all()
    assert found.statistics['phausman'][volume].isnan().all()
    assert float(found.statistics['kappa'][volume].nanmedian()) == pytest.approx(6.0, abs=0.5)
    assert any(f'{int(volume.sum())} voxels arterial blood' in limit for limit in found.limits)


def test_a_fitted_t1_is_a_third_parameter_and_no_longer_an_assumption():
    acquisition = pcasl(repetitions=8, t1_tissue=1.4)
    data = measure(replace(acquisition, t1_tissue=1.68), KIDNEY, n_voxels=3000)
    found = assess(data, acquisition, fit_cbf_att_t1(data, acquisition))
    for name in ('pnoise', 'ptrace', 'pmodel', 'ptau', 'pdispersion'):
        assert 0.035 <= rejected(found.statistics[name]) <= 0.065, name
    assert found.statistics['pdecay'].isnan().all()
    assert any('Tissue T1 was fitted' in limit for limit in found.limits)


@pytest.mark.parametrize('known', [0.0005, torch.full((3000,), 0.0005)])
def test_a_known_noise_gives_a_lack_of_fit_where_nothing_was_repeated(known):
    acquisition = pcasl(repetitions=1)
    right, wrong = (
        measure(a, replace(BRAIN, noise=0.0005), n_voxels=3000)
        for a in (acquisition, pcasl(repetitions=1, duration=1.0))
    )
    level, power = (
        rejected(
            assess(d, acquisition, fit_cbf_att(d, acquisition), noise=known).statistics['pmodel']
        )
        for d in (right, wrong)
    )
    assert 0.035 <= level <= 0.065
    assert power > 0.5


def test_a_known_noise_changes_nothing_where_repetitions_tell_it():
    acquisition = pcasl(repetitions=4)
    data = measure(acquisition, n_voxels=20)
    fit = fit_cbf_att(data, acquisition)
    plain, told = (assess(data, acquisition, fit, noise=noise) for noise in (None, 1.0))
    for name in NAMES:
        torch.testing.assert_close(
            told.statistics[name], plain.statistics[name], equal_nan=True, rtol=0, atol=0
        )


def test_slice_delays_are_part_of_the_model_that_is_tested():
    acquisition = pcasl(repetitions=8)
    later = replace(acquisition, pld=tuple(pld + 0.5 for pld in acquisition.pld))
    data = measure(later, n_voxels=400)
    delay = torch.full((400,), 0.5)
    fit = fit_cbf_att(data, acquisition, slice_delay=delay)
    found = assess(data, acquisition, fit, slice_delay=delay).statistics
    direct = assessed(later, data).statistics
    torch.testing.assert_close(found['lackoffit'], direct['lackoffit'], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ('options', 'sentence', 'missing', 'present'),
    [
        ({'repetitions': 1}, 'No timing was measured twice', 'kappa', 'hausman'),
        ({'repetitions': 2}, 'kappa is infinite by construction', 'pnoise', 'pmodel'),
        ({'repetitions': 3}, 'need at least 4 repetitions; there are 3', 'pdecay', 'pnoise'),
        ({'delays': (1.0, 2.0)}, 'Two timings are fitted exactly', 'pmodel', 'kappa'),
        ({'delays': (0.5, 1.5, 2.5)}, 'fewer than 4 timings', 'hausman', 'pmodel'),
        ({'delays': (0.5, 1.5, 2.5)}, 'looks like tissue decay', 'ptau', 'pdecay'),
        ({'delays': (0.5, 1.5, 2.5)}, 'looks like tissue decay', 'parterial', 'pdecay'),
        (
            {'delays': (1.0, 1.4, 2.0, 2.4), 'repetitions': 1},
            'Each half of the delays is fitted exactly',
            'phausman',
            'subsetcbf',
        ),
    ],
)
def test_what_a_protocol_cannot_tell_is_said_and_left_nan(options, sentence, missing, present):
    acquisition = pcasl(**options)
    data = measure(acquisition, Population((50, 70), (1.55, 1.65), 0.0005), n_voxels=20)
    found = assessed(acquisition, data)
    assert any(sentence in limit for limit in found.limits)
    assert found.statistics[missing].isnan().all()
    assert torch.isfinite(found.statistics[present]).any()


def test_kappa_of_two_repetitions_is_infinite_rather_than_rounding():
    acquisition = pcasl(repetitions=2)
    found = assessed(acquisition, measure(acquisition, n_voxels=20))
    assert found.statistics['kappa'].isinf().all()


def test_a_single_delay_has_no_model_to_test():
    acquisition = pcasl(delays=(1.8,), repetitions=8)
    several = pcasl(repetitions=8)
    fit = fit_cbf_att(measure(several, n_voxels=3), several)
    found = assess(torch.zeros(3, 8), acquisition, fit)
    assert found.limits == ('One delay cannot tell CBF from ATT, so there is no model to test.',)
    assert found.statistics['kappa'].isnan().all()


def test_a_voxel_without_a_fit_is_nan_and_does_not_disturb_its_neighbours():
    acquisition = pcasl(repetitions=8)
    data = measure(acquisition, n_voxels=10)
    alone = assessed(acquisition, data).statistics
    data[4] = torch.nan
    found = assessed(acquisition, data).statistics
    others = torch.arange(10) != 4
    for name in NAMES:
        assert found[name][4].isnan()
        torch.testing.assert_close(found[name][others], alone[name][others], equal_nan=True)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
def test_an_accelerator_finds_what_the_processor_finds():
    acquisition = pcasl(repetitions=8)
    data = measure(acquisition, n_voxels=500)
    fit = fit_cbf_att(data, acquisition)
    here, there = (assess(data, acquisition, fit, device=name) for name in ('cpu', 'cuda'))
    for name in ('kappa', 'lackoffit', 'tdecay', 'ttau', 'tarterial', 'pnoise', 'pmodel'):
        torch.testing.assert_close(
            there.statistics[name].cpu(), here.statistics[name], rtol=1e-4, atol=1e-4
        )


def test_no_voxels_have_no_statistics():
    acquisition = pcasl(delays=SHORT_DELAYS, repetitions=4)
    nothing = torch.zeros(0, acquisition.n_measurements)
    found = assess(nothing, acquisition, fit_cbf_att(nothing, acquisition))
    assert found.classes.shape == (0,)
    assert all(values.shape == (0,) for values in found.statistics.values())


@pytest.mark.parametrize('n_missing', [0, 1])
def test_without_noise_there_is_nothing_to_test_and_that_is_said(n_missing):
    acquisition = pcasl(delays=SHORT_DELAYS, repetitions=4)
    noisy = measure(acquisition, BRAIN, n_voxels=20)
    silent = noisy[:, : len(SHORT_DELAYS)].repeat(1, 4)
    data = torch.cat([silent, noisy])
    data[:, :n_missing] = torch.nan
    found = assess(data, acquisition, fit_cbf_att(data, acquisition))
    assert all(bool(values[:20].isnan().all()) for values in found.statistics.values())
    assert bool(found.statistics['pmodel'][20:].isfinite().all())
    assert (found.classes[:20] == VoxelClass.CONSISTENT).all()
    assert any('In 20 voxels repetitions do not differ' in sentence for sentence in found.limits)


def test_a_noise_or_a_rate_that_cannot_be_one_is_refused_by_name():
    acquisition = pcasl(repetitions=4)
    data = measure(acquisition, n_voxels=5)
    fit = fit_cbf_att(data, acquisition)
    with pytest.raises(UsageError, match=r'(?s)noise.*-1.*false_discovery_rate.*2'):
        assess(data, acquisition, fit, noise=-1.0, false_discovery_rate=2.0)


def test_what_was_found_can_be_worked_with():
    acquisition = pcasl(repetitions=4)
    data = measure(acquisition, n_voxels=300)
    found = assess(data, acquisition, fit_cbf_att(data, acquisition))
    assert not any(values.is_inference() for values in found.statistics.values())
    assert not found.classes.is_inference()
