"""Figure 4: estimates scatter as the bounds of their coefficients say."""

import pytest

from aslprep_nn.estimation.subspace.reproduction import scatter
from aslprep_nn.estimation.subspace.reproduction.cases import LOOK_LOCKER, LOOK_LOCKER_T1_CASE
from aslprep_nn.estimation.subspace.reproduction.scatter import perfusion_scatter, scatter_table


@pytest.fixture(scope='module')
def found():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scatter, 'N_COMPONENTS', (3,))
        return perfusion_scatter(
            LOOK_LOCKER_T1_CASE, LOOK_LOCKER, n_tissues=500, n_draws=1500, seed=0
        )


@pytest.mark.parametrize('place', [0, 1])
def test_estimates_from_three_coefficients_are_near_their_bound(found, place):
    """Three parameters from as many coefficients bend the fit: scatter exceeds it by a little."""
    one = found.parameters[place]
    for key, std in one.std.items():
        assert std == pytest.approx(one.exact_bound[key], rel=0.15)
        assert abs(one.bias[key]) < 0.1 * std
        assert std > one.uncompressed_bound


def test_weight_on_the_bounds_lowers_the_scatter(found):
    for one in found.parameters:
        assert one.std[3, 0.5] < 0.98 * one.std[3, 0.0]


def test_a_table_has_a_row_for_each_subspace(found):
    rows = scatter_table([found]).rows
    assert [(row['components'], row['lambda']) for row in rows] == [(3, 0.0), (3, 0.5)]
    assert rows[0]['first: sd %'] == f'{100 * found.parameters[0].std[3, 0.0]:.2f}'
