"""Kinds of voxels and of noise, on few voxels."""

import pytest

from aslprep_nn.misspecification.reproduction import strata
from aslprep_nn.misspecification.reproduction.gates import TESTS


@pytest.fixture(scope='module')
def table():
    return strata.strata_table(600, 0)[0]


def test_every_stratum_asked_for_has_a_row(table):
    names = {row['stratum'] for row in table.rows}
    assert {
        'ATT below the first PLD', 'low CBF (5-20)', '6 PLDs, M = 4', '6 PLDs, M = 8',
        '5 PLDs x 6 6 6 10 15', 'ATT on a kink, 6 PLDs',
    } < names  # fmt: skip


@pytest.mark.parametrize('test', ['kappa', 'lack of fit', 'decay'])
def test_levels_are_near_five_per_cent(table, test):
    weak = {strata.FITTED_ON_KINK, 'no perfusion'}
    for row in table.rows:
        if row['stratum'] not in weak:
            assert 0.015 < float(row[test]) < 0.09, row['stratum']


def test_a_test_that_cannot_be_made_is_a_dash(table):
    (row,) = [row for row in table.rows if row['stratum'] == 'ATT below the first PLD']
    assert row['early-late'] == '–'


def test_fluctuating_flow_is_seen_by_kappa_and_spares_the_scores():
    rows = strata.noise_table(500, 0).rows
    fluctuating = rows[0]
    assert float(fluctuating['kappa']) > 0.4
    assert float(fluctuating['decay']) < 0.09
    assert len(rows) == 2 * len(strata._NOISES)


def test_correlation_between_delays_is_what_it_says():
    make = strata._autoregressive(0.6)
    truth = strata.Truth.draw(strata.BRAIN.population, 3000, strata.generator_of(0, 1))
    signal = strata._signal(strata.Scenario.CORRECT, truth, strata.BRAIN, strata.generator_of(0))
    noise = (make(truth, strata.BRAIN, strata.generator_of(0, 2)) - signal) / 0.002
    assert float(noise.var()) == pytest.approx(1, rel=0.02)
    assert float((noise[..., 1:] * noise[..., :-1]).mean()) == pytest.approx(0.6, abs=0.02)


def test_tails_are_counted_per_thousand():
    rows = strata.tail_table(400, 0).rows
    assert [row['expected'] for row in rows] == ['50', '10', '1'] * 2
    assert set(TESTS) < set(rows[0])
