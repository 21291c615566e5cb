"""One sentence that a technician can act on."""

from dataclasses import replace

import numpy as np
import pytest

from aslprep_nn.report.expectations import expectation
from aslprep_nn.report.quality import measure_quality
from aslprep_nn.report.verdict import Usability, judge


def verdict_of(results):
    return judge(measure_quality(results), has_m0=results.has_m0)


def test_a_good_run_is_usable(run):
    assert verdict_of(run).usability is Usability.USABLE
    assert verdict_of(run).reasons == ()


def test_swapped_label_and_control_are_named_first(simulate_run):
    verdict = verdict_of(simulate_run(shape=(16, 18, 6), scale=-1.0))
    assert verdict.usability is Usability.NOT_USABLE
    assert 'label and control may be swapped' in verdict.reasons[0]
    assert verdict.sentence.startswith(verdict.reasons[0])


def test_a_cbf_of_zero_everywhere_is_not_usable(simulate_run):
    verdict = verdict_of(simulate_run(shape=(16, 18, 6), scale=0.0))
    assert verdict.usability is Usability.NOT_USABLE
    assert any('grey-matter-like CBF is low (0 mL/100 g/min)' in why for why in verdict.reasons)


@pytest.mark.parametrize('scale', [0.1, 10.0])
def test_a_wrong_scale_of_m0_is_not_usable(simulate_run, scale):
    verdict = verdict_of(simulate_run(shape=(16, 18, 6), scale=scale))
    assert verdict.usability is Usability.NOT_USABLE
    assert any('check M0' in why for why in verdict.reasons)


def test_noise_without_perfusion_is_not_usable(run):
    rng = np.random.default_rng(3)
    noise = 0.001 * rng.standard_normal(run.relative_delta_m.shape)
    verdict = verdict_of(replace(run, relative_delta_m=noise))
    assert verdict.usability is Usability.NOT_USABLE
    assert any('perfusion can hardly be told from noise' in why for why in verdict.reasons)


def test_a_run_without_m0_is_used_with_care(relative_run):
    verdict = verdict_of(relative_run)
    assert verdict.usability is Usability.WITH_CARE
    assert verdict.reasons[0] == 'CBF is relative, because there is no M0'


def test_an_unusual_number_warns(run):
    moved = run.confounds.assign(framewise_displacement=0.9)
    verdict = verdict_of(replace(run, confounds=moved))
    assert verdict.usability is Usability.WITH_CARE
    assert verdict.reasons == ('the head moved much (0.9 mm a volume)',)


def test_what_could_not_be_measured_does_not_warn(run):
    assert verdict_of(replace(run, confounds=None)).usability is Usability.USABLE


def test_a_long_list_of_reasons_is_cut_and_counted():
    names = ('fd_mean', 'fd_max', 'mask_volume', 'spatial_cov', 'tsnr_delta_m')
    values = (0.9, 4, 0.5, 95, 0.3)
    unusual = [
        replace(expectation(name), value=value) for name, value in zip(names, values, strict=True)
    ]
    verdict = judge(unusual)
    assert len(verdict.reasons) == 5
    assert verdict.sentence.endswith('; and 2 more below.')
