"""The fit of CBF and ATT: it finds the truth, and the optimum, and says where it cannot."""

import random
import shutil
from dataclasses import replace

import pytest
import torch

from aslprep_nn.acquisition import Acquisition, BolusCutOff, LabelingType
from aslprep_nn.errors import MetadataError, UnsupportedError, UsageError
from aslprep_nn.estimation.benchmark.scenarios import BRAIN, KIDNEY
from aslprep_nn.estimation.benchmark.scenarios import draw as draw_voxels
from aslprep_nn.estimation.exhaustive import search_exhaustively
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.maps import FitStatus
from aslprep_nn.signal.continuous import OutflowKinetics
from aslprep_nn.signal.dispersion import DispersedKinetics
from aslprep_nn.signal.encoding import sub_bolus_acquisition
from aslprep_nn.signal.kinetics import delta_m
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.protocol import Protocol
from aslprep_nn.signal.pulsed import WangEquation4Kinetics

PCASL, PASL, VSASL = LabelingType.PCASL, LabelingType.PASL, LabelingType.VSASL
PLD_6 = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
PLD_21 = tuple(0.1 * i for i in range(11)) + tuple(1 + 0.2 * i for i in range(1, 11))

CBF, ATT = (
    grid.flatten().double()
    for grid in torch.meshgrid(
        torch.tensor([20.0, 60.0, 100.0]),
        torch.tensor([0.5, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.4]),
        indexing='ij',
    )
)


def acquire(labeling, delays, duration, efficiency=0.85):
    return Acquisition(labeling, tuple(delays), (duration,) * len(delays), efficiency)


RAMP = sum(((p,) * n for p, n in zip((0.2, 0.7, 1.2, 1.7, 2.2), (6, 6, 6, 10, 15))), ())  # noqa: B905
ENCODED = Acquisition(PCASL, (0.2,), (3.6,), 0.85)
PROTOCOLS = {
    'unequal_repetitions': acquire(PCASL, RAMP, 1.5),
    'eight_repetitions': acquire(PCASL, [0.25 * i for i in range(1, 7)] * 8, 1.4),
    'seven_late_delays': acquire(PCASL, torch.linspace(0.7, 2.6, 7).tolist(), 1.8),
    'pasl': acquire(PASL, [0.3 * i for i in range(1, 11)], 0.8, 0.98),
    'twenty_one': acquire(PCASL, PLD_21, 1.5),
    'hadamard_8': sub_bolus_acquisition(ENCODED, (3.6 / 7,) * 7),
    'pcasl_and_vsasl': [acquire(PCASL, PLD_6, 1.8), acquire(VSASL, PLD_6, 1.0, 0.56)],
}


def noise_free(acquisition):
    parts = acquisition if isinstance(acquisition, list) else [acquisition]
    return torch.cat([delta_m(CBF, ATT, Protocol.of(part)) for part in parts], -1)


def wrong_and_unflagged(fit):
    off = (fit.parameters['cbf'].double() / CBF - 1).abs() > 0.005
    off |= (fit.parameters['att'].double() - ATT).abs() > 0.005
    off |= fit.parameters['att'].isnan()
    return off & torch.isin(fit.status, torch.tensor([FitStatus.CONVERGED, FitStatus.ON_KINK]))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('name', PROTOCOLS)
def test_the_noise_free_truth_is_recovered(name, dtype):
    fit = fit_cbf_att(noise_free(PROTOCOLS[name]), PROTOCOLS[name], dtype=dtype)
    assert not wrong_and_unflagged(fit).any()
    flagged = fit.status == FitStatus.ATT_NOT_IDENTIFIABLE
    below_first_delay = ATT < 0.7
    assert torch.equal(
        flagged, below_first_delay if name == 'seven_late_delays' else flagged & False
    )


def irregular(generator):
    """Draw a protocol nobody would choose."""
    n_delays = generator.randint(3, 12)
    delays = sorted(generator.uniform(0.1, 3.2) for _ in range(n_delays))
    kind = generator.choice(['one duration', 'many durations', 'pasl'])
    if kind == 'pasl':
        return acquire(PASL, delays, generator.uniform(0.5, 1.2), 0.98)
    if kind == 'one duration':
        return acquire(PCASL, delays, generator.uniform(0.8, 2.2))
    durations = tuple(generator.uniform(0.5, 2.5) for _ in delays)
    return Acquisition(PCASL, tuple(delays), durations, 0.85)


@pytest.mark.parametrize('n_protocols', [100, pytest.param(2000, marks=pytest.mark.slow)])
def test_irregular_protocols_recover_the_truth_or_say_that_they_cannot(n_protocols):
    generator = random.Random(1)  # noqa: S311
    for _ in range(n_protocols):
        protocol = irregular(generator)
        fit = fit_cbf_att(noise_free(protocol), protocol)
        assert not wrong_and_unflagged(fit).any(), protocol


def test_an_optimum_told_from_an_early_arrival_by_rounding_alone_is_not_trusted():
    acquisition = replace(
        PROTOCOLS['twenty_one'],
        pld=(1.7801917439859651, 1.8499380697622212, 2.63014251732048),
        labeling_duration=(2.3778621871104635, 1.6472443889815245, 0.9830358584241772),
    )
    att = torch.linspace(0.9, 1.1, 200, dtype=torch.float64)
    signal = delta_m(torch.full_like(att, 20.0), att, Protocol.of(acquisition))
    fit = fit_cbf_att(signal, acquisition)
    assert ((fit.parameters['att'] - att).abs() > 0.5).any(), 'no case of what is tested'
    assert (fit.status == FitStatus.ATT_NOT_IDENTIFIABLE).all()


@pytest.mark.parametrize(
    'kinetics',
    [
        OutflowKinetics(residence_time=0.8, outflow_rate=0.4),
        DispersedKinetics(),
        WangEquation4Kinetics(),
    ],
    ids=lambda k: type(k).__name__,
)
def test_other_kinetics_are_recovered_too(kinetics):
    protocol = PROTOCOLS['twenty_one']
    signal = delta_m(CBF, ATT, Protocol.of(protocol), kinetics)
    fit = fit_cbf_att(signal, protocol, kinetics=[kinetics])
    assert not wrong_and_unflagged(fit).any()
    assert (fit.status != FitStatus.ATT_NOT_IDENTIFIABLE).all()


@pytest.fixture(scope='module')
def four_arrivals():
    protocol = PROTOCOLS['twenty_one']
    att = torch.tensor([0.5, 1.0, 1.5, 2.0], dtype=torch.float64)
    return protocol, att, delta_m(torch.full_like(att, 60.0), att, Protocol.of(protocol))


def test_wangs_equation_4_fitted_to_pcasl_loses_flow_as_att_grows(four_arrivals):
    protocol, _, signal = four_arrivals
    fit = fit_cbf_att(signal, protocol, kinetics=[WangEquation4Kinetics()])
    assert fit.parameters['cbf'].tolist() == pytest.approx([68.4, 49.5, 35.9, 26.9], abs=0.1)


@pytest.mark.parametrize(
    ('wrong_by', 'cbf', 'att'),
    [(0.9, (0.08, 0.10), (0.020, 0.045)), (1.1, (-0.08, -0.055), (-0.035, -0.01))],
)
def test_a_wrong_t1_moves_cbf_and_att(four_arrivals, wrong_by, cbf, att):
    protocol, true_att, signal = four_arrivals
    fit = fit_cbf_att(signal, protocol, t1_tissue=torch.full((4,), 1.2 * wrong_by))
    for moved, bounds in (
        (fit.parameters['cbf'] / 60 - 1, cbf),
        (fit.parameters['att'] - true_att, att),
    ):
        assert ((bounds[0] <= moved) & (moved <= bounds[1])).all()


def test_quipss_is_recovered_after_its_saturation(make, measure, draw):
    quipss = make(
        PASL, [0.9 + 0.2 * i for i in range(10)], 0.7, 0.98, bolus_cut_off=BolusCutOff.QUIPSS
    )
    cbf, att = draw(200, 20, 100, 1), draw(200, 0.75, 2.3, 2)
    fit = fit_cbf_att(measure(quipss, cbf, att), quipss)
    told = fit.status != FitStatus.ATT_NOT_IDENTIFIABLE
    assert told.double().mean() > 0.9
    torch.testing.assert_close(fit.parameters['att'][told].double(), att[told], rtol=0, atol=5e-3)


def least_cost(acquisition, signal, att_range=(0.0, 4.0)):
    repetitions = Repetitions.of([acquisition])
    model, data = SignalModel.of(repetitions.acquisitions), repetitions.summarize(signal)
    return search_exhaustively(model, data, att_range)[2]


@pytest.mark.parametrize('signal_to_noise', [10.0, 1.0, 1 / 3])
@pytest.mark.parametrize('organ', ['brain', 'kidney'])
@pytest.mark.parametrize('timing', [(PLD_6, 1.8), (PLD_21, 1.5)], ids=['6', '21'])
def test_the_optimum_is_the_one_an_exhaustive_search_finds(timing, organ, signal_to_noise, draw):
    kidney = organ == 'kidney'
    acquisition = replace(acquire(PCASL, *timing), t1_tissue=1.4 if kidney else 1.2)
    cbf = draw(250, *((150, 900) if kidney else (10, 120)), 1)
    att = draw(250, *((0.3, 1.5) if kidney else (0.5, 2.5)), 2)
    signal = delta_m(cbf, att, Protocol.of(acquisition))
    noise = (0.006 if kidney else 0.001) / signal_to_noise
    signal += noise * torch.randn(signal.shape, generator=torch.Generator().manual_seed(3))
    fit = fit_cbf_att(signal, acquisition, dtype=torch.float64)
    between_kinks = (min(acquisition.pld), 4.0)
    least = least_cost(acquisition, signal, between_kinks)
    point = fit.parameters['cbf'], fit.parameters['att'].nan_to_num(1.0)
    misfit = signal - delta_m(*point, Protocol.of(acquisition))
    cost = misfit.square().sum(-1)
    torch.testing.assert_close(fit.residual, cost, rtol=1e-4, atol=0)
    inside = fit.parameters['att'] >= between_kinks[0]
    assert (cost >= least * (1 - 1e-9))[inside].all()
    excess = cost / least - 1
    assert excess.max() < 0.01
    assert (excess < 1e-6).double().mean() >= 0.995


def test_no_interval_is_missed_where_noise_and_flow_are_high():
    """A kidney at a third of the usual signal has up to four intervals of nearly equal cost."""
    acquisition = replace(acquire(PCASL, PLD_21, 1.5), t1_tissue=1.4)
    _, _, signal = draw_voxels(acquisition, KIDNEY, 5000, signal_to_noise=1 / 3)
    signal = signal[1000:1100]  # voxel 27 of these has its optimum in the fourth best cone
    fit = fit_cbf_att(signal, acquisition)
    excess = fit.residual.double() / least_cost(acquisition, signal) - 1
    assert excess.max() < 0.01


@pytest.mark.parametrize(
    ('kinetics', 'population'), [(DispersedKinetics(), BRAIN), (OutflowKinetics(), KIDNEY)]
)
def test_the_optimum_is_global_for_models_that_bend_between_kinks(kinetics, population):
    acquisition = replace(acquire(PCASL, PLD_6, 1.8), t1_tissue=population.t1_tissue)
    _, _, signal = draw_voxels(acquisition, population, 400)
    model = SignalModel.of([acquisition], [kinetics])
    data = Repetitions.of([acquisition]).summarize(signal)
    least = search_exhaustively(model, data, (0.5, 4.0))[2]
    fit = fit_cbf_att(signal, acquisition, kinetics=[kinetics], dtype=torch.float64)
    point = fit.parameters['cbf'], fit.parameters['att'].nan_to_num(0.5)
    excess = (signal.mT - model.linearize(*point).delta_m).square().sum(0) / least - 1
    assert excess.max() < 0.01
    assert (excess < 1e-4).double().mean() > 0.9


@pytest.mark.parametrize('late', [0.0, 0.6], ids=['first slice', 'a late slice'])
def test_an_arrival_before_the_first_delay_is_not_taken_for_one_after_it(make, draw, late):
    """Noise puts the optimum beyond the first kink in every other of these voxels."""
    acquisition = make(PCASL, (0.7, 1.0, 1.3, 1.6, 1.9, 2.2) * 8, 1.8)
    delay = torch.full((2000,), late, dtype=torch.float64)
    cbf, att = draw(2000, 20, 100, 1), draw(2000, 0.3, 2.0, 2)
    signal = delta_m(cbf, att, Protocol.of(acquisition, slice_delay=delay))
    noisy = signal + 1e-3 * torch.randn(signal.shape, generator=torch.Generator().manual_seed(3))
    fit = fit_cbf_att(noisy, acquisition, slice_delay=delay)
    told = fit.status != FitStatus.ATT_NOT_IDENTIFIABLE
    first = 0.7 + late
    assert told[att < first - 0.02].double().mean() < 0.05
    assert told[att > first + 0.3].double().mean() > 0.95
    covered = (fit.parameters['att'] - att).abs() < 1.96 * fit.std['att']
    assert covered[told].double().mean() > 0.85
    covered = (fit.parameters['cbf'] - cbf).abs() < 1.96 * fit.std['cbf']
    assert covered[told].double().mean() > 0.9
    assert covered[~told].double().mean() > 0.8


def test_two_arrival_times_that_give_the_same_signal_are_called_not_identifiable():
    """Between 1.27 and 1.88 s two measurements see the bolus, and see it again after 2.4 s."""
    twice = Acquisition(PCASL, (0.34, 1.875, 2.389), (0.929, 1.748, 0.891), 0.85)
    signal = delta_m(CBF, ATT, Protocol.of(twice))
    fit = fit_cbf_att(signal, twice)
    hidden = (ATT > 1.27) & (ATT < 1.875)
    assert (fit.status[hidden] == FitStatus.ATT_NOT_IDENTIFIABLE).all()


def test_flow_far_from_the_expected_one_is_fitted_as_well(draw):
    acquisition = acquire(PCASL, PLD_6, 1.8)
    cbf, att = draw(400, 500, 900, 1), draw(400, 0.6, 2.4, 2)
    signal = delta_m(cbf, att, Protocol.of(acquisition))
    signal += 0.006 * torch.randn(signal.shape, generator=torch.Generator().manual_seed(3))
    fit = fit_cbf_att(signal, acquisition, dtype=torch.float64)
    least = least_cost(acquisition, signal, (0.5, 4.0))
    assert (fit.residual / least - 1).max() < 1e-4


def test_att_before_the_first_delay_is_claimed_only_where_the_data_call_for_it(make):
    kidney = make(PCASL, PLD_6, 1.8, t1_tissue=1.4)
    cbf, att = torch.full((400,), 600.0).double(), torch.full((400,), 0.3).double()
    signal = delta_m(cbf, att, Protocol.of(kidney))
    for noise, claims in ((1e-6, True), (1e-2, False)):
        generator = torch.Generator().manual_seed(1)
        noisy = signal + noise * torch.randn(signal.shape, generator=generator)
        fit = fit_cbf_att(noisy, kidney)
        early = fit.parameters['att'] < 0.5
        assert (fit.status[early] == FitStatus.ATT_NOT_IDENTIFIABLE).all()
        assert early.double().mean() > 0.99 if claims else early.double().mean() < 0.05


def test_slices_and_a_t1_map_are_taken_into_account(pcasl_6, measure, draw):
    cbf, att = draw(300, 20, 100, 1), draw(300, 0.8, 2.3, 2)
    slice_delay = (torch.arange(300) % 5) * 0.045
    t1 = draw(300, 0.8, 1.8, 3)
    signal = measure(pcasl_6, cbf, att, slice_delay=slice_delay.double(), t1_tissue=t1)
    fit = fit_cbf_att(signal, pcasl_6, slice_delay=slice_delay, t1_tissue=t1)
    torch.testing.assert_close(fit.parameters['cbf'].double(), cbf, rtol=1e-4, atol=0)
    torch.testing.assert_close(fit.parameters['att'].double(), att, rtol=0, atol=1e-4)
    ignored = fit_cbf_att(signal, pcasl_6)
    assert (ignored.parameters['att'].double() - att).abs().max() > 0.1


def test_repetitions_are_averaged(make, measure, draw):
    thrice = make(PCASL, PLD_6, 1.8, repetitions=3)
    once = make(PCASL, PLD_6, 1.8)
    signal = measure(thrice, draw(100, 20, 100, 1), draw(100, 0.6, 2.4, 2), noise=1e-3)
    pooled = fit_cbf_att(signal, thrice)
    averaged = fit_cbf_att(signal.reshape(100, 3, 6).mean(1), once)
    torch.testing.assert_close(
        pooled.parameters['cbf'], averaged.parameters['cbf'], rtol=1e-3, atol=0
    )


def test_measurements_of_weight_zero_and_missing_ones_are_ignored(pcasl_6, make, measure, draw):
    signal = measure(pcasl_6, draw(50, 20, 100, 1), draw(50, 0.8, 2.3, 2), noise=1e-3)
    five = make(PCASL, PLD_6[1:], 1.8)
    expected = fit_cbf_att(signal[:, 1:], five).parameters['cbf']
    by_weight = fit_cbf_att(signal, pcasl_6, weights=torch.tensor([0.0, 1, 1, 1, 1, 1]))
    missing = signal.clone()
    missing[:, 0] = torch.nan
    by_absence = fit_cbf_att(missing, pcasl_6)
    for fit in (by_weight, by_absence):
        torch.testing.assert_close(fit.parameters['cbf'], expected, rtol=1e-3, atol=1e-3)


def test_voxelwise_weights_follow_the_better_measurements(pcasl_6, measure):
    truth = torch.tensor([60.0, 60.0], dtype=torch.float64), torch.tensor([1.2, 1.2]).double()
    signal = measure(pcasl_6, *truth)
    signal[:, 3] += 0.002
    weights = torch.ones(2, 6)
    weights[1, 3] = 1e-4
    cbf = fit_cbf_att(signal, pcasl_6, weights=weights).parameters['cbf']
    assert abs(cbf[0] - 60) > 2
    assert abs(cbf[1] - 60) < 0.01


def test_a_voxel_with_too_few_measurements_has_failed_and_the_others_have_not(pcasl_6, measure):
    signal = measure(pcasl_6, CBF[:3] * 0 + 60, ATT[:3] * 0 + 1.2)
    signal[1] = torch.nan
    signal[2, 1:] = torch.nan
    fit = fit_cbf_att(signal, pcasl_6)
    assert fit.status.tolist() == [FitStatus.CONVERGED, FitStatus.FAILED, FitStatus.FAILED]
    for values in (*fit.parameters.values(), *fit.std.values(), fit.residual, fit.noise):
        assert values[1:].isnan().all()
        assert torch.isfinite(values[0])


def test_infinite_data_are_missing_data(pcasl_6, measure):
    signal = measure(pcasl_6, CBF[:1] * 0 + 60, ATT[:1] * 0 + 1.2)
    signal[0, 2] = torch.inf
    fit = fit_cbf_att(signal, pcasl_6)
    assert fit.parameters['cbf'].item() == pytest.approx(60, rel=1e-4)


def test_negative_data_give_no_flow_and_say_so(pcasl_6):
    fit = fit_cbf_att(torch.full((2, 6), -0.003), pcasl_6)
    assert fit.status.tolist() == [FitStatus.AT_BOUND] * 2
    assert fit.parameters['cbf'].tolist() == [0.0, 0.0]
    assert fit.parameters['att'].isnan().all()


def test_zero_data_give_no_flow_and_say_so(pcasl_6):
    fit = fit_cbf_att(torch.zeros(1, 6), pcasl_6)
    assert fit.status.item() == FitStatus.AT_BOUND
    assert fit.parameters['cbf'].item() == 0


def test_an_att_outside_the_range_stops_at_the_bound(pcasl_21, measure):
    signal = measure(pcasl_21, CBF[:1] * 0 + 60, ATT[:1] * 0 + 2.2)
    fit = fit_cbf_att(signal, pcasl_21, att_range=(0.3, 1.9))
    assert fit.parameters['att'].item() == pytest.approx(1.9)
    assert fit.status.item() == FitStatus.AT_BOUND


def test_an_optimum_at_a_kink_is_called_one(pcasl_21, measure, draw):
    signal = measure(pcasl_21, draw(2000, 40, 80, 1), draw(2000, 0.6, 1.8, 2), noise=2e-3)
    fit = fit_cbf_att(signal, pcasl_21)
    kinks = torch.tensor([*PLD_21, *(d + 1.5 for d in PLD_21)])
    distance = (fit.parameters['att'].unsqueeze(-1) - kinks).abs().amin(-1)
    on_kink = fit.status == FitStatus.ON_KINK
    assert 0.05 < on_kink.double().mean() < 0.4
    assert distance[on_kink].max() < 1e-6
    assert distance[fit.status == FitStatus.CONVERGED].min() > 0


def test_chunks_do_not_change_the_result(pcasl_6, measure, draw, monkeypatch):
    signal = measure(pcasl_6, draw(5000, 10, 120, 1), draw(5000, 0.4, 2.6, 2), noise=1e-3)
    whole = fit_cbf_att(signal, pcasl_6)
    monkeypatch.setattr('aslprep_nn.estimation.least_squares.CPU_CHUNK', 6 * 1100)
    pieces = fit_cbf_att(signal, pcasl_6)
    torch.testing.assert_close(pieces.parameters['cbf'], whole.parameters['cbf'], equal_nan=True)
    assert torch.equal(pieces.status, whole.status)


def test_one_delay_cannot_tell_cbf_from_att():
    single = acquire(PCASL, (1.8, 1.8), 1.8)
    with pytest.raises(UnsupportedError, match='at least two different delays'):
        fit_cbf_att(torch.zeros(1, 2), single)


def test_a_negative_delay_and_an_empty_bolus_are_refused():
    with pytest.raises(MetadataError, match=r'PostLabelingDelay is -0\.1 s'):
        acquire(PCASL, (-0.1, 1.8), 1.8)
    with pytest.raises(MetadataError, match='LabelingDuration is 0'):
        acquire(PCASL, (1.0, 1.8), 0)


@pytest.mark.parametrize(
    ('arguments', 'named'),
    [
        ({'relative_delta_m': torch.zeros(3, 5)}, 'relative_delta_m'),
        ({'slice_delay': torch.zeros(4)}, 'slice_delay'),
        ({'t1_tissue': torch.ones(4)}, 't1_tissue'),
        ({'t1_tissue': torch.tensor([1.2, 0.0, 1.2])}, 't1_tissue'),
        ({'weights': torch.ones(5)}, 'weights'),
        ({'weights': -torch.ones(6)}, 'weights'),
        ({'att_range': (2.0, 1.0)}, 'att_range'),
    ],
)
def test_arguments_that_do_not_fit_are_named(arguments, named, pcasl_6):
    complete = {'relative_delta_m': torch.zeros(3, 6), 'acquisition': pcasl_6, **arguments}
    with pytest.raises(UsageError, match=named):
        fit_cbf_att(**complete)


@pytest.mark.slow
@pytest.mark.filterwarnings('default')
@pytest.mark.skipif(shutil.which('g++') is None, reason='needs a C++ compiler')
def test_compiling_the_step_does_not_change_the_result(pcasl_6, measure, draw):
    signal = measure(pcasl_6, draw(20000, 10, 120, 1), draw(20000, 0.4, 2.6, 2), noise=1e-3)
    eager, compiled = (fit_cbf_att(signal, pcasl_6, compiled=c) for c in (False, True))
    close = torch.isclose(compiled.parameters['cbf'], eager.parameters['cbf'], rtol=1e-4)
    assert close.double().mean() > 0.999


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_a_gpu_gives_what_the_cpu_gives(pcasl_6, measure, draw):
    signal = measure(pcasl_6, draw(20000, 10, 120, 1), draw(20000, 0.4, 2.6, 2), noise=1e-3)
    on_cpu, on_gpu = (fit_cbf_att(signal, pcasl_6, device=d) for d in ('cpu', 'cuda'))
    close = torch.isclose(on_gpu.parameters['cbf'].cpu(), on_cpu.parameters['cbf'], rtol=1e-3)
    assert close.double().mean() > 0.999
