"""Curves of the tests stand beside what nothing wrong would give."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from aslprep_nn.misspecification.bootstrap import null_kappa
from aslprep_nn.report.drawn_map import percent
from aslprep_nn.report.trust_curves import (
    HAUSMAN_EDGES,
    KAPPA_EDGES,
    convergence_curves,
    hausman_tails,
    kappa_histogram,
    kappa_tails,
    null_shares_in_bins,
    shares_in_bins,
    subset_curves,
)


def words_of(figure):
    root = ET.fromstring(figure.data)  # noqa: S314 - our own bytes
    return {''.join(node.itertext()) for node in root.iter('{http://www.w3.org/2000/svg}text')}


def with_maps(results, **maps):
    trust = replace(results.trust, maps={**results.trust.maps, **maps})
    return replace(results, trust=trust)


def with_convergence(results, **changes):
    summary = results.trust.summary
    settled = replace(summary.convergence, **changes)
    trust = replace(results.trust, summary=replace(summary, convergence=settled))
    return replace(results, trust=trust)


def test_kappa_stands_beside_its_null(full_run):
    figure = kappa_histogram(full_run)
    assert {'brain', 'grey-matter-like', 'noise as assumed'} <= words_of(figure)
    assert f'median is then {null_kappa(0.5, 8):.2f}' in figure.caption
    median = float(re.search(r'median is ([\d.]+), with', figure.alt).group(1))
    assert median == pytest.approx(null_kappa(0.5, 8), rel=0.15)


def test_the_null_is_that_of_the_repetitions_that_are_left(full_run):
    summary = replace(full_run.trust.summary, n_repetitions=5)
    figure = kappa_histogram(replace(full_run, trust=replace(full_run.trust, summary=summary)))
    assert 'from 5 repetitions' in figure.caption
    assert f'median is then {null_kappa(0.5, 5):.2f}' in figure.caption


def test_kappa_of_correct_noise_fills_the_bins_as_the_null_says():
    shares = np.random.default_rng(0).random(20_000)
    kappa = np.array([null_kappa(share, 8) for share in shares])
    measured, expected = shares_in_bins(kappa, KAPPA_EDGES), null_shares_in_bins(kappa_tails(8))
    assert measured.sum() == pytest.approx(100)
    assert expected.sum() == pytest.approx(100)
    assert np.abs(measured - expected).max() < 0.7


@pytest.mark.parametrize('freedom', [6, 42])
def test_the_distance_of_correct_halves_fills_the_bins_as_the_null_says(freedom):
    statistic = 2 * np.random.default_rng(1).f(2, freedom, 20_000)
    measured = shares_in_bins(statistic, HAUSMAN_EDGES)
    expected = null_shares_in_bins(hausman_tails(freedom))
    assert np.abs(measured - expected).max() < 1.0


def test_the_distance_of_correct_halves_is_chi_squared_where_noise_is_known():
    assert hausman_tails(100_000) == pytest.approx(np.exp(-HAUSMAN_EDGES / 2), abs=1e-4)


def test_two_repetitions_have_no_null_and_no_histogram(simulate_run, trust_in):
    two = trust_in(simulate_run(shape=(10, 12, 3), repetitions=2))
    assert kappa_histogram(two) is None


def test_without_tests_there_are_no_curves(run):
    for draw in (kappa_histogram, subset_curves, convergence_curves):
        assert draw(run) is None


def test_early_and_late_delays_are_compared_where_they_were_tested(full_run):
    figure = subset_curves(full_run)
    assert 'CBF' in words_of(figure)
    tested = np.isfinite(full_run.trust.maps['hausman'][full_run.mask]).mean()
    assert f'Compared in {percent(tested)} of the brain' in figure.alt
    assert tested > 0
    nothing = np.full(full_run.mask.shape, np.nan)
    assert subset_curves(with_maps(full_run, hausman=nothing)) is None


def test_convergence_shows_kappa_eigenvalues_and_estimates(full_run):
    figure = convergence_curves(full_run)
    words = words_of(figure)
    assert {'kappa', 'CBF [mL/100 g/min]', 'ATT [s]', 'bias', 'its bound', 'largest'} <= words
    assert 'up to 20 subsets' in figure.caption
    assert '500 voxels' in figure.caption


def test_the_flow_of_a_run_without_m0_is_relative(full_run):
    relative = replace(full_run, has_m0=False)
    assert 'CBF over its median' in words_of(convergence_curves(relative))


@pytest.mark.parametrize('kappa', [(np.inf,) * 3, (np.nan,) * 3, (1000.0,) * 3])
def test_any_kappa_is_drawn(full_run, kappa):
    extreme = with_convergence(full_run, kappa=kappa, kappa_null=kappa, kappa_null_high=kappa)
    assert 'kappa' in words_of(convergence_curves(extreme))
