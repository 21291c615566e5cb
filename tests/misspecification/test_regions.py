"""What many voxels say together: rates of false alarms with smooth noise too, and power."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage, stats
from voxels import BRAIN, SHORT_DELAYS, Population, measure, pcasl

from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.misspecification.assessment import assess
from aslprep_nn.misspecification.fixed_parameter import brightest
from aslprep_nn.misspecification.multiplicity import discoveries
from aslprep_nn.misspecification.regions import P_NAMES, combined_p, region_tests
from aslprep_nn.signal.arterial import arterial_delta_m
from aslprep_nn.signal.kinetics import delta_m
from aslprep_nn.signal.protocol import Protocol

LEVELLED = ('pnoise', 'ptrace', 'pmodel', 'pdecay', 'ptau', 'pdispersion', 'parterial')
SCORES = ('pdecay', 'ptau', 'pdispersion', 'parterial')
#: Standard deviation of a kernel of 2.5 voxels full width at half maximum.
SMOOTHING = 2.5 / 2.3548


def found_in(acquisition, data, regions, **own):
    fit = fit_cbf_att(data, acquisition, **own)
    return region_tests(
        data, acquisition, fit, assess(data, acquisition, fit, **own), regions, **own
    )


def blocks(n_regions: int, n_voxels: int) -> dict[str, torch.Tensor]:
    """Name regions that follow one another."""
    of_voxel = torch.arange(n_regions).repeat_interleave(n_voxels)
    return {str(region): of_voxel == region for region in range(n_regions)}


def smooth(noise: torch.Tensor, shape: tuple[int, int, int]) -> torch.Tensor:
    """Smooth noise within regions of a shape; its standard deviation stays 1."""
    fields = noise.reshape(-1, *shape, noise.shape[-1]).numpy()
    kernel = np.zeros(shape)
    kernel[0, 0, 0] = 1
    sigma = SMOOTHING
    kernel = ndimage.gaussian_filter(kernel, sigma, mode='wrap')
    fields = ndimage.gaussian_filter(fields, (0, sigma, sigma, sigma, 0), mode='wrap')
    return torch.from_numpy(fields / np.sqrt((kernel**2).sum())).reshape(noise.shape)


@pytest.mark.parametrize('smoothed', [False, True])
def test_a_correct_region_is_rejected_at_the_nominal_rate(smoothed):
    acquisition = pcasl(delays=SHORT_DELAYS, repetitions=8)
    population, shape, n_regions = replace(BRAIN, noise=0.001), (8, 8, 1), 500
    n_voxels = n_regions * 64
    truth = measure(acquisition, replace(population, noise=0.0), n_voxels=n_voxels)
    generator = torch.Generator().manual_seed(7)
    noise = torch.randn(truth.shape, generator=generator, dtype=torch.float64)
    data = truth + 0.001 * (smooth(noise, shape) if smoothed else noise)
    found = found_in(acquisition, data, blocks(n_regions, 64))
    for name in LEVELLED:
        rejections = sum(region.p[name] < 0.05 for region in found)
        assert 0.02 * n_regions <= rejections <= 0.08 * n_regions, name


def test_bias_from_the_bend_of_the_signal_does_not_add_up_in_large_regions():
    """Without its correction two thirds of such regions would be rejected."""
    acquisition = pcasl(repetitions=10)
    data = measure(acquisition, BRAIN, n_voxels=20 * 1500)
    found = found_in(acquisition, data, blocks(20, 1500))
    for name in SCORES:
        assert sum(region.p[name] < 0.05 for region in found) <= 4, name


def test_a_deviation_too_small_for_voxels_is_found_in_a_region():
    acquisition = pcasl(repetitions=10)
    data = measure(replace(acquisition, t1_tissue=1.26), BRAIN, n_voxels=500)
    found = found_in(acquisition, data, {'all': torch.ones(500, dtype=torch.bool)})[0]
    assert found.rejected['pdecay'] < 0.15
    assert found.p['pdecay'] < 0.001


def test_label_in_arteries_of_a_region_is_found_whenever_it_arrives():
    acquisition = pcasl(repetitions=10)
    protocol = Protocol.of(acquisition)

    def with_artery(signal, cbf, att):
        return signal + arterial_delta_m(torch.full_like(cbf, 0.002), att - 0.3, protocol)

    data = measure(acquisition, replace(BRAIN, att=(0.8, 1.8)), n_voxels=500, change=with_artery)
    found = found_in(acquisition, data, {'all': torch.ones(500, dtype=torch.bool)})[0]
    assert found.p['parterial'] < 0.01


def test_a_repetition_that_moved_is_noise_and_not_a_wrong_model():
    acquisition = pcasl(repetitions=10)
    data = measure(acquisition, Population(cbf=(20.0, 140.0)), n_voxels=600)
    data[:, :21] = data.flip(0)[:, :21]
    found = found_in(acquisition, data, blocks(6, 100))
    assert all(region.p['pnoise'] < 1e-4 for region in found)
    assert sum(region.p['pdecay'] < 0.05 for region in found) <= 2


def test_regions_may_overlap_and_are_counted_on_their_own():
    acquisition = pcasl(repetitions=8)
    data = measure(acquisition, BRAIN, n_voxels=300)
    data[:100, 0] = torch.nan
    data[290:] = torch.nan
    everything = torch.ones(300, dtype=torch.bool)
    late = torch.arange(300) >= 200
    brain, part, nothing = found_in(
        acquisition, data, {'brain': everything, 'late': late, 'nothing': ~everything}
    )
    assert (brain.region, brain.n_voxels, brain.n_tested) == ('brain', 300, 290)
    assert (part.n_voxels, part.n_tested) == (100, 90)
    alone = found_in(acquisition, data[200:], {'late': everything[200:]})[0]
    assert part.p == pytest.approx(alone.p, rel=1e-6, nan_ok=True)
    assert part.rejected == pytest.approx(alone.rejected, nan_ok=True)
    assert sum(part.claimed.values()) == pytest.approx(1)
    assert nothing.n_tested == 0
    assert set(nothing.p) == set(nothing.rejected) == set(P_NAMES)
    assert np.isnan([*nothing.p.values(), *nothing.rejected.values()]).all()


def test_each_test_of_a_region_has_its_numbers():
    acquisition = pcasl(repetitions=8)
    data = measure(acquisition, BRAIN, n_voxels=300)
    data[:100] = measure(replace(acquisition, t1_tissue=2.0), BRAIN, n_voxels=300)[:100]
    fit = fit_cbf_att(data, acquisition)
    tests = assess(data, acquisition, fit)
    brain = torch.ones(300, dtype=torch.bool)
    wrong = torch.arange(300) < 100
    whole, part = region_tests(data, acquisition, fit, tests, {'brain': brain, 'wrong': wrong})
    p = tests.statistics['pdecay']
    alone = discoveries(p, 0.05)
    assert whole.n_claimed_by['pdecay'] == int(alone.sum()) > 20
    assert part.n_claimed_by['pdecay'] == int(alone[wrong].sum())
    assert whole.n_tested_by['pdecay'] == int(torch.isfinite(p).sum())
    assert whole.n_tested_by['phausman'] < whole.n_tested_by['pdecay']
    assert part.median['tdecay'] == float(tests.statistics['tdecay'][wrong].nanmedian())
    stricter = region_tests(
        data, acquisition, fit, tests, {'brain': brain}, false_discovery_rate=0.001
    )[0]
    assert stricter.n_claimed_by['pdecay'] < whole.n_claimed_by['pdecay']


def test_voxels_fitted_with_arterial_blood_have_no_say_in_the_scores_of_a_region():
    acquisition = pcasl(repetitions=6)
    data = measure(acquisition, BRAIN, n_voxels=60)
    fit = fit_cbf_att(data, acquisition)
    volume = torch.where(torch.arange(60) < 20, 0.01, torch.nan)
    arterial = replace(fit, parameters={**fit.parameters, 'arterial_blood_volume': volume})
    whole, rest = torch.ones(60, dtype=torch.bool), torch.arange(60) >= 20
    found, plain = (
        region_tests(data, acquisition, f, assess(data, acquisition, f), {'region': mask})[0]
        for f, mask in ((arterial, whole), (fit, rest))
    )
    for name in SCORES:
        assert found.p[name] == pytest.approx(plain.p[name], rel=1e-6), name
    assert found.n_tested == 60


def test_the_brightest_third_by_fit_keeps_the_level_and_by_measurement_does_not():
    """Voxels chosen for bright noise deviate from their fit in a common way."""
    acquisition = pcasl(delays=SHORT_DELAYS, repetitions=8)
    data = measure(acquisition, replace(BRAIN, noise=0.001), n_voxels=8000)
    late = data[:, torch.tensor(acquisition.pld) >= 1.25].mean(1)
    regions = {
        'by fit': brightest(acquisition, fit_cbf_att(data, acquisition), share=1 / 3),
        'by measurement': late >= late.quantile(2 / 3),
    }
    by_fit, by_measurement = found_in(acquisition, data, regions)
    assert min(by_fit.p[name] for name in SCORES) > 0.01
    assert by_measurement.p['pdecay'] < 0.01


def test_a_repetition_that_all_voxels_lack_costs_a_region_nothing_else():
    acquisition = pcasl(repetitions=6)
    data = measure(acquisition, BRAIN, n_voxels=60)
    data[:, 21:42] = torch.nan
    found = found_in(acquisition, data, blocks(1, 60))[0]
    kept = torch.arange(6).repeat_interleave(21) != 1
    direct = found_in(pcasl(repetitions=5), data[:, kept], blocks(1, 60))[0]
    assert found.p == pytest.approx(direct.p, rel=1e-3, nan_ok=True)


def test_three_repetitions_leave_a_region_without_score_tests():
    acquisition = pcasl(repetitions=3)
    data = measure(acquisition, BRAIN, n_voxels=50)
    found = found_in(acquisition, data, blocks(1, 50))[0]
    assert np.isnan([found.p[name] for name in SCORES]).all()
    assert np.isfinite([found.p[name] for name in ('pnoise', 'ptrace', 'pmodel')]).all()


def test_slice_delays_and_tissue_t1_belong_to_the_model_that_is_tested():
    acquisition = pcasl(repetitions=6)
    later = replace(acquisition, pld=tuple(pld + 0.2 for pld in acquisition.pld), t1_tissue=1.4)
    data = measure(later, Population((40, 90), (0.9, 1.8), 0.001), n_voxels=80)
    own = {'slice_delay': torch.full((80,), 0.2), 't1_tissue': torch.full((80,), 1.4)}
    delayed, direct = (
        found_in(protocol, data, blocks(1, 80), **options)[0]
        for protocol, options in ((acquisition, own), (later, {}))
    )
    for name in ('pmodel', 'pdecay', 'ptau', 'pdispersion'):
        assert delayed.p[name] == pytest.approx(direct.p[name], rel=0.05), name


def test_no_regions_need_no_tests():
    acquisition = pcasl(repetitions=4)
    assert found_in(acquisition, measure(acquisition, n_voxels=5), {}) == ()


def test_combined_p_of_one_voxel_is_its_own_and_nan_takes_no_part():
    assert combined_p(torch.tensor([0.03, torch.nan])) == pytest.approx(0.03)
    assert combined_p(torch.tensor([1e-20])) == pytest.approx(1e-20)
    assert np.isnan(combined_p(torch.tensor([torch.nan])))


def test_combined_p_is_uniform_for_independent_voxels_and_for_copies_of_one():
    generator = torch.Generator().manual_seed(3)
    p = torch.rand(2000, 40, generator=generator, dtype=torch.float64)
    independent = [combined_p(row) for row in p]
    copies = [combined_p(row[:1].expand(40)) for row in p]
    assert stats.kstest(independent, 'uniform').pvalue > 0.01
    assert np.mean(np.array(copies) < 0.05) == pytest.approx(0.05, abs=0.015)


def test_voxels_with_p_of_one_do_not_hide_the_others():
    assert combined_p(torch.tensor([1.0] * 50 + [1e-6] * 50)) < 1e-4


def test_early_arrivals_do_not_speak_against_the_model_of_a_region():
    """Noise bends all their fits to one side, which dispersed arrival would explain."""
    generator = torch.Generator().manual_seed(4)
    acquisition = pcasl(delays=SHORT_DELAYS, repetitions=8, duration=1.4)
    n_regions, n_voxels = 20, 300
    n_all = n_regions * n_voxels
    late = torch.full((n_all,), 0.8, dtype=torch.float64)
    cbf, att = (
        low + (high - low) * torch.rand(n_all, generator=generator, dtype=torch.float64)
        for low, high in ((10, 100), (0.3, 2.0))
    )
    signal = delta_m(cbf, att, Protocol.of(acquisition, slice_delay=late))
    data = signal + 1e-3 * torch.randn(signal.shape, generator=generator, dtype=torch.float64)
    fit = fit_cbf_att(data, acquisition, slice_delay=late)
    found = assess(data, acquisition, fit, slice_delay=late)
    place = torch.arange(n_all) // n_voxels
    regions = {str(index): place == index for index in range(n_regions)}
    tested = region_tests(data, acquisition, fit, found, regions, slice_delay=late)
    assert sum(region.p['pdispersion'] < 0.05 for region in tested) <= 5
