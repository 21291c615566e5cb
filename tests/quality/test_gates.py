"""Each gate catches its fault, names it with numbers and a remedy, and lets healthy runs pass."""

from dataclasses import replace

import numpy as np
import pytest
from heads import MASK, SHAPE, X, Y, fit

from aslprep_nn.maps import FitStatus
from aslprep_nn.quality.findings import Finding, Gate
from aslprep_nn.quality.gates import find_implausible
from aslprep_nn.quality.measured_run import MeasuredRun
from aslprep_nn.settings import Organ


def only(run: MeasuredRun) -> Finding:
    found = find_implausible(run)
    assert len(found) == 1, found
    return found[0]


def changed(run: MeasuredRun, relative_delta_m: np.ndarray, **more: object) -> MeasuredRun:
    return fit(replace(run, relative_delta_m=relative_delta_m, **more))


def test_a_healthy_run_passes(run):
    assert find_implausible(run) == ()


def test_a_healthy_run_without_m0_passes(run):
    assert find_implausible(replace(run, has_m0=False, cbf=run.cbf * 1e4)) == ()


def test_swapped_labels_are_found_and_the_swap_is_offered_not_made(run):
    finding = only(changed(run, -run.relative_delta_m))
    assert finding.gate is Gate.SWAPPED
    assert 'label is brighter than control in 100% of the brain' in finding.found
    assert '--swap-label-control' in finding.remedy


def test_differences_of_the_wrong_sign_are_offered_another_remedy(run):
    finding = only(changed(run, -run.relative_delta_m, has_label_and_control=False))
    assert 'multiply them by -1' in finding.remedy


def test_noise_is_no_perfusion(run):
    rng = np.random.default_rng(1)
    finding = only(changed(run, rng.normal(0, 5e-4, run.relative_delta_m.shape)))
    assert finding.gate is Gate.NO_PERFUSION
    assert 'as often as chance' in finding.found


@pytest.mark.parametrize('ratio', [0.79, 1.26])
def test_fluid_that_disagrees_with_white_matter_is_not_to_be_trusted(run, ratio):
    finding = only(replace(run, white_over_fluid=ratio))
    assert finding.gate is Gate.M0_REGION
    assert f'{ratio:.2f} times that from fluid' in finding.found
    assert '--m0-reference wm' in finding.remedy
    for alike in (0.81, 1.24):
        assert find_implausible(replace(run, white_over_fluid=alike)) == ()


@pytest.mark.parametrize('what', ['signal', 'estimate'])
def test_nothing_but_zeros_is_found(run, what):
    if what == 'signal':
        finding = only(changed(run, np.zeros_like(run.relative_delta_m)))
        assert 'the difference of control and label is zero' in finding.found
    else:
        finding = only(replace(run, cbf=np.full(SHAPE, np.nan)))
        assert 'CBF is zero or absent' in finding.found
    assert finding.gate is Gate.ALL_ZERO


@pytest.mark.parametrize('factor', [10.0, 32.0, 100.0, 1 / 10, 1 / 32, 1 / 100])
def test_an_m0_of_another_scale_is_told_with_the_option_that_mends_it(run, factor):
    finding = only(changed(run, run.relative_delta_m * factor))
    assert finding.gate is Gate.M0_SCALE
    assert finding.remedy == f'If so, give --m0-scale {factor:g}.'
    assert f'{max(factor, 1 / factor):g} times too {"small" if factor > 1 else "large"}' in (
        finding.found
    )
    assert 'grey-matter-like CBF is' in finding.found


def test_unsuppressed_controls_tell_the_scale_even_where_cbf_is_possible(run):
    bright = replace(run, is_suppressed=False, control_over_m0=9.0)
    finding = only(bright)
    assert finding.gate is Gate.M0_SCALE
    assert '9 times as bright as M0' in finding.found
    assert '--m0-scale 10' in finding.remedy


def test_controls_as_bright_as_m0_acquit_its_scale(run):
    loud = changed(run, run.relative_delta_m * 10, is_suppressed=False, control_over_m0=0.95)
    assert only(loud).gate is Gate.CBF_RANGE


def test_a_cbf_that_no_known_scale_explains_is_out_of_range(run):
    finding = only(changed(run, run.relative_delta_m * 4))
    assert finding.gate is Gate.CBF_RANGE
    assert 'outside of 10 to 150' in finding.found


def test_delays_in_another_unit_leave_att_at_a_bound(several):
    shorter = replace(several.acquisition, pld=tuple(pld / 10 for pld in several.acquisition.pld))
    finding = only(fit(replace(several, acquisition=shorter)))
    assert finding.gate is Gate.ATT_AT_BOUND
    assert 'PostLabelingDelay' in finding.remedy


def test_an_att_map_at_its_end_is_found(several):
    at_end = np.where(MASK, FitStatus.AT_BOUND, 0).astype(np.uint8)
    assert only(replace(several, status=at_end)).gate is Gate.ATT_AT_BOUND


def test_arrival_before_a_late_first_delay_is_no_fault(several):
    late = replace(several.acquisition, pld=tuple(pld + 1.5 for pld in several.acquisition.pld))
    unknown = np.where(MASK, FitStatus.ATT_NOT_IDENTIFIABLE, 0).astype(np.uint8)
    assert find_implausible(replace(several, acquisition=late, status=unknown)) == ()


@pytest.mark.parametrize('steps', [[2.5] * 10, [0.1] * 99 + [12.0]], ids=['often', 'once'])
def test_motion_that_is_too_large_is_found(run, steps):
    finding = only(replace(run, framewise_displacement=np.array([np.nan, *steps])))
    assert finding.gate is Gate.MOTION
    assert f'up to {max(steps):.2g} mm' in finding.found


def test_unknown_motion_is_no_fault(run):
    assert find_implausible(replace(run, framewise_displacement=None)) == ()


@pytest.mark.parametrize(
    ('where', 'name'),
    [
        ((X < 0) & (Y > -0.3), 'left carotid'),
        ((X > 0) & (Y > -0.3), 'right carotid'),
        (Y < -0.4, 'vertebral'),
    ],
    ids=['left', 'right', 'back'],
)
def test_a_territory_without_label_is_named(run, where, name):
    share = np.where(where, 0.1, 1.0)[..., None]
    finding = only(changed(run, run.relative_delta_m * share))
    assert finding.gate is Gate.TERRITORY
    assert name in finding.found


def test_a_side_that_is_a_third_weaker_is_no_failure(run):
    share = np.where(X < 0, 0.67, 1.0)[..., None]
    assert find_implausible(changed(run, run.relative_delta_m * share)) == ()


def test_sides_are_those_of_the_world_whatever_the_axes_of_the_file(run):
    share = np.where((X < 0) & (Y > -0.3), 0.1, 1.0)[..., None]
    weak = changed(run, run.relative_delta_m * share)
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = SHAPE[0] - 1
    turned = replace(
        weak,
        affine=weak.affine @ flip,
        relative_delta_m=weak.relative_delta_m[::-1],
        cbf=weak.cbf[::-1],
        status=weak.status[::-1],
        mask=weak.mask[::-1],
    )
    assert only(turned).found == only(weak).found
    assert 'left carotid' in only(weak).found


def test_motion_is_told_beside_what_hides_other_faults(run):
    swapped = changed(run, -run.relative_delta_m, framewise_displacement=np.array([5.0, 5.0]))
    assert [finding.gate for finding in find_implausible(swapped)] == [Gate.SWAPPED, Gate.MOTION]


def test_the_flow_of_a_kidney_is_out_of_range_in_a_brain_only(run):
    strong = changed(run, run.relative_delta_m * 4)
    assert only(strong).gate is Gate.CBF_RANGE
    assert find_implausible(replace(strong, organ=Organ.KIDNEY)) == ()


def test_kidneys_have_no_carotid_arteries(run):
    share = np.where((X < 0) & (Y > -0.3), 0.1, 1.0)[..., None]
    weak = changed(run, run.relative_delta_m * share)
    assert find_implausible(replace(weak, organ=Organ.KIDNEY)) == ()
