"""What is measured, and what is usual."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aslprep_nn.maps import FitStatus, ParameterMap
from aslprep_nn.report.expectations import EXPECTATIONS, expectation
from aslprep_nn.report.quality import (
    Mark,
    describe_protocol,
    measure_quality,
    quality_columns,
    quality_table,
)
from aslprep_nn.report.regions import gm_like


def measured(results):
    return {number.name: number.value for number in measure_quality(results)}


def with_map(results, name, values):
    changed = replace(results.maps[name], values=values)
    return replace(results, maps={**results.maps, name: changed})


def test_the_grey_matter_like_cbf_is_near_the_grey_matter_that_was_simulated(run):
    assert measured(run)['gm_like_cbf'] == pytest.approx(65, abs=4)


def test_a_mask_unlike_the_brain_of_the_template_is_for_people_to_look_at(run):
    marks = {}
    for overlap in (0.95, 0.8, math.nan):
        numbers = {n.name: n for n in measure_quality(replace(run, template_dice=overlap))}
        marks[overlap] = numbers['mask_template_dice'].mark
    assert list(marks.values()) == [Mark.GOOD, Mark.LOOK, Mark.UNKNOWN]


def test_the_transit_time_counts_only_voxels_that_can_tell_it(run):
    blurred = replace(run, status=np.full_like(run.status, FitStatus.ATT_NOT_IDENTIFIABLE))
    assert math.isnan(measured(blurred)['att_median'])
    assert measured(blurred)['fraction_identifiable'] == 0


def test_shares_count_voxels_of_the_mask(run):
    cbf = np.where(run.mask, 50.0, np.nan)
    voxels = np.argwhere(run.mask)
    n_voxels = len(voxels)
    cbf[tuple(voxels[: n_voxels // 4].T)] = np.nan
    found = measured(with_map(run, 'cbf', cbf))
    assert found['fraction_estimated'] == pytest.approx(0.75, abs=1e-3)


def test_negative_differences_count_where_there_is_a_measurement(run, single_delay_run):
    for results in (run, single_delay_run):
        signal = np.ones_like(results.relative_delta_m)
        voxels = np.argwhere(results.mask)
        n_voxels = len(voxels)
        signal[tuple(voxels[: n_voxels // 4].T)] = np.nan
        signal[tuple(voxels[n_voxels // 4 : n_voxels // 2].T)] = -1
        found = measured(replace(results, relative_delta_m=signal))
        assert found['fraction_negative_delta_m'] == pytest.approx(1 / 3, abs=1e-3)


def test_patchy_cbf_counts_only_where_the_transit_time_can_be_told(run):
    told = np.isin(run.status, (FitStatus.CONVERGED, FitStatus.ON_KINK)) & run.mask
    wild = np.where(told, run.maps['cbf'].values, 500.0)
    changed = measured(with_map(run, 'cbf', wild))['spatial_cov']
    assert changed == measured(run)['spatial_cov']
    assert 20 < changed < 90


def test_with_one_delay_negative_estimates_count_for_the_variation(single_delay_run):
    cbf = np.where(single_delay_run.mask, 50.0, np.nan)
    half = np.argwhere(single_delay_run.mask)[::2]
    cbf[tuple(half.T)] = -10
    status = single_delay_run.status.copy()
    status[tuple(half.T)] = FitStatus.AT_BOUND
    found = measured(replace(with_map(single_delay_run, 'cbf', cbf), status=status))
    assert found['spatial_cov'] == pytest.approx(150, abs=0.1)


def test_patchy_cbf_is_arterial_blood_only_where_arrival_is_not_modelled(run, single_delay_run):
    for results, is_arterial in ((run, False), (single_delay_run, True)):
        numbers = {number.name: number for number in measure_quality(results)}
        concern = replace(numbers['spatial_cov'], value=97).concern
        assert '97 %' in concern
        assert ('arteries' in concern) is is_arterial


def test_motion_is_read_from_the_confounds(run):
    moved = run.confounds['framewise_displacement'].dropna()
    assert measured(run)['fd_mean'] == pytest.approx(moved.mean())
    assert measured(run)['fd_max'] == pytest.approx(moved.max())


def test_motion_is_not_known_where_only_differences_were_given(run):
    found = measured(replace(run, confounds=None))
    assert math.isnan(found['fd_mean'])
    assert math.isnan(found['fd_max'])


def test_temporal_snr_is_the_mean_over_the_scatter_of_repetitions(run):
    rng = np.random.default_rng(1)
    noise = rng.standard_normal(run.relative_delta_m.shape)
    bright = gm_like(run)[..., np.newaxis]
    found = measured(replace(run, relative_delta_m=bright * (0.02 + 0.01 * noise)))
    assert found['tsnr_delta_m'] == pytest.approx(2, rel=0.03)


def test_differences_between_delays_do_not_count_as_scatter(run):
    groups = np.array(run.acquisition.pld)
    steady = np.broadcast_to(groups, run.relative_delta_m.shape) + 0.0
    assert math.isnan(measured(replace(run, relative_delta_m=steady))['tsnr_delta_m'])


def test_noise_alone_is_not_far_above_noise(run):
    rng = np.random.default_rng(2)
    noise = rng.standard_normal(run.relative_delta_m.shape)
    assert abs(measured(replace(run, relative_delta_m=noise))['perfusion_z']) < 0.2


def test_perfusion_above_noise_is_that_of_a_typical_voxel(run):
    rng = np.random.default_rng(4)
    noise = rng.standard_normal(run.relative_delta_m.shape)
    n_measurements = noise.shape[-1]
    weak = replace(run, relative_delta_m=1.5 / n_measurements**0.5 + noise)
    number = {each.name: each for each in measure_quality(weak)}['perfusion_z']
    assert number.value == pytest.approx(1.5, abs=0.1)
    assert number.mark is Mark.LOOK
    assert 'hardly be told from noise' in number.concern


def test_a_transit_time_without_an_estimate_leaves_the_share_of_estimates_alone(run):
    att = np.full(run.mask.shape, np.nan)
    unclear = np.where(run.mask, FitStatus.ATT_NOT_IDENTIFIABLE, FitStatus.OUTSIDE)
    found = measured(replace(with_map(run, 'att', att), status=unclear))
    assert found['fraction_estimated'] == measured(run)['fraction_estimated']
    assert math.isnan(found['spatial_cov'])


def test_one_measurement_tells_nothing_about_repetitions(simulate_run):
    single = simulate_run(shape=(12, 14, 4), repetitions=1)
    found = measured(single)
    assert math.isnan(found['tsnr_delta_m'])
    assert math.isnan(found['perfusion_z'])


@pytest.mark.parametrize('flip', [1, -1])
def test_the_asymmetry_knows_which_side_is_right(run, flip):
    affine = run.affine @ np.diag([flip, 1, 1, 1])
    right_half = (np.arange(run.mask.shape[0]) > run.mask.shape[0] / 2)[:, None, None]
    cbf = np.where(run.mask, np.where(right_half, 60.0, 40.0), np.nan)
    found = measured(replace(with_map(run, 'cbf', cbf), affine=affine))
    assert found['asymmetry'] == pytest.approx(flip * 40, abs=3)


def test_the_mask_volume_is_in_litres(run):
    voxel = abs(np.linalg.det(run.affine[:3, :3]))
    assert measured(run)['mask_volume'] == pytest.approx(run.mask.sum() * voxel / 1e6)


def test_a_relative_run_has_no_cbf_in_absolute_units(relative_run):
    found = measured(relative_run)
    assert math.isnan(found['gm_like_cbf'])
    assert math.isnan(found['mean_delta_m'])
    assert found['att_median'] > 0


def test_a_single_delay_run_has_no_transit_time(single_delay_run):
    found = measured(single_delay_run)
    assert math.isnan(found['att_median'])
    assert math.isnan(found['fraction_identifiable'])
    assert math.isnan(found['relative_sd_median'])
    assert found['gm_like_cbf'] == pytest.approx(65, abs=4)


def test_an_empty_mask_is_measured_without_an_error(run):
    nothing = replace(run, mask=np.zeros_like(run.mask))
    found = measured(nothing)
    assert found['mask_volume'] == 0
    assert math.isnan(found['gm_like_cbf'])


def test_all_failed_is_measured_without_an_error(run):
    empty = np.full(run.mask.shape, np.nan)
    failed = {name: ParameterMap(empty, 's', '') for name in run.maps}
    found = measured(replace(run, maps=failed))
    assert found['fraction_estimated'] == 0
    assert math.isnan(found['spatial_cov'])


@pytest.mark.parametrize(
    ('value', 'mark'),
    [(60, Mark.GOOD), (30, Mark.LOOK), (5, Mark.BAD), (200, Mark.BAD), (math.nan, Mark.UNKNOWN)],
)
def test_a_number_is_marked_by_its_usual_range_and_its_limits(value, mark):
    assert replace(expectation('gm_like_cbf'), value=value).mark is mark


@pytest.mark.parametrize(
    ('name', 'value', 'text'),
    [
        ('gm_like_cbf', 54.3210, '54.3 mL/100 g/min'),
        ('fraction_identifiable', 0.9123, '91.2 %'),
        ('fd_mean', 0.0512, '0.0512 mm'),
        ('asymmetry', -3.0, '−3 %'),
        ('perfusion_z', 2849.7, '2850'),
        ('att_median', math.nan, 'not known'),
        ('fd_max', 0.0, '0 mm'),
    ],
)
def test_a_number_is_written_with_three_digits_and_its_unit(name, value, text):
    assert replace(expectation(name), value=value).text == text


def test_every_number_says_what_an_unusual_value_means():
    for number in EXPECTATIONS:
        low = replace(number, value=number.usual_low - 1)
        high = replace(number, value=number.usual_high + 1)
        for unusual, reachable in ((low, number.if_low), (high, number.if_high)):
            if unusual.mark in (Mark.LOOK, Mark.BAD) and reachable:
                assert unusual.text in unusual.concern
                assert '{' not in unusual.concern


def test_the_table_has_a_described_column_for_every_number(run):
    table = quality_table(measure_quality(run), describe_protocol(run))
    assert len(table) == 1
    assert list(table.columns) == list(quality_columns())
    assert table['gm_like_cbf'][0] == measured(run)['gm_like_cbf']


def test_protocols_that_cannot_be_compared_have_different_names(
    run, single_delay_run, relative_run
):
    names = {describe_protocol(results) for results in (run, single_delay_run, relative_run)}
    assert names == {
        'PCASL 6 delays 0.25 to 2.5 s',
        'PCASL delay 1.8 s',
        'PCASL 6 delays 0.25 to 2.5 s, no M0',
    }


@pytest.mark.parametrize('number', EXPECTATIONS, ids=lambda number: number.name)
def test_the_documentation_states_every_number_with_its_usual_range(number):
    text = (Path(__file__).parents[2] / 'docs' / 'report.md').read_text()
    row = next(line for line in text.splitlines() if line.startswith(f'| `{number.name}` |'))
    assert [number.meaning, number.usual_text] == [cell.strip() for cell in row.split('|')[2:4]]
