"""Curves, for every kind of run."""

from dataclasses import replace

import numpy as np
import pytest

from aslprep_nn.maps import FitStatus, ParameterMap
from aslprep_nn.pipeline.steps import PARAMETER_COLUMNS
from aslprep_nn.report.curves import histograms, motion, repetitions
from aslprep_nn.report.kinetics import kinetic_curves, residuals_by_delay
from aslprep_nn.report.quality import measure_quality


def test_motion_is_not_drawn_where_it_is_not_known(run):
    assert motion(run) is not None
    assert motion(replace(run, confounds=None)) is None
    unknown = run.confounds.assign(**dict.fromkeys(PARAMETER_COLUMNS, np.nan))
    assert motion(replace(run, confounds=unknown)) is None


def test_motion_says_how_much(run):
    moved = run.confounds['framewise_displacement']
    assert f'{moved.mean():.2f} mm, at most {moved.max():.2f} mm' in motion(run).alt


def test_histograms_are_drawn_of_what_was_estimated(run, single_delay_run):
    assert [f.name for f in histograms(run)] == ['histogramcbf', 'histogramatt']
    assert [f.name for f in histograms(single_delay_run)] == ['histogramcbf']


def test_histograms_survive_a_run_without_an_estimate(run):
    nothing = {name: ParameterMap(np.full(run.mask.shape, np.nan), 's', '') for name in run.maps}
    failed = replace(run, maps=nothing)
    assert 'No grey-matter-like voxel' in next(histograms(failed)).alt
    assert kinetic_curves(failed) is None
    assert residuals_by_delay(failed) is None


def test_curves_need_more_than_one_delay(single_delay_run):
    assert kinetic_curves(single_delay_run) is None
    assert residuals_by_delay(single_delay_run) is None
    assert repetitions(single_delay_run).alt == '30 measurements.'


@pytest.mark.parametrize('has_m0', [True, False])
@pytest.mark.parametrize('slice_seconds', [0.0, 0.04])
def test_residuals_of_the_true_parameters_are_zero(simulate_run, has_m0, slice_seconds):
    results = simulate_run(
        exact=True, shape=(20, 22, 8), has_m0=has_m0, slice_seconds=slice_seconds
    )
    assert '0.0 per cent' in residuals_by_delay(results).alt


def test_residuals_of_a_wrong_slice_timing_are_not(simulate_run):
    results = simulate_run(exact=True, shape=(20, 22, 8), slice_seconds=0.06)
    ignored = replace(results.acquisition, slice_times=())
    found = residuals_by_delay(replace(results, acquisition=ignored)).alt
    assert float(found.split(' is ')[1].split(' ')[0]) > 2


def test_curves_show_regions_and_single_voxels(run):
    alt = kinetic_curves(run).alt
    for place in ('brain mean', 'brightest tenth', 'darkest tenth', 'typical fit', 'worst fit'):
        assert place in alt


def test_one_fitted_voxel_is_enough(simulate_run):
    results = simulate_run(shape=(12, 14, 3), repetitions=2)
    only = np.zeros_like(results.mask)
    only[tuple(np.argwhere(results.mask)[0])] = True
    cbf = replace(results.maps['cbf'], values=np.where(only, 50.0, np.nan))
    att = replace(results.maps['att'], values=np.where(only, 1.0, np.nan))
    single = replace(results, mask=only, maps={'cbf': cbf, 'att': att})
    assert kinetic_curves(single) is not None


def test_curves_take_only_voxels_with_a_transit_time(simulate_run):
    results = simulate_run(exact=True, shape=(20, 22, 8))
    untold = results.mask & (np.random.default_rng(5).random(results.mask.shape) < 0.3)
    att = np.where(untold, np.nan, results.maps['att'].values)
    curves = []
    for untold_cbf in (60.0, 1000.0):
        cbf = np.where(untold, untold_cbf, results.maps['cbf'].values)
        maps = {
            'att': replace(results.maps['att'], values=att),
            'cbf': replace(results.maps['cbf'], values=cbf),
        }
        unclear = replace(results, maps=maps)
        assert '0.0 per cent' in residuals_by_delay(unclear).alt
        curves.append(kinetic_curves(unclear).data)
    assert curves[0] == curves[1]


def test_nothing_but_unclear_transit_times_gives_histograms_but_no_curves(run):
    att = ParameterMap(np.full(run.mask.shape, np.nan), 's', '')
    status = np.where(run.mask, FitStatus.ATT_NOT_IDENTIFIABLE, FitStatus.OUTSIDE)
    unclear = replace(run, maps={**run.maps, 'att': att}, status=status)
    assert 'Without the 100 % of the brain' in next(histograms(unclear)).caption
    assert kinetic_curves(unclear) is None
    assert residuals_by_delay(unclear) is None


def test_labelling_durations_that_differ_get_a_curve_each(run):
    n = run.acquisition.n_measurements
    durations = tuple(1.0 if i < n // 2 else 1.8 for i in range(n))
    mixed = replace(run, acquisition=replace(run.acquisition, labeling_duration=durations))
    assert kinetic_curves(mixed).data.count(b'<path') > kinetic_curves(run).data.count(b'<path')


def test_pairs_that_were_left_out_cost_their_own_dots_only(run):
    spoilt = run.relative_delta_m.copy()
    spoilt[..., [1, 9]] = np.nan
    fewer = replace(run, relative_delta_m=spoilt)
    for draw in (kinetic_curves, residuals_by_delay):
        assert draw(fewer) is not None
    whole, left = ({n.name: n.value for n in measure_quality(each)} for each in (run, fewer))
    assert left['fraction_pairs_left_out'] == pytest.approx(2 / run.relative_delta_m.shape[-1])
    assert whole['fraction_pairs_left_out'] == 0
    for name in ('tsnr_delta_m', 'perfusion_z'):
        assert left[name] == pytest.approx(whole[name], rel=0.15)
