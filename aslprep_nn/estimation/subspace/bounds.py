"""What compression does to the Cramér-Rao bounds of the parameters, and to the signals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.estimation.subspace.basis import Subspace
from aslprep_nn.estimation.subspace.fingerprints import Fingerprints, outside


class Bounds(NamedTuple):
    """Smallest variances of unbiased estimates, ``(fingerprint, parameter of interest)``.

    For noise of standard deviation 1, in each of the real and the imaginary part where there
    are both; infinite where a parameter is not told.

    Parameters
    ----------
    uncompressed
        From all measurements (Mao et al., equation 2).
    approximate
        What is left of each orthogonalised derivative in the subspace (equation 7): no more
        than the subspace can keep.
    exact
        From the coefficients (equation 4, its first form; the second, with a projection in
        the wrong space, has no meaning).
    """

    uncompressed: Tensor
    approximate: Tensor
    exact: Tensor


def bounds(fingerprints: Fingerprints, subspace: Subspace) -> Bounds:
    """Find the bounds of every parameter of interest of every fingerprint.

    What is a parameter's own among the coefficients is found from the compressed *own* part of
    its derivative, not from the whole: the two differ by what the others can imitate, which is
    removed in any case, and no digits are lost to it.
    """
    own = fingerprints.orthogonalized()
    kept = subspace.compress(own.mT).mT
    exact = []
    for place, name in enumerate(fingerprints.interest):
        _, others = fingerprints.derivative(name)
        exact.append(outside(subspace.compress(others.mT).mT, kept[..., place]))
    parts = own, kept, torch.stack(exact, -1)
    return Bounds(*(1 / part.abs().square().sum(-2) for part in parts))


@dataclass(frozen=True)
class Losses:
    """Means over fingerprints whose parameters are told.

    Parameters
    ----------
    approximate, exact
        1 - B_u / B of each parameter of interest (equations 6 and 8) [1].
    ratio
        R, the mean of the approximate over the exact bound (equation 13): 1 where no subspace
        of the same size could have a lower exact bound [1].
    energy
        The part of the energy of all signals that lies outside the subspace [1].
    """

    approximate: dict[str, float]
    exact: dict[str, float]
    ratio: float
    energy: float

    @property
    def mean_approximate(self) -> float:
        """Over the parameters of interest."""
        return sum(self.approximate.values()) / len(self.approximate)

    @property
    def mean_exact(self) -> float:
        """Over the parameters of interest."""
        return sum(self.exact.values()) / len(self.exact)

    @classmethod
    def of(cls, chunks: Iterable[Fingerprints], subspace: Subspace) -> Losses:
        """Measure a subspace on fingerprints, as many at a time as memory holds."""
        sums, n_told, energy = torch.zeros(3, 1), torch.zeros(1), torch.zeros(2)
        names: tuple[str, ...] = ()
        for chunk in chunks:
            names = chunk.interest
            found = bounds(chunk, subspace)
            told = torch.isfinite(found.uncompressed)
            n_told = n_told + told.sum(0)
            ratios = (
                found.uncompressed / found.approximate,
                found.uncompressed / found.exact,
                found.approximate / found.exact,
            )
            sums = sums + torch.stack([torch.where(told, r, 0).sum(0) for r in ratios])
            parts = chunk.signal, subspace.compress(chunk.signal)
            energy = energy + torch.stack([part.abs().square().sum() for part in parts])
        approximate, exact, ratio = sums / n_told
        return cls(
            dict(zip(names, (1 - approximate).tolist(), strict=True)),
            dict(zip(names, (1 - exact).tolist(), strict=True)),
            float(ratio.mean()),
            float(1 - energy[1] / energy[0]),
        )
