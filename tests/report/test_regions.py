"""Which voxels and measurements belong together."""

from dataclasses import replace

import numpy as np
import pytest

from aslprep_nn.report.regions import (
    brightest,
    darkest,
    gm_like,
    mean_delta_m,
    measurements_by_timing,
    signal_unit,
)


def test_measurements_are_grouped_by_delay_and_duration(run):
    n = run.acquisition.n_measurements
    durations = tuple(1.0 + i % 2 for i in range(n))
    groups = measurements_by_timing(replace(run.acquisition, labeling_duration=durations))
    assert list(groups) == sorted(groups)
    assert sorted(np.concatenate(list(groups.values())).tolist()) == list(range(n))
    for (pld, duration), indices in groups.items():
        assert {run.acquisition.pld[i] for i in indices} == {pld}
        assert {durations[i] for i in indices} == {duration}


@pytest.mark.parametrize('fraction', [0.1, 1 / 3])
def test_the_brightest_and_darkest_are_the_given_share_of_the_mask(run, fraction):
    n_voxels = run.mask.sum()
    for chosen in (brightest(run, fraction), darkest(run, fraction)):
        assert chosen.sum() == pytest.approx(fraction * n_voxels, rel=0.01)
        assert not (chosen & ~run.mask).any()
    assert not (brightest(run, fraction) & darkest(run, fraction)).any()


def test_arteries_that_are_bright_early_do_not_count_as_grey_matter(run):
    artery = np.zeros_like(run.mask)
    artery[tuple(np.argwhere(darkest(run, 0.05)).T)] = True
    early = np.array(run.acquisition.pld) < 1.0
    signal = run.relative_delta_m.copy()
    signal[np.ix_(*(range(n) for n in artery.shape), np.flatnonzero(early))] += (
        0.1 * artery[..., np.newaxis]
    )
    flooded = replace(run, relative_delta_m=signal)
    assert mean_delta_m(flooded)[artery].mean() > mean_delta_m(run)[gm_like(run)].mean()
    assert not (gm_like(flooded) & artery).any()


def test_volumes_outside_the_field_of_view_do_not_count(run):
    signal = run.relative_delta_m.copy()
    signal[..., 0] = np.nan
    partial = mean_delta_m(replace(run, relative_delta_m=signal))
    assert np.allclose(partial[run.mask], signal[run.mask][:, 1:].mean(axis=1), rtol=1e-4)


def test_the_signal_is_shown_in_per_cent_of_m0_or_of_its_own_mean(run, relative_run):
    assert signal_unit(run) == (100, 'delta M [% of M0]')
    factor, _ = signal_unit(relative_run)
    assert factor * mean_delta_m(relative_run)[relative_run.mask].mean() == pytest.approx(1)
