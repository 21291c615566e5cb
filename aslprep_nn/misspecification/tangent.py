"""The plane of signals near a fit: what a change of CBF or ATT could explain."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.misspecification.projections import COLLINEAR


class Triangle(NamedTuple):
    """The upper triangle of R in the QR decomposition of the Jacobian, ``(voxel,)`` each."""

    cbf: Tensor
    both: Tensor
    att: Tensor


class Tangent(NamedTuple):
    """The QR decomposition of the Jacobian J = Q R in (CBF, ATT).

    In the coordinates of Q the information matrix is the identity, so nothing below inverts an
    ill-conditioned matrix or takes the root of one.

    Parameters
    ----------
    basis
        Q: two orthonormal directions, ``(2, timing, voxel)``; the second is NaN where ATT
        cannot be told from CBF.
    cbf, both, att
        The upper triangle of R, ``(voxel,)`` each.
    """

    basis: Tensor
    cbf: Tensor
    both: Tensor
    att: Tensor

    @classmethod
    def of(cls, d_cbf: Tensor, d_att: Tensor) -> Tangent:
        """Decompose the Jacobian; its columns are ``(timing, voxel)``."""
        cbf = d_cbf.square().sum(0).sqrt()
        first = d_cbf / cbf
        both = (first * d_att).sum(0)
        rest = d_att - both * first
        att = rest.square().sum(0).sqrt()
        att = torch.where(att > COLLINEAR * d_att.square().sum(0).sqrt(), att, torch.nan)
        return cls(torch.stack([first, rest / att]), cbf, both, att)

    def orthogonalize(self, directions: Tensor) -> Tensor:
        """Take from directions what CBF and ATT could explain, and scale the rest to length 1.

        Parameters
        ----------
        directions
            ``(direction, timing, voxel)``.

        Returns
        -------
        The same shape; NaN where next to nothing remains.
        """
        rest = directions
        for axis in self.basis:
            rest = rest - axis * (axis * rest).sum(1, keepdim=True)
        length, before = (v.square().sum(1, keepdim=True).sqrt() for v in (rest, directions))
        return rest / torch.where(length > COLLINEAR * before, length, torch.nan)
