"""Signals with their derivatives, and the part of a derivative that is a parameter's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from aslprep_nn.errors import Problem, UsageError
from aslprep_nn.signal.model import SignalModel

#: A vector of which this part or less lies outside a span lies in it, by rounding.
DEPENDENT = 1e-8


@dataclass(frozen=True)
class Fingerprints:
    """The signals of some tissues, real or complex, and their derivatives in real parameters.

    Parameters
    ----------
    signal
        ``(fingerprint, time)``.
    jacobian
        ``(fingerprint, time, parameter)``. An unknown complex factor is two parameters.
    parameters
        What each column of the Jacobian is the derivative in.
    interest
        The parameters whose bounds are to be kept; the others are fitted but not asked for.

    Raises
    ------
    UsageError
        If shapes disagree or a parameter of interest has no derivative.
    """

    signal: Tensor
    jacobian: Tensor
    parameters: tuple[str, ...]
    interest: tuple[str, ...]

    def __post_init__(self) -> None:
        problems = [*self._problems()]
        if problems:
            raise UsageError(problems)

    @classmethod
    def of(
        cls, model: SignalModel, cbf: Tensor, att: Tensor, *, t1_unknown: bool = False
    ) -> Fingerprints:
        """Predict those of perfused tissues; CBF and ATT are of interest.

        Parameters
        ----------
        model
            The protocols, in float64.
        cbf, att
            ``(fingerprint,)`` [mL/100 g/min, s].
        t1_unknown
            Whether tissue T1 is fitted too.
        """
        signal = model.linearize(cbf, att)
        columns = {'cbf': signal.d_cbf, 'att': signal.d_att}
        if t1_unknown:
            columns['t1_tissue'] = model.d_t1_tissue(signal)
        jacobian = torch.stack(list(columns.values()), -1).transpose(0, 1)
        return cls(signal.delta_m.mT, jacobian, tuple(columns), ('cbf', 'att'))

    @property
    def n_fingerprints(self) -> int:
        """Number of tissues."""
        return self.signal.shape[0]

    def derivative(self, name: str) -> tuple[Tensor, Tensor]:
        """Split the Jacobian into the derivative in one parameter and those in all others.

        Returns
        -------
        ``(fingerprint, time)`` and ``(fingerprint, time, other parameter)``.
        """
        place = self.parameters.index(name)
        others = [i for i in range(len(self.parameters)) if i != place]
        return self.jacobian[..., place], self.jacobian[..., others]

    def orthogonalized(self) -> Tensor:
        """Remove from each derivative of interest what the other parameters could imitate.

        What remains alone sets the bound of the parameter (Mao et al., equations 2 and 3);
        0 where nothing does.

        Returns
        -------
        ``(fingerprint, time, parameter of interest)``.
        """
        split = [self.derivative(name) for name in self.interest]
        return torch.stack([outside(others, own) for own, others in split], -1)

    def _problems(self) -> Iterator[Problem]:
        n_fingerprints, n_times = self.signal.shape
        expected = n_fingerprints, n_times, len(self.parameters)
        if tuple(self.jacobian.shape) != expected:
            yield _problem('jacobian', f'of shape {tuple(self.jacobian.shape)}', str(expected))
        unknown = [name for name in self.interest if name not in self.parameters]
        if unknown or not self.interest:
            found = ', '.join(unknown) or 'nothing'
            yield _problem('interest', found, f'some of {", ".join(self.parameters)}')


def outside(span: Tensor, vector: Tensor) -> Tensor:
    """Give the part of a vector that is orthogonal to a span over the real numbers.

    Parameters are real, so of a complex signal only what real steps of the others could make
    is theirs: the product is the real part of the complex one.

    Parameters
    ----------
    span
        ``(..., time, column)``.
    vector
        ``(..., time)``.

    Returns
    -------
    ``(..., time)``, exactly 0 where the vector lies in the span.
    """
    whole = _as_real(vector.unsqueeze(-1))
    inside = orthonormal_columns(_as_real(span))
    rest = _twice_removed(inside, whole)
    told = rest.norm(dim=-2, keepdim=True) > DEPENDENT * whole.norm(dim=-2, keepdim=True)
    rest = torch.where(told, rest, 0).squeeze(-1)
    if not vector.is_complex():
        return rest
    return torch.complex(*rest.chunk(2, dim=-1))


def orthonormal_columns(matrix: Tensor) -> Tensor:
    """Make the Q of a QR factorisation; its column is 0 where one depends on those before it.

    Gram and Schmidt's method, each step done twice, is as orthogonal as Householder's and can
    leave columns out, fingerprint by fingerprint.

    Parameters
    ----------
    matrix
        Real, ``(..., row, column)``.
    """
    columns: list[Tensor] = []
    for column in torch.split(matrix, 1, dim=-1):
        rest = _twice_removed(torch.cat(columns, -1), column) if columns else column
        length, whole = (part.norm(dim=-2, keepdim=True) for part in (rest, column))
        told = length > DEPENDENT * whole
        columns.append(torch.where(told, rest / torch.where(told, length, 1), 0))
    return torch.cat(columns, -1) if columns else matrix


def _twice_removed(columns: Tensor, vector: Tensor) -> Tensor:
    for _ in range(2):
        vector = vector - columns @ (columns.mT @ vector)
    return vector


def _as_real(matrix: Tensor) -> Tensor:
    """Put the imaginary parts of ``(..., row, column)`` below the real ones, in float64."""
    if not matrix.is_complex():
        return matrix.double()
    return torch.cat([matrix.real, matrix.imag], -2).double()


def _problem(field: str, found: str, expected: str) -> Problem:
    return Problem('fingerprints', field, found, expected, 'Correct the call.')
