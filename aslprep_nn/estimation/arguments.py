"""What the estimators refuse, in the words of whoever called them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from aslprep_nn.errors import Problem, UnsupportedError, UsageError
from aslprep_nn.estimation.repetitions import Repetitions

#: Largest product of two vectors of a basis, and deviation of a square from 1, by rounding.
ORTHONORMAL = 1e-4


def require_timings(repetitions: Repetitions, least: int) -> None:
    """Refuse a protocol that has fewer distinct timings than there are parameters."""
    if repetitions.n_timings >= least:
        return
    delays = ', '.join(f'{pld:g}' for a in repetitions.acquisitions for pld in a.pld)
    raise UnsupportedError(
        Problem(
            'acquisition',
            'PostLabelingDelay',
            f'{delays} s only',
            f'at least {_COUNT[least]} different delays or labelling durations',
            'Use the single-delay formula, which assumes that all label has arrived.',
        )
    )


def require_basis(basis: Tensor | None, n_measurements: int, parameters: Sequence[str]) -> None:
    """Refuse what is no orthonormal basis of coefficients that could tell the parameters."""
    if basis is None:
        return
    shape = tuple(basis.shape)
    n_parameters = len(parameters)
    if len(shape) != 2 or shape[0] != n_measurements:
        expected = f'({n_measurements}, component), one row per measurement of the acquisition'
        raise UsageError(_problem('basis', f'of shape {shape}', expected))
    overlap = (basis.mT @ basis - torch.eye(shape[1]).to(basis)).abs().amax()
    if not bool(overlap < ORTHONORMAL):
        raise UsageError(_problem('basis', f'not orthonormal by {overlap:.2g}', 'U^T U = 1'))
    if shape[1] < n_parameters:
        expected = f'at least {n_parameters}, one for each of {", ".join(parameters)}'
        raise UsageError(_problem('basis', f'of {shape[1]} components', expected))


def require_arguments(
    relative_delta_m: Tensor,
    *,
    n_measurements: int,
    slice_delay: Tensor | None,
    t1_tissue: Tensor | None,
    weights: Tensor | None,
    att_range: tuple[float, float],
) -> None:
    """Refuse arguments of `fit_cbf_att` that do not fit together, naming all of them."""
    shape = tuple(relative_delta_m.shape)
    problems = []
    if len(shape) != 2 or shape[1] != n_measurements:
        expected = f'(voxel, {n_measurements}), one column per measurement of the acquisition'
        problems.append(_problem('relative_delta_m', f'of shape {shape}', expected))
    else:
        problems += _voxelwise_problems(shape[0], slice_delay=slice_delay, t1_tissue=t1_tissue)
        problems += _weight_problems(shape, weights)
    if not 0 <= att_range[0] < att_range[1] < math.inf:
        problems.append(_problem('att_range', str(att_range), 'two rising, finite numbers from 0'))
    if problems:
        raise UsageError(problems)


def _voxelwise_problems(n_voxels: int, **values: Tensor | None) -> Iterator[Problem]:
    for name, value in values.items():
        if value is None:
            continue
        if tuple(value.shape) != (n_voxels,):
            found = f'of shape {tuple(value.shape)}'
            yield _problem(name, found, f'({n_voxels},), one number per voxel')
        elif not bool((torch.isfinite(value) & (value >= 0)).all()):
            yield _problem(name, 'negative or not finite in some voxels', 'seconds, 0 or more')
        elif name == 't1_tissue' and not bool((value > 0).all()):
            yield _problem(name, '0 s in some voxels', 'seconds above 0')


def _weight_problems(shape: tuple[int, ...], weights: Tensor | None) -> Iterator[Problem]:
    if weights is None:
        return
    if tuple(weights.shape) not in {shape, shape[1:]}:
        found = f'of shape {tuple(weights.shape)}'
        yield _problem('weights', found, f'{shape[1:]} or {shape}')
    elif not bool((torch.isfinite(weights) & (weights >= 0)).all()):
        yield _problem('weights', 'negative or not finite', 'numbers from 0')


def _problem(name: str, found: str, expected: str) -> Problem:
    return Problem('fit', name, found, expected, 'Correct the call.')


_COUNT = {2: 'two', 3: 'three'}
