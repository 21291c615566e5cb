"""Dictionary matching in a subspace, as the paper estimates T1 and T2."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from aslprep_nn.estimation.subspace.basis import Subspace
from aslprep_nn.estimation.subspace.reproduction.phase_graph import PulseTrain

#: Products of data and dictionary that are held at once.
MOST_PRODUCTS = 2**24
#: Entries that are simulated at once.
CHUNK = 2048


@dataclass(frozen=True)
class MatchingGrid:
    """Fingerprints on a grid of relaxation times.

    Parameters
    ----------
    t1, t2
        ``(entry,)`` [s].
    signals
        ``(entry, frame)``, of M0 1.
    """

    t1: Tensor
    t2: Tensor
    signals: Tensor

    @classmethod
    def of(cls, train: PulseTrain, t1: Tensor, t2: Tensor) -> MatchingGrid:
        """Simulate every pair of ``t1`` and ``t2`` [s]."""
        pairs = torch.cartesian_prod(t1, t2)
        parts = [train.signal(*some.mT) for some in torch.split(pairs, CHUNK)]
        return cls(pairs[:, 0], pairs[:, 1], torch.cat(parts))

    @classmethod
    def around_white_matter(cls, train: PulseTrain) -> MatchingGrid:
        """Take the paper's steps about T1 .81 s and T2 25 ms, far enough for noise of 1/50."""
        t1 = torch.arange(0.61, 1.01, 0.002, dtype=torch.float64)
        t2 = torch.arange(0.0159, 0.0341, 0.00038, dtype=torch.float64)
        return cls.of(train, t1, t2)

    def match(self, coefficients: Tensor, subspace: Subspace) -> dict[str, Tensor]:
        """Find the entry whose direction is nearest to that of each voxel's coefficients.

        M0, of any phase, is the unknown length.

        Parameters
        ----------
        coefficients
            ``(voxel, component)``.
        subspace
            What they are coefficients in.

        Returns
        -------
        ``t1`` and ``t2``, ``(voxel,)`` [s].
        """
        entries = subspace.compress(self.signals)
        directions = entries / entries.norm(dim=-1, keepdim=True)
        size = max(1, MOST_PRODUCTS // len(directions))
        best = torch.cat(
            [(some @ directions.mH).abs().argmax(-1) for some in torch.split(coefficients, size)]
        )
        return {'t1': self.t1[best], 't2': self.t2[best]}
