"""One evaluation gives every number that is asked for, and says it in tables and figures."""

import json
import math
from dataclasses import replace

import pytest

from aslprep_nn.evaluation.estimators import Family
from aslprep_nn.evaluation.figures import evaluation_figures
from aslprep_nn.evaluation.records import score_records
from aslprep_nn.evaluation.requirements import (
    RATIOS,
    Requirement,
    has_network,
    requirement_table,
    rough_requirement_table,
)
from aslprep_nn.evaluation.scores import Parameter, Ratio, Region
from aslprep_nn.evaluation.suite import FULL, QUICK, at_snr
from aslprep_nn.evaluation.tables import evaluation_tables
from aslprep_nn.report.figures import Mime

CBF, ATT = Parameter


@pytest.fixture(scope='module')
def tables(tiny_evaluation):
    return {table.name: table for table in evaluation_tables(tiny_evaluation.found)}


def test_each_table_has_one_set_of_columns_and_no_empty_cell(tables):
    for table in tables.values():
        assert table.rows, table.name
        assert len({tuple(row) for row in table.rows}) == 1, table.name
        assert all(str(cell) for row in table.rows for cell in row.values())


def test_the_tables_are_those_of_the_brief(tables):
    assert list(tables) == [
        'RMSE of CBF', 'mean absolute error of CBF', 'bias of CBF',
        'RMSE of ATT', 'mean absolute error of ATT', 'bias of ATT',
        'settings', 'ratios', 'correlated', 'fine structure', 'bias per bound', 'coverage',
        'wrong physics, CBF', 'wrong physics, ATT', 'protocols, CBF', 'protocols, ATT',
        'loss over bound', 'lesions', 'uniform',
    ]  # fmt: skip
    assert len(tables['wrong physics, CBF'].rows) == 4
    assert len(tables['RMSE of CBF'].rows) == 4 * 4


def test_a_table_says_what_was_scored(tiny_evaluation, tables):
    results = at_snr(tiny_evaluation.found.known, 5.0)
    score = results.score(Family.HYBRID, ATT, Region.GRAY_MATTER)
    rows = tables['RMSE of ATT'].rows
    (row,) = (r for r in rows if (r['SNR'], r['where']) == ('5', 'grey matter'))
    assert float(row['HYB**']) == pytest.approx(1000 * score.rmse, rel=0.01)


def test_requirements_are_measured_line_by_line(tiny_evaluation):
    table = requirement_table(tiny_evaluation.found)
    assert len(table.rows) == 3 * len(RATIOS) + 2 + 3 + 1 + 2 + 4 + 2 + 2 * 2
    first = table.rows[0]
    ratio = at_snr(tiny_evaluation.found.known, 3.0).ratio(
        Family.LEAST_ERROR, Family.SMOOTHED, CBF, Region.BRAIN
    )
    assert first['network, dial 1'] == str(ratio)
    assert (first['floor'], first['goal']) == ('≤ 0.75', '≤ 0.68')


def test_ratios_are_demanded_of_rough_brains_too(tiny_evaluation):
    table = rough_requirement_table(tiny_evaluation.found)
    assert len(table.rows) == 3 * len(RATIOS)
    ratio = at_snr(tiny_evaluation.found.fine, 3.0).ratio(
        Family.LEAST_ERROR, Family.SMOOTHED, CBF, Region.BRAIN
    )
    assert table.rows[0]['network, dial 1'] == str(ratio)
    assert table.rows[0]['floor'] == requirement_table(tiny_evaluation.found).rows[0]['floor']


def test_an_untrained_network_does_not_beat_what_is_smoothed(tiny_evaluation):
    rows = requirement_table(tiny_evaluation.found).rows
    ratios = [row for row in rows if row['quantity'] == 'brain CBF / HYB**']
    assert [row['floor met'] for row in ratios] == ['NO'] * 3


def test_without_a_network_nothing_is_demanded(tiny_evaluation):
    found = tiny_evaluation.found

    def without(results):
        sums = {k: v for k, v in results.sums.items() if not k.family.startswith('network')}
        return replace(results, sums=sums)

    bare = replace(found, known=tuple(without(one) for one in found.known))
    assert has_network(found)
    assert not has_network(bare)
    assert requirement_table(bare).rows == rough_requirement_table(bare).rows == ()


@pytest.mark.parametrize(
    ('value', 'limits', 'met'),
    [
        (0.754, (0.0, 0.75), True),
        (0.756, (0.0, 0.75), False),
        (0.93, (0.93, math.inf), True),
        (-3.0, (-math.inf, 1.0), True),
        (0.73, (0.63, 0.73), True),
        (math.nan, (0.0, 1.0), False),
    ],
)
def test_a_requirement_is_met_by_the_number_that_is_printed(value, limits, met):
    low = Ratio(value, value, value)
    line = Requirement('q', 'SNR 5', (low, 99.0), Family.LEAST_ERROR, limits, limits)
    assert line.meets(limits) == met
    other = Requirement('q', 'SNR 5', (99.0, low), Family.LEAST_BIAS, limits, limits)
    assert other.as_row()['floor met'] == ('yes' if met else 'NO')


def test_records_hold_every_condition_and_can_be_written(tiny_evaluation):
    records = list(score_records(tiny_evaluation.found))
    assert json.loads(json.dumps(records, allow_nan=False)) == records
    kinds = {record['experiment'] for record in records}
    assert kinds == {
        'physics known', 'correlated noise', 'fine structure', 'wrong physics', 'protocols',
        'voxelwise random', 'lesions',
    }  # fmt: skip
    assert {record['estimator'] for record in records} == {str(family) for family in Family}


def test_progress_names_every_condition(tiny_evaluation):
    told = tiny_evaluation.told
    assert told[0] == 'physics known, SNR 2'
    assert sum('T1 of blood' in one for one in told) == 1
    assert sum('focus' in one for one in told) == 6


def test_figures_show_the_maps_the_errors_and_the_intervals(tiny_evaluation):
    maps, errors, reliability = evaluation_figures(tiny_evaluation.found)
    assert (maps.name, errors.name, reliability.name) == ('maps', 'errors', 'reliability')
    assert maps.mime is Mime.PNG
    assert set(tiny_evaluation.found.gallery.maps) == {
        Family.LEAST_SQUARES, Family.SMOOTHED, Family.HYBRID, Family.LEAST_ERROR,
        Family.LEAST_BIAS,
    }  # fmt: skip
    for figure in (errors, reliability):
        assert b'network, dial 1' in figure.data


def test_the_full_effort_is_what_was_asked_for():
    assert FULL.snr == (2, 3, 5, 10, 25)
    assert FULL.n_known == 48
    assert FULL.factors == (0.8, 0.9, 1.1, 1.2)
    assert set(QUICK.snr) >= {2, 3, 5, 10}
