"""Bases of few vectors that keep signals and, as far as wanted, the bounds of parameters.

Mao, Flassbeck, Gultekin and Assländer, Cramér-Rao bound optimized subspace reconstruction in
quantitative MRI: a singular value decomposition of signals side by side with the orthogonalised
derivatives. Equation numbers are theirs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import torch
from torch import Tensor

from aslprep_nn.errors import Problem, UsageError
from aslprep_nn.estimation.subspace.fingerprints import Fingerprints


class Weighting(StrEnum):
    """How signals and derivatives are weighted against each other."""

    #: Square roots, whose squares are the weights of the cost in equation 5.
    COST = 'equation 5'
    #: Equation 12 as printed, which minimises a cost with the squares of those weights.
    PRINTED = 'equation 12'

    def of(self, crb_weight: float) -> tuple[float, float]:
        """Give the factors of signals and of derivatives."""
        factors = 1 - crb_weight, crb_weight
        if self is Weighting.PRINTED:
            return factors
        return math.sqrt(factors[0]), math.sqrt(factors[1])


@dataclass(frozen=True)
class Subspace:
    """Orthonormal vectors in order of what they keep.

    Parameters
    ----------
    vectors
        ``(time, component)``.
    singular_values
        What each of them keeps of the matrix they come from, ``(component,)``.
    parameters
        What is to be estimated from coefficients.

    Raises
    ------
    UsageError
        If there are fewer components than parameters.
    """

    vectors: Tensor
    singular_values: Tensor
    parameters: tuple[str, ...]

    def __post_init__(self) -> None:
        n_components, n_parameters = self.n_components, len(self.parameters)
        if n_components < n_parameters:
            names = ', '.join(self.parameters)
            raise _refusal(
                'number of components',
                str(n_components),
                f'at least {n_parameters}, one for each of {names}',
                'Keep more components or estimate fewer parameters.',
            )

    @property
    def n_components(self) -> int:
        """Number of vectors."""
        return self.vectors.shape[1]

    def truncated(self, n_components: int) -> Subspace:
        """Keep the first vectors; the others need not be computed again."""
        if n_components > self.n_components:
            raise _refusal(
                'number of components',
                str(n_components),
                f'at most {self.n_components}',
                'Keep fewer components or simulate more tissues.',
            )
        return replace(
            self,
            vectors=self.vectors[:, :n_components],
            singular_values=self.singular_values[:n_components],
        )

    def compress(self, signal: Tensor) -> Tensor:
        """Turn signals, ``(..., time)``, into coefficients, ``(..., component)``."""
        return signal.to(self.vectors.dtype) @ self.vectors.conj()


@dataclass(frozen=True)
class Dictionary:
    """All that bases need of any number of fingerprints, in two triangles.

    A matrix D and the triangle R of a QR factorisation of its adjoint have the same left
    singular vectors, and R can be extended by further columns of D without D. Signals and
    derivatives have a triangle each, so every weight gives its basis without another pass.

    Parameters
    ----------
    signals, derivatives
        Triangles of the signals and of the orthogonalised derivatives of unit length,
        ``(time, time)`` or smaller.
    n_fingerprints
        How many signals went in.
    parameters
        What is to be estimated.
    """

    signals: Tensor
    derivatives: Tensor
    n_fingerprints: int
    parameters: tuple[str, ...]

    @classmethod
    def of(cls, chunks: Iterable[Fingerprints]) -> Dictionary:
        """Take in fingerprints, as many at a time as memory holds.

        Derivatives of parameters that a fingerprint does not tell are left out.
        """
        whole: Dictionary | None = None
        for chunk in chunks:
            n_times = chunk.signal.shape[1]
            if whole is None:
                nothing = chunk.signal.new_zeros(0, n_times, dtype=_exact(chunk.signal.dtype))
                whole = cls(nothing, nothing, 0, chunk.parameters)
            whole = whole._with(chunk)
        if whole is None:
            raise _refusal('dictionary', 'empty', 'at least one fingerprint', 'Simulate some.')
        return whole

    def subspace(self, crb_weight: float, *, weighting: Weighting = Weighting.COST) -> Subspace:
        """Find the basis for a weight, all of its components.

        Signals are scaled to a mean energy of 1, which is the energy of each derivative.

        Parameters
        ----------
        crb_weight
            Lambda: 0 keeps the energy of signals alone, 1 the bounds alone.
        weighting
            What that number weighs.
        """
        if not 0 <= crb_weight <= 1:
            raise _refusal('weight of the bounds', str(crb_weight), '0 to 1', 'Correct the call.')
        of_signals, of_derivatives = weighting.of(crb_weight)
        scale = self.signals.norm() / math.sqrt(self.n_fingerprints)
        parts = [of_signals * self.signals / scale, of_derivatives * self.derivatives]
        _, values, adjoint = torch.linalg.svd(torch.cat(parts), full_matrices=False)
        return Subspace(adjoint.mH.resolve_conj(), values, self.parameters)

    def _with(self, chunk: Fingerprints) -> Dictionary:
        own = chunk.orthogonalized().mT.flatten(0, 1)
        length = own.norm(dim=-1, keepdim=True)
        told = own[length.squeeze(-1) > 0] / length[length > 0].unsqueeze(-1)
        return replace(
            self,
            signals=_triangle(self.signals, chunk.signal),
            derivatives=_triangle(self.derivatives, told),
            n_fingerprints=self.n_fingerprints + chunk.n_fingerprints,
        )


def in_chunks(fingerprints: Fingerprints, size: int) -> Iterator[Fingerprints]:
    """Yield some fingerprints at a time."""
    parts = (torch.split(part, size) for part in (fingerprints.signal, fingerprints.jacobian))
    for signal, jacobian in zip(*parts, strict=True):
        yield replace(fingerprints, signal=signal, jacobian=jacobian)


def _triangle(triangle: Tensor, rows: Tensor) -> Tensor:
    extended: Tensor = torch.linalg.qr(torch.cat([triangle, rows.conj()]), mode='r').R
    return extended


def _exact(dtype: torch.dtype) -> torch.dtype:
    return torch.complex128 if dtype.is_complex else torch.float64


def _refusal(field: str, found: str, expected: str, remedy: str) -> UsageError:
    return UsageError(Problem('subspace', field, found, expected, remedy))
