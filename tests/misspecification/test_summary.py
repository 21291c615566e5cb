import math

from aslprep_nn.misspecification.summary import (
    Convergence,
    FixedT1Test,
    RegionTests,
    TrustSummary,
)

REGION = RegionTests(
    region='brain',
    n_voxels=10,
    n_tested=8,
    rejected={'pnoise': 0.25, 'pmodel': math.nan},
    claimed={'CONSISTENT': 1.0},
    p={'pnoise': 0.5},
)
SERIES = {
    name: (math.inf, 2.0)
    for name in Convergence.__dataclass_fields__
    if name not in ('n_voxels', 'n_draws', 'n_repetitions')
}
CONVERGENCE = Convergence(n_voxels=3, n_draws=4, n_repetitions=(2, 3), **SERIES)
FIXED_T1 = FixedT1Test('brightest 10 %', 5, 1.2, 1.4, 0.01, 0.3, 0.1, 0.4, 0.1, 60.0, 55.0)


def test_a_summary_survives_being_written_and_read():
    summary = TrustSummary(0.05, ('No repetition.',), (REGION,), 3, CONVERGENCE, FIXED_T1)
    read = TrustSummary.from_json(summary.as_json())
    assert read.convergence == CONVERGENCE
    assert read.fixed_t1 == FIXED_T1
    assert read.limits == summary.limits
    assert math.isnan(read.regions[0].rejected['pmodel'])
    assert read.regions[0].rejected['pnoise'] == 0.25


def test_a_summary_without_extras_is_read_without_them():
    read = TrustSummary.from_json(TrustSummary(0.1, (), (REGION,), 3).as_json())
    assert (read.convergence, read.fixed_t1, read.false_discovery_rate) == (None, None, 0.1)
