import pytest
import torch

from aslprep_nn.misspecification.tangent import Tangent


@pytest.fixture
def jacobian() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 6, 3, generator=generator, dtype=torch.float64)


def test_the_basis_times_the_triangle_is_the_jacobian(jacobian):
    tangent = Tangent.of(*jacobian)
    torch.testing.assert_close(tangent.basis[0] * tangent.cbf, jacobian[0])
    rebuilt = tangent.basis[0] * tangent.both + tangent.basis[1] * tangent.att
    torch.testing.assert_close(rebuilt, jacobian[1])
    torch.testing.assert_close(
        (tangent.basis[0] * tangent.basis[1]).sum(0), torch.zeros(3).double()
    )


def test_what_remains_of_a_direction_is_seen_by_neither_parameter(jacobian):
    direction = torch.linspace(0, 1, 6).double().reshape(1, 6, 1).expand(1, 6, 3)
    rest = Tangent.of(*jacobian).orthogonalize(direction)
    torch.testing.assert_close((rest * jacobian).sum(1), torch.zeros(2, 3).double())
    torch.testing.assert_close(rest.norm(dim=1), torch.ones(1, 3).double())


def test_a_direction_that_cbf_and_att_explain_is_nan_rather_than_rounding(jacobian):
    explained = (2 * jacobian[0] - 3 * jacobian[1]).unsqueeze(0)
    assert Tangent.of(*jacobian).orthogonalize(explained).isnan().all()


def test_att_that_acts_like_cbf_is_nan_rather_than_rounding(jacobian):
    assert Tangent.of(jacobian[0], -0.7 * jacobian[0]).att.isnan().all()
