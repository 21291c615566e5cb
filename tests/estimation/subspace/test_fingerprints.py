"""Signals with their derivatives."""

from dataclasses import replace

import pytest
import torch

from aslprep_nn.errors import UsageError
from aslprep_nn.estimation.subspace.fingerprints import orthonormal_columns, outside


def real_product(a, b):
    return (a.conj() * b).real.sum(-1)


def test_what_is_a_parameters_own_is_orthogonal_to_all_other_derivatives(fingerprints):
    some = fingerprints(200)
    own = some.orthogonalized()
    for place, name in enumerate(some.interest):
        mine, others = some.derivative(name)
        for column in others.unbind(-1):
            overlap = real_product(own[..., place], column).abs()
            limit = own[..., place].norm(dim=-1) * column.norm(dim=-1)
            assert (overlap <= 1e-9 * limit).all()
        torch.testing.assert_close(
            real_product(own[..., place], mine), own[..., place].abs().square().sum(-1)
        )


def test_its_length_is_the_inverse_of_the_fisher_information(fingerprints):
    some = fingerprints(200)
    information = (some.jacobian.mH @ some.jacobian).real
    scale = information.diagonal(dim1=-2, dim2=-1).sqrt()
    scaled = information / scale.unsqueeze(-1) / scale.unsqueeze(-2)
    covariance = torch.linalg.inv(scaled).diagonal(dim1=-2, dim2=-1) / scale.square()
    variance = 1 / some.orthogonalized().abs().square().sum(-2)
    torch.testing.assert_close(variance, covariance[:, :2], rtol=1e-6, atol=0)


def test_only_real_steps_of_other_parameters_are_removed():
    signal = torch.tensor([1.0 + 0j, 2.0, 3.0]).to(torch.complex128)
    turned = (1j * signal).unsqueeze(-1)
    torch.testing.assert_close(outside(turned, signal), signal)
    torch.testing.assert_close(outside(turned, 2j * signal), 0 * signal)


def test_a_parameter_without_effect_has_nothing_of_its_own(perfused):
    some = perfused(5)
    jacobian = some.jacobian.clone()
    jacobian[2, :, 1] = 3 * jacobian[2, :, 0]
    jacobian[3, :, 1] = 0
    own = replace(some, jacobian=jacobian).orthogonalized()
    assert not own[2].any()
    assert not own[3, :, 1].any()
    torch.testing.assert_close(own[3, :, 0], jacobian[3, :, 0])


def test_columns_are_orthonormal_or_zero_where_they_depend_on_others(draw):
    matrix = draw(4 * 12 * 3, -1, 1, 5).reshape(4, 12, 3)
    matrix[1, :, 1] = -2 * matrix[1, :, 0]
    columns = orthonormal_columns(matrix)
    expected = torch.eye(3).double().repeat(4, 1, 1)
    expected[1, 1, 1] = 0
    torch.testing.assert_close(columns.mT @ columns, expected)
    torch.testing.assert_close(columns @ (columns.mT @ matrix), matrix)


def test_shapes_and_names_that_disagree_are_all_named(perfused):
    some = perfused(4)
    with pytest.raises(UsageError) as refused:
        replace(some, jacobian=some.jacobian[:, 1:], interest=('cbf', 'oxygen'))
    said = str(refused.value)
    assert 'jacobian is of shape (4, 20, 2); expected (4, 21, 2)' in said
    assert 'interest is oxygen; expected some of cbf, att' in said
