"""Coverage of the standard deviations, on few voxels."""

from aslprep_nn.misspecification.reproduction.coverage import coverage_table


def within(row: dict, name: str) -> float:
    return float(row[name].split()[0])


def test_where_flow_changes_the_bound_covers_too_few_and_the_larger_does_not():
    rows = coverage_table(3000, seed=0).rows
    correct, _, _, fluctuating = rows
    assert within(correct, 'bound alone') > 0.62
    assert within(fluctuating, 'bound alone') < 0.5
    assert within(fluctuating, 'the larger') > 0.6
