"""The gates on few voxels: what they ask, and that they can fail."""

import pytest

from aslprep_nn.estimation.benchmark.evidence import Verdict
from aslprep_nn.misspecification.reproduction import gates
from aslprep_nn.misspecification.reproduction.scenarios import KIDNEY, Scenario


@pytest.fixture(scope='module')
def findings():
    return gates.gate_findings(1500, 0)


def test_every_gate_is_measured(findings):
    assert {finding.figure for finding in findings} == {f'gate {n}' for n in (1, 2, 3, 4)}
    alarms = [finding for finding in findings if finding.figure == 'gate 1']
    assert len(alarms) == 2 * 2 * len(gates.EXACT_TESTS)
    assert all(0.03 < finding.ours < 0.07 for finding in alarms)


def test_slow_outflow_over_every_flow_misses_the_gate_and_is_reported(findings):
    slow = [f for f in findings if 'CBF 0-900, outflow after 1 s at 0.5/s' in f.quantity]
    assert [finding.verdict for finding in slow] == [Verdict.DIFFERS, Verdict.DIFFERS]


def test_kappa_does_not_see_a_wrong_t1(findings):
    control = [finding for finding in findings if finding.figure == 'gate 4']
    assert len(control) == 2
    assert all(finding.ours < 0.07 for finding in control)


def test_the_same_seed_gives_the_same_voxels():
    first, second = (
        gates.assessed(KIDNEY, Scenario.T1, 8, 20, 3).statistics['kappa'] for _ in range(2)
    )
    assert first.equal(second)


def test_the_scenario_table_has_every_truth_in_both_organs():
    table, findings = gates.scenario_table(60, 0)
    assert [row['truth'] for row in table.rows[::2]] == [str(s) for s in Scenario]
    assert set(gates.TESTS) < set(table.rows[0])
    unrecorded = [f for f in findings if f.verdict is Verdict.INCOMPARABLE]
    assert {f.quantity.split(', ')[1].split(':')[0] for f in unrecorded} == {
        'outflow', 'one repetition moved', 'arterial blood 1 %',
    }  # fmt: skip


def test_faster_outflow_is_found_more_often():
    rows = [row for row in gates.outflow_sensitivity(400, 0).rows if row['stays [s]'] == 1.0]
    powers = [float(row['kidney: decay']) for row in rows]
    assert powers[0] < powers[-1]
